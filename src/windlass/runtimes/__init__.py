"""What executes a task: a process here, a container later. The runner knows only this protocol."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

__all__ = ["Execution", "Runtime", "Step"]


@dataclass(frozen=True)
class Step:
    """What to execute: a command, the folder with its code, and what it finds in its environment."""

    command: tuple[str, ...]
    folder: Path | None = None
    """The step's own code. None: the command needs none, or brings it."""

    environment: dict[str, str] = field(default_factory=dict)


class Execution(Protocol):
    """A step that was started."""

    def lines(self) -> Iterator[str]:
        """What it prints, stdout and stderr together, line by line, until it has ended."""

    def stop(self) -> None:
        """Ask it to end, and make it, if it does not. Returns at once."""

    def wait(self) -> int:
        """Its exit code, once it has ended; minus the signal when a signal ended it, as `subprocess` has it."""


class Runtime(Protocol):
    """Executes steps."""

    def prepare(self, step: Step) -> Step:
        """Make the step ready to start, such as by installing what it needs. May take minutes the first time."""

    def start(self, step: Step, lock: Path) -> Execution:
        """Start a prepared step. It ends, at the latest, when nobody holds the lock any more."""
