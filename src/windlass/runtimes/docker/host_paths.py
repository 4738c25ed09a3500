"""Where windlass is, seen by the engine: maybe in a container itself, whose folders have other names there.

Containers that it starts are its siblings, and mount folders of the engine's machine, not of this container. Which
those are stands in the description of the container that this is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from windlass.errors import Code, FatalError
from windlass.runtimes.docker.engine import Engine

__all__ = ["host_path", "own_container", "sibling", "source_of"]

_GIVEN = ("/etc/hostname", "/etc/hosts", "/etc/resolv.conf")
"""What an engine mounts into each container, out of a folder of its own that has the container's id."""

_ID = re.compile(r"containers/(?:[^/ ]+/)*([0-9a-f]{64})/")


def host_path(engine: Engine, folder: Path) -> str:
    """The folder, as the engine's machine calls it. Raises FatalError where it does not have it."""
    own = sibling(engine)
    if own is None:
        return str(folder)
    found = source_of(own["Mounts"], folder)
    if found is None:
        hint = f"start the container of windlass with a mount there: -v {folder}:{folder}"
        message = (
            f"{folder} is inside the container that windlass runs in, where no other container can see it"
        )
        raise FatalError(message, hint=hint, code=Code.NO_ENGINE)
    return found


def sibling(engine: Engine) -> dict[str, Any] | None:
    """What the engine says of the container that windlass runs in, if it is one of its own."""
    from docker.errors import DockerException

    own = own_container()
    if own is None:
        return None
    try:
        described: dict[str, Any] = engine.client.inspect_container(own)
    except DockerException:  # this is a container of another engine
        return None
    return described


def own_container(mountinfo: Path = Path("/proc/self/mountinfo")) -> str | None:
    """The id of the container that this process runs in, as its mounts tell it (man 5 proc: the fourth field is what was
    mounted, the fifth where). The engine's own machine has mounts of all its containers, but not at these places.
    """
    try:
        mounts = [
            line.split() for line in mountinfo.read_text(encoding="utf-8", errors="replace").splitlines()
        ]
    except OSError:
        return None
    found = (_ID.search(mount[3]) for mount in mounts if mount[4] in _GIVEN)
    return next((own[1] for own in found if own), None)


def source_of(mounts: Sequence[Mapping[str, Any]], folder: Path) -> str | None:
    """Where the folder comes from, by the innermost mount that it is in."""
    wanted = PurePosixPath(folder)
    around = [mount for mount in mounts if wanted.is_relative_to(mount["Destination"])]
    if not around:
        return None
    mount = max(around, key=lambda mount: len(mount["Destination"]))
    return str(PurePosixPath(mount["Source"]) / wanted.relative_to(mount["Destination"]))
