"""The copy engine: moves rows from a source to a destination, exactly once, losing none."""

from windlass.engine.job import CopyResult, Identity, Job
from windlass.workspace import Workspace

__all__ = ["CopyResult", "Identity", "Job", "Workspace"]
