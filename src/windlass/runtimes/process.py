"""Units as processes of this machine.

A step can call `windlass`, such as to copy a file: the folder of the command that runs it stands at the
end of its PATH, behind the programs of the step's own environment and of the machine.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from windlass import logs
from windlass.errors import Code, FatalError
from windlass.plan.travel import VARIABLE, is_digest
from windlass.plan.unit import Unit
from windlass.processes.environment import inherited, own_command, with_own_programs
from windlass.processes.launch import LOCK, Started
from windlass.processes.launchpad import Launchpad
from windlass.runtimes import Execution, Site
from windlass.runtimes.environments import StepEnvironment, environment_for
from windlass.runtimes.missed_mount import MissedMount
from windlass.runtimes.shared_code import with_libraries
from windlass.runtimes.splitting import batches_of

__all__ = ["ProcessExecution", "ProcessRuntime"]

_ONLY_IN_CONTAINERS = ("user", "network", "memory", "cpus", "platform")


class ProcessExecution:
    """A process under the launcher. Implements `Execution`."""

    def __init__(self, started: Started, missed: MissedMount | None = None) -> None:
        self._started, self._missed = started, missed

    def output(self) -> Iterator[Sequence[str]]:
        with self._started.stdout as output:
            for lines in batches_of(output):
                if self._missed is not None:
                    self._missed.hear(lines)
                yield lines
        failure = self._missed and self._missed.failure(self.wait())
        if failure:
            yield [json.dumps(failure)]

    def stop(self) -> None:
        self._started.stop()

    def wait(self) -> int:
        return self._started.wait()


class ProcessRuntime:
    """Executes units on this machine: windlass itself by this installation, a step by its own environment.

    Implements `Runtime`.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._launchpad = Launchpad(site.wanted)
        if site.soon:
            self._launchpad.get_ready()
        self._environments: dict[tuple[str | None, str], StepEnvironment | None] = {}
        self._told: set[str] = set()

    @staticmethod
    def check(units: Iterable[Unit]) -> None:
        """Raise FatalError for a unit that only a container engine can start."""
        for unit in units:
            if not unit.own:
                _require_command(unit)

    def executes(self, unit: Unit) -> bool:
        return True

    def publish(self, service: str, unit: Unit) -> int | None:
        return None

    def seen(self, unit: Unit, url: str) -> str:
        return url

    def close(self) -> None:
        self._launchpad.close()

    def prepare(self, unit: Unit) -> None:
        """Give a Python or Node.js step an environment of its own; any other command needs none."""
        if unit.own:
            return
        _require_command(unit)
        self._tell_ignored(unit)
        folder, program = self._folder(unit), unit.command[0]
        if not folder.is_dir():
            raise FatalError(f"there is no folder {folder} for the step", code=Code.NO_ENVIRONMENT)
        self._environments[unit.build, program] = environment_for(
            folder, program, self._site.environments, builds=unit.build is not None
        )

    def start(
        self, unit: Unit, environment: Mapping[str, str], *, task: str, port: int | None = None
    ) -> Execution:
        given = {**environment, "WINDLASS_WORKSPACE": str(self._site.workspace)}
        given |= unit.env if port is None else {"PORT": str(port), **unit.env}
        if unit.own:
            return self._own(unit.command[1:], given)
        folder, command, ours = self._folder(unit), unit.command, inherited(os.environ)
        own = self._environments.get((unit.build, command[0]))
        if own is not None:
            command, ours = (own.program(command[0]), *command[1:]), own.environment(ours)
        given = with_libraries(unit, given, self._site.project, self._site.environments)
        missed = MissedMount(unit.container.mount, self._site.workspace)
        return self._launched(command, self._wanted({**ours, **given}), folder, missed)

    def _tell_ignored(self, unit: Unit) -> None:
        """Say once what is written of a unit that holds only in a container."""
        ignored = [name for name in _ONLY_IN_CONTAINERS if getattr(unit.container, name) is not None]
        told = f"{unit.build} {unit.command}"
        if ignored and told not in self._told:
            self._told.add(told)
            logs.info("without_container", ignored=", ".join(ignored), step=unit.build or unit.command[0])

    def _folder(self, unit: Unit) -> Path:
        return self._site.project / (unit.build or "")

    def _own(self, arguments: tuple[str, ...], given: Mapping[str, str]) -> Execution:
        """Start windlass itself, of this installation."""
        if is_digest(given.get(VARIABLE, "")) and self._site.plan is not None:
            arguments = (*arguments, "--plan", str(self._site.plan))
        environment = self._wanted({**os.environ, **given})
        command = (*own_command(self._site.project), *arguments)
        warm = self._site.warm and self._site.warm.start(command, environment)
        return warm or self._launched(command, environment, None)

    def _wanted(self, environment: Mapping[str, str]) -> dict[str, str]:
        return with_own_programs({**environment, LOCK: str(self._site.wanted)})

    def _launched(
        self,
        command: Sequence[str],
        environment: dict[str, str],
        folder: Path | None,
        missed: MissedMount | None = None,
    ) -> Execution:
        return ProcessExecution(self._launchpad.start(command, folder, environment), missed)


def _require_command(unit: Unit) -> None:
    """Raise FatalError for a unit that only a container engine can start."""
    if unit.container.image is not None and not unit.container.of_project:  # that of the project we may be in
        what = f"the image {unit.container.image} is a container's, and the runtime `process` starts none"
        raise FatalError(what, hint="let the runtime `docker` execute it", code=Code.NO_ENVIRONMENT)
    if not unit.command:
        what = "there is no `command`, and only a container has that of its image"
        raise FatalError(what, hint="say `command`, or `runtime: docker`", code=Code.NO_ENVIRONMENT)
