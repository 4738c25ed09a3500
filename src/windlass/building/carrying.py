"""Has images built and pushed, and writes down what came of it."""

from __future__ import annotations

from windlass import logs
from windlass.building.planning import BuildPlan
from windlass.building.revision import labels_of_commit
from windlass.files import write_whole
from windlass.images import record
from windlass.images.bake import FILE, bake_file
from windlass.images.lock import Pushed
from windlass.runtimes.docker.builders import build_images
from windlass.runtimes.docker.engine import engine_of

__all__ = ["carry_out"]


def carry_out(plan: BuildPlan, *, shown: bool = False) -> dict[str, str]:
    """Build what has to be built, and write the bake file and windlass.lock. Returns the digests of what was pushed, by
    name. With `shown` the builder says on stderr what it does. Raises WindlassError; what was there before stays.
    """
    builds = [step.build for step in plan.to_build]
    digests: dict[str, str] = {}
    if builds:
        engine = engine_of()
        for step in plan.to_build:
            logs.info("image_build", image=step.build.reference, why=step.why[0])
        digests = build_images(
            engine,
            plan.project,
            builds,
            push=plan.push,
            platforms=bool(plan.push or plan.platforms),
            labels=labels_of_commit(plan.project),
            sbom=plan.sbom,
            shown=shown,
        )
        record.write(plan.project, {build.name: build.inputs for build in builds})
    pushed = {
        build.name: Pushed(build.repository, build.inputs.digest, digests[build.name], build.inputs.parts)
        for build in builds
        if build.name in digests
    }
    lock = plan.lock.with_images(pushed)
    if lock.images or lock.bases:
        lock.write(plan.project)
    _write_bake_file(plan)
    return digests


def _write_bake_file(plan: BuildPlan) -> None:
    file, text = plan.project / FILE, bake_file(plan.all_builds)
    if plan.all_builds and (not file.is_file() or file.read_text(encoding="utf-8") != text):
        write_whole(file, text)
