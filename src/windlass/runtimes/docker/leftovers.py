"""Removes containers whose run is gone: killed, with nobody left to stop them.

Each container has a label that says by which lock it lives. The kernel releases that lock however its holder ends
(docs/adr/0002), so whoever starts next knows which are not wanted any more.
"""

from __future__ import annotations

import platform
from pathlib import Path

from windlass import logs
from windlass.locks import has_owner
from windlass.runtimes.docker.engine import Engine, telling

__all__ = ["MACHINE", "WANTED", "machine", "remove_leftovers"]

MACHINE = "windlass.machine"
WANTED = "windlass.wanted"


def machine() -> str:
    """This machine: another one's locks cannot be looked at from here."""
    return platform.node()


def remove_leftovers(engine: Engine) -> None:
    """Remove every container of this machine's that nobody wants any more."""
    with telling("look for containers of runs that are gone"):
        found = engine.client.containers(all=True, filters={"label": [f"{MACHINE}={machine()}", WANTED]})
    for container in found:
        if not has_owner(Path(container["Labels"][WANTED])):
            _remove(engine, container["Id"])
            logs.warning(
                "orphan_ended", run=container["Labels"].get("windlass.run"), container=container["Id"][:12]
            )


def _remove(engine: Engine, container: str) -> None:
    from docker.errors import APIError

    try:
        engine.client.remove_container(container, force=True, v=True)
    except APIError as exc:
        if exc.status_code not in (404, 409):  # somebody else has removed it, or is about to
            raise
