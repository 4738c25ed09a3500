"""The world of a run: everything around a plan that the runner needs, handed in from outside.

`here` is that of this machine. Tests, and fixture tests of pipelines, hand in others.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Protocol

from msgspec import Struct, field

from windlass.alerts import Message
from windlass.alerts.delivery import deliver, hand_over
from windlass.devservices import can_stand_in
from windlass.plan.model import Plan
from windlass.plan.unit import Unit
from windlass.runner.alerting import Deliver
from windlass.runner.clock import Clock, SystemClock
from windlass.runner.connections import FoundConnections
from windlass.runner.history import History
from windlass.runner.loop import Loop, Threads
from windlass.runner.nested import NestedRuns, Pipelines
from windlass.runner.network import Loopback, Network
from windlass.runner.versions import kept_versions
from windlass.runtimes import Runtime, Site
from windlass.runtimes.choosing import ChosenRuntimes, check_runtimes
from windlass.runtimes.step_proxy import StepProxy
from windlass.state_folder import RunFolder, StateFolder
from windlass.workspace import Workspace

__all__ = ["Connections", "World", "here"]


class Connections(Protocol):
    """Where the connections of a plan are."""

    def environment(self, names: tuple[str, ...]) -> dict[str, str]:
        """`WINDLASS_CONN_<NAME>` for each of them. Raises WindlassError for one that is nowhere."""

    @property
    def dev_services(self) -> Mapping[str, str]:
        """Those that dev services stand in for, each with its type."""

    def close(self) -> None:
        """Nobody needs them any more."""


class World(Struct, frozen=True, kw_only=True):
    """What a run of one plan finds around it."""

    state: StateFolder
    history: History
    connections: Connections
    runtime: Callable[[RunFolder], Runtime]
    check: Callable[[Iterable[Unit]], None] = lambda _: None
    """Raises WindlassError for what keeps the runtime from starting these, before anything is started."""

    pipelines: Pipelines
    network: Network = field(default_factory=Loopback)
    clock: Clock = field(default_factory=SystemClock)
    loop: Loop = field(default_factory=Threads)
    deliver: Deliver = lambda *_: None
    """Tells a connection what became of the run."""

    workspace: Workspace
    """Where the files are that its tasks share."""

    versions: Callable[[], dict[str, str]] = dict
    """What a run is made with."""


def here(
    plan: Plan,
    project: Path,
    *,
    workspace: Path | None = None,
    runtime: str | None = None,
    memory: str | None = None,
    dev: bool = True,
    plan_file: Path | None = None,
) -> World:
    """The world of this machine: files go to the workspace, which is the project unless said otherwise. Without `dev`
    no dev service stands in for a connection. `plan_file` has the plans of the pipelines that it triggers, if not the project.

    Its `check` raises UsageError for a runtime that is not there.
    """
    state, folder = StateFolder.of(project), workspace or project
    options = ["--runtime", runtime] if runtime is not None else []
    options += ["--memory", memory] if memory is not None else []
    options += [] if dev else ["--no-dev"]
    options += ["--plan", str(plan_file)] if plan_file is not None else []

    def runtime_of(run: RunFolder) -> Runtime:
        site = Site(
            project=project,
            workspace=folder,
            environments=state.environments,
            plan=run.plan,
            wanted=run.lock,
            step_proxy=StepProxy.of(os.environ),
            soon=True,
        )
        chosen = ChosenRuntimes(site, runtime, plan.containers)
        chosen.get_ready(task.unit for task in plan.tasks if task.unit)
        return chosen

    connections = FoundConnections(plan.connections, project, state, dev=dev)

    def tell(name: str, message: Message) -> None:
        if dev and can_stand_in(plan.connections[name]):
            hand_over(message, connections.address(name), name)
        else:
            deliver(message, name, plan.connections[name], project)

    return World(
        state=state,
        history=History(state),
        connections=connections,
        runtime=runtime_of,
        check=lambda units: check_runtimes(units, runtime),
        pipelines=NestedRuns(project, folder, tuple(options)),
        deliver=tell,
        workspace=Workspace(folder, project),
        versions=partial(kept_versions, state.versions),
    )
