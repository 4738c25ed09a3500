"""Where a project is: the folder that has a `windlass.yaml`."""

from __future__ import annotations

from pathlib import Path

from windlass.errors import Code, UsageError

__all__ = ["PIPELINES_FOLDER", "PROJECT_FILE", "find_project"]

PROJECT_FILE, PIPELINES_FOLDER = "windlass.yaml", "pipelines"


def find_project(start: Path) -> Path:
    """The nearest folder, from `start` upwards, with a `windlass.yaml`. Raises UsageError."""
    for folder in (start, *start.parents):
        if (folder / PROJECT_FILE).is_file():
            return folder
    hint = "begin a project here with: windlass init"
    raise UsageError(f"no {PROJECT_FILE} in {start} or above it", hint=hint, code=Code.NO_PROJECT)
