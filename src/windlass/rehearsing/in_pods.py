"""A rehearsal of manifests: what a cluster would be given, on the container engine of this machine."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from windlass.connections import variable
from windlass.errors import UsageError
from windlass.locks import locked
from windlass.plan.model import Plan
from windlass.rehearsing.comparing import differences
from windlass.rehearsing.container import Ran, Stage
from windlass.rehearsing.given import Given
from windlass.rehearsing.manifests import Manifests
from windlass.rehearsing.pod import Volumes, made
from windlass.rehearsing.rehearsal import Rehearsal, RehearsalRequest
from windlass.runner.connections import FoundConnections
from windlass.runtimes.docker.doors import Doors, moved
from windlass.runtimes.docker.engine import engine_of
from windlass.runtimes.docker.leftovers import remove_leftovers
from windlass.state_folder import StateFolder
from windlass.targets.pods.environment import connections_secret
from windlass.targets.pods.exported import ExportedPipeline, exported_pipelines
from windlass.targets.pods.names import dns_name
from windlass.targets.table import TARGETS

__all__ = ["Manifested", "exported", "rehearsed"]

_SCRIPTS = "windlass-scripts"


@dataclass(frozen=True)
class Manifested:
    """A pipeline, and the objects that it was exported as."""

    pipeline: ExportedPipeline
    manifests: Manifests
    run_id: str
    """What a Job is called: that of a CronJob ends with the minute when it was to start."""


def exported(request: RehearsalRequest) -> Manifested:
    """Export the pipeline, to a target whose files are manifests."""
    target, files = TARGETS.load(request.target), request.project
    texts = target.render(files, target.options(pipelines=request.pipeline))
    (pipeline,) = exported_pipelines(files, [request.pipeline], files.files.spec.runtimes.kubernetes.tag)
    return Manifested(pipeline, Manifests.of(texts.values()), _run_id(pipeline.name, request.fired_at))


def rehearsed(
    request: RehearsalRequest,
    found: Manifested,
    run: Callable[[Stage, Volumes], Iterable[Ran]],
    by_task: Callable[[Plan, dict[str, Ran]], dict[str, Ran]] = lambda _, ran: ran,
    *,
    is_compared: bool = True,
) -> Rehearsal:
    """Run the objects by `run`. `by_task` makes outcomes of tasks of those of containers."""
    plan = found.pipeline.plan
    with _stage(request, found.pipeline, found.manifests, found.run_id) as (stage, volumes):
        ran = by_task(plan, _by_name(plan, run(stage, volumes)))
    told = differences(plan, ran) if is_compared else ()
    return Rehearsal(plan.pipeline, request.target, stage.run_id, ran, told, volumes.workspace)


def _by_name(plan: Plan, ran: Iterable[Ran]) -> dict[str, Ran]:
    """By the names of tasks, of which containers have their own; what belongs to no task under its own."""
    names = {dns_name(task.name): task.name for task in plan.tasks}
    return {names.get(one.name, one.name): one for one in ran if one.name != _SCRIPTS}


@contextmanager
def _stage(
    request: RehearsalRequest, exported: ExportedPipeline, manifests: Manifests, run_id: str
) -> Iterator[tuple[Stage, Volumes]]:
    """Everything that containers need, until they have ended. What the last rehearsal of the pipeline left is removed."""
    project, plan = request.project.root, exported.plan
    state = StateFolder.of(project)
    folder = state.rehearsals / plan.pipeline
    engine = engine_of()
    doors, found = Doors(engine), FoundConnections(plan.connections, project, state, dev=request.dev)
    with locked(folder.with_suffix(".lock")) as lock:
        remove_leftovers(engine)
        shutil.rmtree(folder, ignore_errors=True)
        given = Given(
            project=project,
            manifests=manifests,
            connections_secret=connections_secret(exported.project),
            names={variable(name): name for name in plan.connections},
            found=found,
            reached=lambda url: moved(url, lambda port: doors.to(port, engine.bridge)),
        )
        stage = Stage(engine, doors, given, project, run_id, Path(lock.name), request.tell)
        try:
            yield stage, Volumes(folder, request.workspace or made(folder / "workspace"), manifests)
        finally:
            stage.clear()
            found.close()
            doors.close()


def _run_id(name: str, fired_at: str | None) -> str:
    now = datetime.now(UTC)
    if fired_at is None:
        return f"rehearsal-{now:%Y%m%dt%H%M%S}"
    try:
        tick = now if fired_at == "now" else datetime.fromisoformat(fired_at)
    except ValueError as exc:
        raise UsageError(
            f"--fired-at {fired_at} is not a time", hint="write it as 2026-11-30T06:00:00Z"
        ) from exc
    return f"{name}-{int(tick.timestamp()) // 60}"
