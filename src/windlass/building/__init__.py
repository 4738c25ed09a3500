"""`windlass build`: which images of a project have to be built, why, and having them built.

planning.py   what there is to do, and why; writes nothing
bases.py      the digests of the images that others are based on
revision.py   the project of an earlier commit, and its images
carrying.py   has images built and pushed, and writes down what came of it
"""

from windlass.building.carrying import carry_out
from windlass.building.planning import BuildPlan, Step, plan_builds
from windlass.building.revision import project_since

__all__ = ["BuildPlan", "Step", "carry_out", "plan_builds", "project_since"]
