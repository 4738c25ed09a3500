"""Removes containers whose run is gone: killed, with nobody left to stop them.

Each container has a label that says by which lock it lives. The kernel releases that lock however its holder ends
(docs/adr/0002), so whoever starts next knows which are not wanted any more.
"""

from __future__ import annotations

import platform
import time
from pathlib import Path

from windlass import logs
from windlass.locks import has_owner
from windlass.runtimes.docker.engine import Engine, telling

__all__ = ["MACHINE", "WANTED", "machine", "remove", "remove_leftovers"]

_POLL = 0.5

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
            remove(engine, container["Id"])
            logs.warning(
                "orphan_ended", run=container["Labels"].get("windlass.run"), container=container["Id"][:12]
            )


def remove(engine: Engine, container: str, patience: float = 0.0) -> None:
    """Remove a container, running or not; that there is none is fine. An engine that is away has so many seconds to
    come back.
    """
    from docker.errors import APIError
    from requests.exceptions import RequestException

    deadline = time.monotonic() + patience
    while True:
        try:
            engine.client.remove_container(container, force=True, v=True)
        except APIError as exc:
            if exc.status_code not in (404, 409):  # somebody else has removed it, or is about to
                raise
        except (RequestException, OSError):
            if time.monotonic() > deadline:
                raise
            time.sleep(_POLL)
            continue
        return
