"""What executes the units of a run: processes of this machine, later containers and pods.

A runtime is made for one run, at its `Site`; the runner knows only the protocol. `table.py` has them by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias

from windlass.plan.unit import Unit

__all__ = ["Execution", "Runtime", "RuntimeFactory", "Site"]


@dataclass(frozen=True, kw_only=True)
class Site:
    """The side of a run that is on this machine."""

    project: Path
    workspace: Path
    environments: Path
    """Where the environments of Python and Node.js steps are made."""

    plan: Path | None = None
    """The whole plan of the run, for a task whose plan is too long for its environment."""

    wanted: Path
    """A lock that is held as long as somebody wants what was started: no unit outlives it."""


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

    def prepare(self, unit: Unit) -> None:
        """Have ready what the unit needs to start, such as its dependencies. Takes minutes the first time."""

    def start(self, unit: Unit, environment: Mapping[str, str]) -> Execution:
        """Start a unit that is prepared. It finds in its environment what a run gives it, WINDLASS_WORKSPACE
        where this runtime has the workspace, and on top what it says itself. Raises WindlassError.
        """


RuntimeFactory: TypeAlias = Callable[[Site], Runtime]
