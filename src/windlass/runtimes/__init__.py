"""What executes the units of a run: processes of this machine, and containers.

A runtime is made for one run, at its `Site`; the runner knows only the protocol. `windlass.registry` has them by name,
and `choosing.py` says which of them a unit gets.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from windlass.plan.unit import Unit
from windlass.runtimes.step_proxy import StepProxy

__all__ = ["Execution", "Runtime", "RuntimeFactory", "Site", "Warm"]


class Site(Struct, frozen=True, kw_only=True):
    """The side of a run that is on this machine."""

    project: Path
    workspace: Path
    environments: Path
    """Where the environments of Python and Node.js steps are made."""

    plan: Path | None = None
    """The whole plan of the run, for a task whose plan is too long for its environment."""

    warm: Warm | None = None
    """What starts tasks of windlass itself sooner."""

    step_proxy: StepProxy | None = None
    """What steps ask hosts by, which they name themselves."""

    soon: bool = False
    """Whether units will be started soon, so that what starts them had better get ready."""

    wanted: Path
    """A lock that is held as long as somebody wants what was started: no unit outlives it."""


class Warm(Protocol):
    """Starts tasks of windlass itself where what they need is there already."""

    def start(self, command: Sequence[str], environment: Mapping[str, str]) -> Execution | None:
        """Start `python -m windlass …`; None where that has to be done otherwise."""


class Execution(Protocol):
    """A unit that was started."""

    def output(self) -> Iterator[Sequence[str]]:
        """What it prints, stdout and stderr together, in lines without their ends, as many at once as have come,
        until it has ended. A state of a progress bar is a line `{"event": "progress", "message": …}`.
        """

    def stop(self) -> None:
        """Ask it to end, and make it, if it does not. Returns at once."""

    def wait(self) -> int:
        """Its exit code, once it has ended; minus the signal when a signal ended it, as `subprocess` has it."""


class Runtime(Protocol):
    """Starts units whose templates are filled in."""

    def executes(self, unit: Unit) -> bool:
        """Whether it can; else a process of this machine does."""

    def prepare(self, unit: Unit) -> None:
        """Have ready what the unit needs to start, such as its dependencies. Takes minutes the first time."""

    def publish(self, service: str, unit: Unit) -> int | None:
        """The port of this machine where a service will be reached that does not listen on it by itself; None where
        it does. Raises WindlassError.
        """

    def seen(self, unit: Unit, url: str) -> str:
        """The address as the unit has to write it, of what this machine reaches at `url`."""

    def start(
        self, unit: Unit, environment: Mapping[str, str], *, task: str, port: int | None = None
    ) -> Execution:
        """Start a unit that is prepared. It finds in its environment what a run gives it, WINDLASS_WORKSPACE
        where this runtime has the workspace, and on top what it says itself. A service is to be reached at `port`
        of this machine, and finds in PORT where to listen. Raises WindlassError.
        """

    def close(self) -> None:
        """All that was started has ended."""


class RuntimeFactory(Protocol):
    """Makes the runtime of one run: a class, as a rule."""

    def __call__(self, site: Site) -> Runtime: ...

    def check(self, units: Iterable[Unit]) -> None:
        """Raise WindlassError for what keeps it from starting these, before anything is started."""
