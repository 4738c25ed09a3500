"""Runs that a run triggers: each is a `windlass run` of its own, which the trigger waits for or leaves alone."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from msgspec import Struct, field

from windlass.errors import naming
from windlass.locks import locked
from windlass.plan.model import Trigger
from windlass.processes.environment import own_command
from windlass.processes.launch import LOCK, OwnLauncher, launch
from windlass.runner.history import Run
from windlass.runtimes import Execution
from windlass.runtimes.process import ProcessExecution

__all__ = ["NestedRuns", "Pipelines"]


class Pipelines(Protocol):
    """The other pipelines of the project."""

    def start(self, trigger: Trigger, parent: Run, lock: Path, given: Mapping[str, str]) -> Execution:
        """Start a run of one of them, as its parent's. One that is waited for does not outlive the lock. It finds what is
        given in its environment.
        """


class NestedRuns(Struct, frozen=True):
    """Pipelines as processes of this machine. Implements `Pipelines`."""

    project: Path
    workspace: Path
    options: tuple[str, ...] = ()
    """What every run of the project is given."""

    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def start(self, trigger: Trigger, parent: Run, lock: Path, given: Mapping[str, str]) -> Execution:
        command = [*own_command(self.project), "run", trigger.pipeline, *self.options]
        command += ["--params-json", json.dumps(trigger.params)]
        if parent.scheduled:
            command += ["--logical-date", parent.logical_date]
        command += ["--workspace", str(self.workspace), "--parent", parent.run_id, "--as-task"]
        environment = {**self.environment, **given}
        if trigger.wait:
            waited = {**environment, LOCK: str(lock)}
            return ProcessExecution(
                OwnLauncher(launch(command, lock, environment=waited, output=subprocess.PIPE))
            )
        return _left_alone([*command, "--unattended"], lock, environment)


def _left_alone(command: Sequence[str], lock: Path, environment: Mapping[str, str]) -> Execution:
    """Start it so that it outlives whoever starts it; what it prints is beside the lock."""
    wanted = lock.with_name(f"detached-{os.urandom(4).hex()}.lock")
    with (
        locked(wanted) as held,
        naming(wanted.with_suffix(".log")),
        wanted.with_suffix(".log").open("wb") as output,
    ):
        # the launcher inherits the lock: it is wanted as long as it lives
        launch(command, wanted, environment=environment, output=output, kept_open=(held.fileno(),))
    return _LeftAlone()


class _LeftAlone:
    """What nobody waits for. Implements `Execution`."""

    def output(self) -> Iterator[Sequence[str]]:
        yield from ()

    def stop(self) -> None:
        """It goes on."""

    def wait(self) -> int:
        return 0
