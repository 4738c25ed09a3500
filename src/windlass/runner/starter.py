"""Starts what belongs to a run: its units and nested runs, each with what the run adds to its environment."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from msgspec import Struct, field
from msgspec.structs import replace

from windlass.connections import PREFIX
from windlass.entries import Entry
from windlass.plan.instances import ENTRY, to_text
from windlass.plan.model import Plan, Task, Trigger
from windlass.plan.schedule import RunDates
from windlass.plan.travel import VARIABLE, pack
from windlass.plan.unit import Unit
from windlass.ports import LOOPBACK
from windlass.runner.history import Run
from windlass.runner.network import Endpoint
from windlass.runner.world import World
from windlass.runtimes import Execution, Runtime
from windlass.state_folder import RunFolder
from windlass.tasks.command import run_environment
from windlass.tasks.context import render_strings
from windlass.tasks.entries import entries_of
from windlass.tasks.references import environment_given
from windlass.templates import variables
from windlass.tracing import OBSERVED

__all__ = ["Start", "Starter"]


class Start(Protocol):
    """Starts an attempt at a task. May raise WindlassError."""

    def __call__(self, number: int, *, options: Sequence[str] = (), load: str | None = None) -> Execution:
        """`number` counts from 1. `options` are for windlass itself; `load` is what the ledger shall call it."""


class Starter(Struct):
    """Starts the units of one run."""

    plan: Plan
    run: Run
    dates: RunDates
    world: World
    runtime: Runtime
    folder: RunFolder
    observed: Callable[[str], Mapping[str, str]]
    """What who observes the run gives to an attempt at a task."""

    options: tuple[str, ...] = ()
    """What every `windlass exec` of the run is given."""

    made: Mapping[str, tuple[Task, Entry]] = field(default_factory=dict)
    """The tasks that were made of entries: what of, and which."""

    services: dict[str, Endpoint] = field(default_factory=dict)
    """Where the services are that were started."""

    def attempt(
        self, task: Task, number: int, *, options: Sequence[str] = (), load: str | None = None
    ) -> Execution:
        """Start an attempt at a task that comes to an end by itself. Raises WindlassError."""
        if isinstance(task.action, Trigger):
            trigger = render_strings(task.action, self._variables(task))
            return self.world.pipelines.start(trigger, self.run, self.folder.lock, self.observed(task.name))
        unit = self.unit(task)
        environment = self._environment(task, unit, number)
        of, entry = self.made.get(task.name, (task, None))
        if entry is not None:
            environment[ENTRY] = to_text(entry)
        if unit.own:
            environment |= {VARIABLE: pack(self.plan, of), OBSERVED: "1"}
            unit = replace(unit, command=(*unit.command, *self.options, *options))
        if load is not None:
            environment["WINDLASS_LOAD_ID"] = load
        self.runtime.prepare(unit)
        return self.runtime.start(unit, environment, task=task.name)

    def entries(self, task: Task) -> list[Entry]:
        """The entries of which there is to be a task each. Raises FatalError."""
        return entries_of(self.plan, task, self.world.workspace, self._variables(task))

    def endpoint(self, task: Task, unit: Unit) -> Endpoint:
        """Where a service will listen. Raises WindlassError when it cannot."""
        published = self.runtime.publish(task.name, unit)
        if published is not None:
            return Endpoint(LOOPBACK, published, is_published=True)
        return self.world.network.endpoint(task.name, unit)

    def service(self, task: Task, unit: Unit, endpoint: Endpoint, number: int) -> Execution:
        """Start a service that shall listen there. Raises WindlassError."""
        self.runtime.prepare(unit)
        environment = self._environment(task, unit, number)
        return self.runtime.start(unit, environment, task=task.name, port=endpoint.port)

    def unit(self, task: Task) -> Unit:
        """The unit of a task, its templates filled in. Raises FatalError."""
        assert task.unit is not None
        return render_strings(task.unit, self._variables(task))

    def _environment(self, task: Task, unit: Unit, attempt: int) -> dict[str, str]:
        services = self._services(unit)
        run = run_environment(
            run_id=self.run.run_id, run_key=self.run.run_key, dates=self.dates, services=services
        )
        own = {"WINDLASS_ATTEMPT": str(attempt), "WINDLASS_PARAMS": json.dumps(self.plan.params)}
        addresses = {
            name: self.runtime.seen(unit, value) if name.startswith(PREFIX) else value
            for name, value in self.world.connections.environment(task.connections).items()
        }
        given = environment_given(task, addresses, self.plan.connections, self.world.state.path.parent)
        return {**run, **own, **self.observed(task.name), **given}

    def _variables(self, task: Task) -> dict[str, object]:
        return variables(
            run_id=self.run.run_id,
            logical_date=self.dates.logical_date,
            interval=self.dates.interval,
            params=self.plan.params,
            services=self._services(task.unit),
            paths=task.paths,
        )

    def _services(self, unit: Unit | None) -> dict[str, dict[str, object]]:
        """What `services.NAME` means for a unit, or here: where it reaches each of them."""
        reached = {
            name: endpoint if unit is None else Endpoint.of(self.runtime.seen(unit, endpoint.url))
            for name, endpoint in self.services.items()
        }
        return {name: endpoint.names() for name, endpoint in reached.items()}
