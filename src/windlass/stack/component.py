"""A component of the stack: a program that runs as long as the stack does, and how to ask for its health."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from windlass.errors import naming
from windlass.processes.launch import launch

__all__ = ["Component", "Started", "end_of"]

_SHOWN = 12  # lines of a log
_PATIENCE = 3  # looks in a row that it may miss


@dataclass(frozen=True)
class Component:
    """What to start, and when it is healthy."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str] = field(repr=False)
    folder: Path
    log: Path
    address: str = ""
    stop_signal: str = "SIGTERM"
    is_healthy: Callable[[datetime], bool] = lambda _: True
    """Whether it answers; given when it was started, to tell its own signs of life from those of before."""

    def start(self, wanted: Path) -> Started:
        """Start it under the launcher. It ends, at the latest, when nobody holds the lock any more."""
        with naming(self.log), self.log.open("ab") as log:
            process = launch(
                self.command,
                wanted,
                stop_signal=self.stop_signal,
                environment=self.environment,
                folder=self.folder,
                output=log,
            )
        return Started(self, process)


class Started:
    """A component that was started."""

    def __init__(self, component: Component, process: subprocess.Popen[bytes]) -> None:
        self.component, self._process = component, process
        self.since = datetime.now(UTC)
        self._began = time.monotonic()
        self._missed = 0

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    @property
    def pid(self) -> int:
        """The process itself where the system tells, else its launcher."""
        launcher = self._process.pid
        try:
            children = Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split()
        except OSError:
            return launcher
        return int(children[0]) if children else launcher

    def is_healthy(self) -> bool:
        return self.exit_code is None and self.component.is_healthy(self.since)

    def stays_healthy(self) -> bool:
        """Whether it is still healthy, as far as one look can tell: on a busy machine an answer comes late now and then."""
        self._missed = 0 if self.is_healthy() else self._missed + 1
        return self.exit_code is None and self._missed < _PATIENCE

    def stop(self) -> None:
        """Ask it to end. Returns at once."""
        if self.exit_code is None:
            self._process.terminate()

    def wait(self) -> int:
        return self._process.wait()


def end_of(log: Path) -> str:
    """The last lines of a log, to be shown below what is wrong; empty when there is none."""
    try:
        lines = log.read_text(errors="replace").rstrip().splitlines()
    except OSError:
        return ""
    return "".join(f"\n    {line}" for line in lines[-_SHOWN:])
