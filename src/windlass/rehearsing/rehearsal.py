"""A rehearsal: export a pipeline, run the text of it, and compare."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from windlass.connections import variable
from windlass.errors import ExitCode, UsageError
from windlass.locks import locked
from windlass.plan.model import Plan
from windlass.plan.schedule import dates_of_start
from windlass.rehearsing.argo import run_workflow
from windlass.rehearsing.comparing import differences
from windlass.rehearsing.container import Ran, Stage, Tell
from windlass.rehearsing.given import Given
from windlass.rehearsing.kubernetes import run_job
from windlass.rehearsing.manifests import Manifests
from windlass.rehearsing.pod import Volumes, made
from windlass.runner.connections import FoundConnections
from windlass.runtimes.docker.doors import Doors, moved
from windlass.runtimes.docker.engine import engine_of
from windlass.runtimes.docker.leftovers import remove_leftovers
from windlass.spec import load_project
from windlass.state_folder import StateFolder
from windlass.targets.argo.before import before
from windlass.targets.exporting import compiled
from windlass.targets.pods.environment import connections_secret
from windlass.targets.pods.exported import ExportedPipeline, exported_pipelines
from windlass.targets.pods.names import dns_name
from windlass.targets.table import TARGETS

__all__ = ["TARGETS_TO_REHEARSE", "Rehearsal", "rehearse"]

TARGETS_TO_REHEARSE = ("argo", "kubernetes")
_SCRIPTS = "windlass-scripts"


@dataclass(frozen=True)
class Rehearsal:
    """What came of it."""

    pipeline: str
    target: str
    run_id: str
    ran: Mapping[str, Ran]
    """What became of each task, or of the run as a whole."""

    differences: Sequence[str]
    """What the plan has otherwise."""

    workspace: Path

    @property
    def exit_code(self) -> ExitCode:
        failed = any(ran.code for ran in self.ran.values())
        return ExitCode.FAILED if failed or self.differences else ExitCode.SUCCESS


def rehearse(
    project: Path,
    pipeline: str | None,
    target: str,
    *,
    tell: Tell,
    fired_at: str | None = None,
    params: Mapping[str, Any] | None = None,
    workspace: Path | None = None,
    dev: bool = True,
) -> Rehearsal:
    """Export a pipeline to the target, and run what was written. `tell` gets what containers print. `workspace` is what the
    volume of a cluster would have in it; without one it is an empty folder.

    Raises WindlassError for what the target cannot express, and for what a rehearsal does not know of the text.
    """
    if params and target == "kubernetes":
        raise UsageError("a CronJob takes no parameters", hint="leave out --param, or rehearse it as argo")
    exported, manifests = _exported(project, pipeline, target)
    plan = exported.plan
    run_id = _run_id(exported.name, fired_at)
    if fired_at is not None and target == "kubernetes":
        _check_tick(plan, fired_at, run_id)
    with _stage(project, exported, manifests, run_id, tell, workspace, dev=dev) as (
        stage,
        volumes,
    ):
        if target == "argo":
            ran = run_workflow(stage, manifests, volumes, fired_at=fired_at, params=params or {})
        else:
            ran = run_job(stage, manifests, volumes)
    by_task = _by_task(plan, ran)
    # one container that runs the plan keeps to it by the runner that does so everywhere
    is_whole = exported.shape == "run" and target == "kubernetes"
    found = () if is_whole else differences(plan, by_task)
    return Rehearsal(plan.pipeline, target, stage.run_id, by_task, found, volumes.workspace)


def _exported(project: Path, pipeline: str | None, target: str) -> tuple[ExportedPipeline, Manifests]:
    files = compiled(load_project(project))
    if pipeline is None and len(files.plans) != 1:
        raise UsageError(f"which pipeline? there are {', '.join(files.plans)}")
    name = pipeline or next(iter(files.plans))
    loaded = TARGETS.load(target)
    texts = loaded.render(files, loaded.options(pipelines=name))
    (exported,) = exported_pipelines(files, [name], files.files.spec.runtimes.kubernetes.tag)
    return exported, Manifests.of(texts.values())


@contextmanager
def _stage(
    project: Path,
    exported: ExportedPipeline,
    manifests: Manifests,
    run_id: str,
    tell: Tell,
    workspace: Path | None,
    *,
    dev: bool,
) -> Iterator[tuple[Stage, Volumes]]:
    """Everything that containers need, until they have ended. What the last rehearsal of the pipeline left is removed."""
    state, plan = StateFolder.of(project), exported.plan
    folder = state.rehearsals / plan.pipeline
    engine = engine_of()
    doors, found = Doors(engine), FoundConnections(plan.connections, project, state, dev=dev)
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
        stage = Stage(engine, doors, given, project, run_id, Path(lock.name), tell)
        try:
            yield stage, Volumes(folder, workspace or made(folder / "workspace"), manifests)
        finally:
            stage.clear()
            found.close()
            doors.close()


def _run_id(name: str, fired_at: str | None) -> str:
    """What a Job is called: a CronJob's ends with the minute when it was to start."""
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


def _check_tick(plan: Plan, fired_at: str, job: str) -> None:
    """Raise UsageError for a tick that the name of a Job does not stand for: one long ago counts as somebody's own number."""
    now = datetime.now(UTC)
    wanted = dates_of_start(fired_at, plan.schedule, plan.timezone, now)
    if wanted.scheduled and dates_of_start(job, plan.schedule, plan.timezone, now) != wanted:
        raise UsageError(
            f"no Job waits so long: --fired-at {fired_at}", hint="take a tick of the last 60 days"
        )


def _by_task(plan: Plan, ran: Iterable[Ran]) -> dict[str, Ran]:
    """By the names of tasks, of which containers have their own; what belongs to no task under its own."""
    names = {dns_name(task.name): task.name for task in plan.tasks}
    found = {names.get(one.name, one.name): one for one in ran if one.name != _SCRIPTS}
    for task in plan.tasks:
        step = before(task)
        first = found.pop(step.name, None) if step is not None else None
        if first is not None and first.code:  # without what it leaves the task has failed
            found[task.name] = first
    return found
