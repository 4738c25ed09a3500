"""What was built here, file by file, so that the next build can say which of them has changed: `.windlass/images.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from windlass.files import write_whole
from windlass.images.inputs import Inputs
from windlass.state_folder import StateFolder

__all__ = ["read", "write"]


def read(project: Path) -> dict[str, dict[str, str]]:
    """The files and settings of each image as it was built last. Nothing where nobody knows."""
    try:
        found = json.loads((project / ".windlass" / "images.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write(project: Path, built: Mapping[str, Inputs]) -> None:
    """Remember what these were built of."""
    file = StateFolder.of(project).images
    made = {name: {**inputs.files, **inputs.settings} for name, inputs in built.items()}
    write_whole(file, json.dumps({**read(project), **made}, indent=0, sort_keys=True))
