"""The unit: a task as something to start, the same on a laptop, in a container and under every scheduler.

No host is in it: no folder of a machine, no interpreter, no address, no secret. What a run adds is in the
environment that it is started with (`windlass.tasks.command`); where it runs is up to a runtime or a target.
"""

from __future__ import annotations

from msgspec import Struct

__all__ = ["WORKSPACE", "Unit"]

WORKSPACE = "/data"
"""Where the workspace is in a container."""


class Unit(Struct, frozen=True, kw_only=True):
    """What is started for a task. Strings are templates, as everywhere in a plan.

    The image is that of `build`, a folder of the project, else the one of the project itself.
    """

    own: bool = False
    """Whether it is windlass that executes the task, in the project's image; else `command` is the user's."""

    build: str | None = None
    command: tuple[str, ...]
    env: dict[str, str] = {}
    port: int | None = None
    """Of a service: the TCP port that it wants. Without one it is told in `PORT` which to listen on."""

    health: str | None = None
    ready_timeout: float = 60.0
    digest: str | None = None
    """Of the plan of its task, where an export found that too long to travel whole (`plan/travel.py`)."""
