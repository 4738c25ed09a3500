"""The libraries of a project for a process: found by their names, as in the image of the step.

What stands beside a library's folder is not in the image, so the folder around it does not go on a path: each set of
libraries has a folder of its own, with a link to each. It is the same for the same set, whoever makes it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from windlass.errors import Code, FatalError
from windlass.plan.unit import Unit

__all__ = ["with_libraries"]


def with_libraries(
    unit: Unit, environment: Mapping[str, str], project: Path, environments: Path
) -> dict[str, str]:
    """The environment of a process, in which Python and Node.js find the libraries of its unit. Raises FatalError for
    a library whose folder is not there.
    """
    libraries = unit.container.libraries
    if not libraries:
        return dict(environment)
    place, modules = _links(libraries, project, environments), project / (unit.build or "") / "node_modules"
    return {
        **environment,
        "PYTHONPATH": _joined(place, environment.get("PYTHONPATH")),
        "NODE_PATH": _joined(place, modules, environment.get("NODE_PATH")),
    }


def _links(libraries: Mapping[str, str], project: Path, environments: Path) -> Path:
    places = {name: (project / folder).resolve() for name, folder in sorted(libraries.items())}
    for name, folder in places.items():
        if not folder.is_dir():
            raise FatalError(
                f"there is no folder {folder} for the library {name}",
                hint="`libraries` in windlass.yaml says where it is",
                code=Code.NO_ENVIRONMENT,
            )
    said = json.dumps({name: os.fspath(folder) for name, folder in places.items()})
    place = environments / f"libraries-{hashlib.sha256(said.encode()).hexdigest()[:16]}"
    place.mkdir(parents=True, exist_ok=True)
    for name, folder in places.items():
        with suppress(FileExistsError):  # made by an earlier task, or at this moment: it leads to the same
            (place / name).symlink_to(folder, target_is_directory=True)
    return place


def _joined(*places: Path | str | None) -> str:
    return os.pathsep.join(str(place) for place in places if place)
