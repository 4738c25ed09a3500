"""The unit: a task as something to start, the same on a laptop, in a container and under every scheduler.

No host is in it: no folder of a machine, no interpreter, no address, no secret. What a run adds is in the
environment that it is started with (`windlass.tasks.command`); where it runs is up to a runtime or a target.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

__all__ = ["PROJECT", "WORKSPACE", "Container", "Mount", "Unit"]

WORKSPACE = "/data"
"""Where the workspace is in a container."""

PROJECT = "/project"
"""Where the project is in a container of its own image."""


class Mount(Struct, frozen=True, kw_only=True):
    """A folder of the engine's machine, or a volume, in a container."""

    source: str
    target: str
    read_only: bool = False


class Container(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a unit of the user's is in a container. A process of this machine takes no notice of it."""

    image: str | None = None
    """Which there is already; else it is built."""

    context: str | None = None
    """The folder that it is built from, where that is not the step's own."""

    dockerfile: str = "Dockerfile"
    target: str | None = None
    args: dict[str, str] = {}
    libraries: dict[str, str] = {}
    """Folders of the project whose code the unit imports, each by its name; a process finds them, too."""

    of_project: bool = False
    """Whether it is the image of the project itself, which has windlass in it; only where the project says that it has one."""

    mount: str = WORKSPACE
    mounts: tuple[Mount, ...] = ()
    user: str | None = None
    network: str | None = None
    memory: int | None = None
    cpus: float | None = None
    platform: str | None = None
    pull: Literal["missing", "always", "never"] = "missing"


class Unit(Struct, frozen=True, kw_only=True):
    """What is started for a task. Strings are templates, as everywhere in a plan.

    The image is that of its container, else that of `build`, a folder of the project, else the one of the project itself.
    """

    own: bool = False
    """Whether it is windlass that executes the task, in the project's image; else `command` is the user's."""

    build: str | None = None
    command: tuple[str, ...]
    """Empty where the image has one of its own."""

    env: dict[str, str] = {}
    port: int | None = None
    """Of a service: the TCP port that it wants. Without one it is told in `PORT` which to listen on."""

    health: str | None = None
    ready_timeout: float = 60.0
    runtime: str | None = None
    """What shall execute it, where windlass itself starts it."""

    container: Container = Container()

    digest: str | None = None
    """Of the plan of its task, where an export found that too long to travel whole (`plan/travel.py`)."""
