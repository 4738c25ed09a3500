"""Starts what belongs to a run: its units and nested runs, each with what the run adds to its environment."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from msgspec.structs import replace

from windlass.plan.model import Plan, Task, Trigger
from windlass.plan.schedule import RunDates
from windlass.plan.templates import variables
from windlass.plan.travel import VARIABLE, pack
from windlass.plan.unit import Unit
from windlass.runner.history import Run
from windlass.runner.network import Endpoint
from windlass.runner.world import World
from windlass.runtimes import Execution, Runtime
from windlass.state_folder import RunFolder
from windlass.tasks.command import run_environment
from windlass.tasks.context import render_strings
from windlass.tasks.references import environment_given

__all__ = ["Start", "Starter"]


class Start(Protocol):
    """Starts an attempt at a task. May raise WindlassError."""

    def __call__(self, number: int, *, options: Sequence[str] = (), load: str | None = None) -> Execution:
        """`number` counts from 1. `options` are for windlass itself; `load` is what the ledger shall call it."""


@dataclass
class Starter:
    """Starts the units of one run."""

    plan: Plan
    run: Run
    dates: RunDates
    world: World
    runtime: Runtime
    folder: RunFolder
    options: tuple[str, ...] = ()
    """What every `windlass exec` of the run is given."""

    services: dict[str, Endpoint] = field(default_factory=dict)
    """Where the services are that were started."""

    def attempt(
        self, task: Task, number: int, *, options: Sequence[str] = (), load: str | None = None
    ) -> Execution:
        """Start an attempt at a task that comes to an end by itself. Raises WindlassError."""
        if isinstance(task.action, Trigger):
            trigger = render_strings(task.action, self._variables(task))
            return self.world.pipelines.start(trigger, self.run, self.folder.lock)
        unit, environment = self.unit(task), self._environment(task, number)
        if unit.own:
            environment[VARIABLE] = pack(self.plan, task)
            unit = replace(unit, command=(*unit.command, *self.options, *options))
        if load is not None:
            environment["WINDLASS_LOAD_ID"] = load
        return self._started(unit, environment)

    def service(self, task: Task, unit: Unit, endpoint: Endpoint, number: int) -> Execution:
        """Start a service that shall listen there. Raises WindlassError."""
        return self._started(unit, {**self._environment(task, number), "PORT": str(endpoint.port)})

    def unit(self, task: Task) -> Unit:
        """The unit of a task, its templates filled in. Raises FatalError."""
        assert task.unit is not None
        return render_strings(task.unit, self._variables(task))

    def _started(self, unit: Unit, environment: Mapping[str, str]) -> Execution:
        self.runtime.prepare(unit)
        return self.runtime.start(unit, environment)

    def _environment(self, task: Task, attempt: int) -> dict[str, str]:
        run = run_environment(
            run_id=self.run.run_id, run_key=self.run.run_key, dates=self.dates, services=self._services()
        )
        own = {"WINDLASS_ATTEMPT": str(attempt), "WINDLASS_PARAMS": json.dumps(self.plan.params)}
        addresses = self.world.connections.environment(task.connections)
        given = environment_given(task, addresses, self.plan.connections, self.world.state.path.parent)
        return {**run, **own, **given}

    def _variables(self, task: Task) -> dict[str, object]:
        return variables(
            run_id=self.run.run_id,
            logical_date=self.dates.logical_date,
            interval=self.dates.interval,
            params=self.plan.params,
            services=self._services(),
            paths=task.paths,
        )

    def _services(self) -> dict[str, dict[str, object]]:
        return {name: endpoint.names() for name, endpoint in self.services.items()}
