"""What `windlass build` has built here, or found in the engine, file by file: `.windlass/images.json`. The next build says by it
which of them has changed, and an export of a project without a registry that nothing has.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from windlass.files import write_whole
from windlass.images.inputs import Inputs
from windlass.state_folder import StateFolder

__all__ = ["read", "write"]


def read(project: Path) -> dict[str, dict[str, str]]:
    """The files and settings of each image as it was there last. Nothing where nobody knows."""
    try:
        found = json.loads((project / ".windlass" / "images.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write(project: Path, there: Mapping[str, Inputs]) -> None:
    """Remember what these are made of, which were built, or had been before as they are now."""
    known = read(project)
    found = known | {name: {**inputs.files, **inputs.settings} for name, inputs in there.items()}
    if found != known:
        write_whole(StateFolder.of(project).images, json.dumps(found, indent=0, sort_keys=True))
