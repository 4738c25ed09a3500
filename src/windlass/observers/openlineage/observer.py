"""An event when a run or a task begins, and when it has ended: START, then COMPLETE, FAIL or ABORT.

A pipeline is a job, and so is each of its tasks: `PIPELINE` and `PIPELINE.TASK`, in the namespace of the project or the one
that OPENLINEAGE_NAMESPACE names. Runs have to have a UUID there: it is made of our own id, so that a task that a
scheduler starts names the same parent as all others of its run.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from datetime import datetime

from openlineage.client import event_v2 as events
from openlineage.client.facet_v2 import JobFacet, parent_run

from windlass import __version__
from windlass.errors import WindlassError
from windlass.observers.openlineage.facets import inputs_of, job_facets, outputs_of, run_facets
from windlass.observers.openlineage.naming import Names
from windlass.observers.openlineage.sending import Sender
from windlass.observers.telling import Around
from windlass.plan.model import Action, Plan
from windlass.runner.events import SilentObserver
from windlass.runner.history import Run, TaskRun, now
from windlass.status import Status
from windlass.tasks.context import render_strings
from windlass.templates import variables

__all__ = ["LineageObserver"]

_PRODUCER = f"https://pypi.org/project/windlass/{__version__}"
_IDS = uuid.uuid5(uuid.NAMESPACE_URL, "windlass:runs")
_ENDS = {Status.SUCCESS: events.RunState.COMPLETE, Status.CANCELLED: events.RunState.ABORT}


class LineageObserver(SilentObserver):
    """Tells of one run. Implements `observers.telling.Closable`."""

    def __init__(self, sender: Sender, around: Around) -> None:
        self._sender, self._around = sender, around
        self._started: dict[str, str] = {}
        """The UUID of each task that runs."""

    def run_started(self, run: Run, plan: Plan) -> None:
        self.run_joined(run, plan)
        self._is_ours = True
        self._tell_of_run(events.RunState.START, run, None)

    def run_joined(self, run: Run, plan: Plan) -> None:
        self._run, self._plan, self._is_ours = run, plan, False
        self._namespace = os.environ.get("OPENLINEAGE_NAMESPACE") or plan.project
        self._names = Names(plan.connections, self._around.project, self._around.workspace)

    def tasks_made(self, plan: Plan) -> None:
        self._plan = plan

    def task_changed(self, task: TaskRun) -> None:
        if self._plan.task(task.task).each is not None:
            return  # it stands for others, which have inputs and outputs of their own
        if task.status == Status.RUNNING and task.task not in self._started:
            self._started[task.task] = _uuid(task.run_id, task.task, str(task.attempts))
            self._tell_of_task(events.RunState.START, task)
        elif task.status.is_over and task.task in self._started:
            self._tell_of_task(_ENDS.get(task.status, events.RunState.FAIL), task)
            del self._started[task.task]

    def run_ended(self, run: Run, tasks: list[TaskRun]) -> None:
        failed = [f"{task.task}: {task.error}" for task in tasks if task.status == Status.FAILED]
        self._tell_of_run(_ENDS.get(run.status, events.RunState.FAIL), run, "; ".join(failed) or None)

    def close(self) -> None:
        self._sender.close()

    # --- events ---

    def _tell_of_run(self, state: events.RunState, run: Run, error: str | None) -> None:
        facets = run_facets(run, error)
        if (parent := _outer()) is not None:
            facets["parent"] = parent
        self._sender.send(
            events.RunEvent(
                eventType=state,
                eventTime=_time(run.ended if state != events.RunState.START else run.started),
                producer=_PRODUCER,
                run=events.Run(_uuid(run.run_id), facets),
                job=self._job(run.pipeline, job_facets(self._plan, "PIPELINE", self._plan.description)),
            )
        )

    def _tell_of_task(self, state: events.RunState, task: TaskRun) -> None:
        planned = self._plan.task(task.task)
        action = self._rendered(planned.action, planned.paths)
        inputs, outputs = self._names.read(action), self._names.written(action)
        facets = run_facets(self._run, task.error if state == events.RunState.FAIL else None)
        facets["parent"] = self._parent()
        name = f"{self._plan.pipeline}.{task.task}"
        self._sender.send(
            events.RunEvent(
                eventType=state,
                eventTime=_time(task.started if state == events.RunState.START else task.ended),
                producer=_PRODUCER,
                run=events.Run(self._started[task.task], facets),
                job=self._job(name, job_facets(self._plan, task.kind.upper(), planned.description, action)),
                inputs=inputs_of(inputs, task),
                outputs=outputs_of(outputs, inputs, action, task),
            )
        )

    def _job(self, name: str, facets: Mapping[str, JobFacet]) -> events.Job:
        return events.Job(self._namespace, name, dict(facets))

    def _parent(self) -> parent_run.ParentRunFacet:
        """That of a task: the run; where a scheduler started the run, it may have said who that is."""
        outer = None if self._is_ours else _outer()
        return outer or parent_run.ParentRunFacet(
            parent_run.Run(_uuid(self._run.run_id)), parent_run.Job(self._namespace, self._run.pipeline)
        )

    def _rendered(self, action: Action, paths: Mapping[str, str]) -> Action:
        """The action with what the run knows filled in; as it is where that is not known here."""
        run = self._run
        start, end = map(datetime.fromisoformat, (run.interval_start, run.interval_end))
        try:
            known = variables(
                run_id=run.run_id,
                logical_date=datetime.fromisoformat(run.logical_date),
                interval=(start, end),
                params=self._plan.params,
                services={},
                paths=paths,
            )
            return render_strings(action, known)
        except WindlassError:  # what only the task knows, such as where a service is
            return action


def _outer() -> parent_run.ParentRunFacet | None:
    """Who started us, as OPENLINEAGE_PARENT_ID has it: `namespace/job/run`."""
    parts = os.environ.get("OPENLINEAGE_PARENT_ID", "").rsplit("/", 2)
    if len(parts) != 3:
        return None
    namespace, job, run = parts
    return parent_run.ParentRunFacet(parent_run.Run(run), parent_run.Job(namespace, job))


def _uuid(*parts: str) -> str:
    return str(uuid.uuid5(_IDS, "/".join(parts)))


def _time(moment: str | None) -> str:
    return moment or now()
