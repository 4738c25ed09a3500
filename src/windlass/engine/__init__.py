"""The copy engine: moves rows from a source to a destination, exactly once, losing none."""

from windlass.engine.job import Identity, Job, Outcome
from windlass.workspace import Workspace

__all__ = ["Identity", "Job", "Outcome", "Workspace"]
