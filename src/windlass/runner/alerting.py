"""Who is told what became of a run, and what.

One message an incident: however often a task was tried, and whatever failed only because of it. A connection that the
pipeline names is not told once more for a task. What cannot be delivered is tried again here, and then at the end of the
pipeline's next runs; it never changes what became of the run.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TypeAlias
from urllib.parse import quote

from msgspec import Struct, field

from windlass import logs, registry
from windlass.alerts import Event, Message, Told
from windlass.errors import Code, RetryableError, WindlassError, as_error
from windlass.plan.model import Plan, Task
from windlass.runner.clock import Clock, timestamp
from windlass.runner.history import AlertRecord, History, Run, TaskRun
from windlass.state_folder import RunFolder
from windlass.status import Status

__all__ = ["Alerting", "Deliver"]

Deliver: TypeAlias = Callable[[str, Message], None]
"""Tell the connection of that name. Raises WindlassError."""

_TRIES_AT_ONCE = 3
_FIRST_WAIT = 1.0  # seconds; each further one is twice as long
_MOST_TRIES = 12
_BAD_ROWS, _LONGEST_ROW = 3, 300
_LONGEST_ERROR = 1_500


class Alerting(Struct, frozen=True):
    """Tells what became of the runs of a plan."""

    plan: Plan
    history: History
    clock: Clock
    deliver: Deliver
    stopped: threading.Event = field(default_factory=threading.Event)

    def run_ended(
        self, run: Run, tasks: Mapping[str, TaskRun], folder: RunFolder, *, whole: bool
    ) -> list[AlertRecord]:
        """Tell whom it concerns. Returns what was told of this run, or was to be. `whole` is whether no task was left out."""
        records: list[AlertRecord] = []
        try:
            self._send_earlier(run.run_id)
            for connection, message in self._messages(_Ended(self.plan, run, tasks, folder), whole=whole):
                records.append(self._record(connection, message))
                self._send(records[-1], tries=_TRIES_AT_ONCE)
        except WindlassError as exc:  # of the history: what became of the run is known already
            logs.error("alert_not_sent", because=exc.message)
        return records

    def missed(self, last: Run | None, text: str) -> list[AlertRecord]:
        """Tell that there was no success in time since the last one; once, until there is one. Returns what was told."""
        self._send_earlier("")
        if any(record.event == "missed" for record in self.history.open_alerts(self.plan.pipeline)):
            return []
        message = Message(
            event="missed",
            project=self.plan.project,
            pipeline=self.plan.pipeline,
            run_id=last.run_id if last else "",
            logical_date=last.logical_date if last else "",
            text=text,
        )
        records = [self._record(connection, message) for connection in self.plan.on_missed]
        for record in records:
            self._send(record, tries=_TRIES_AT_ONCE)
        return records

    # --- what there is to tell ---

    def _messages(self, told: _Ended, *, whole: bool) -> Iterator[tuple[str, Message]]:
        plan, covered = self.plan, set[tuple[str, str]]()
        if told.run.status == Status.FAILED:
            pipeline = self._failed(plan, told.of_run("failure"))
        elif told.run.status == Status.SUCCESS:
            pipeline = self._succeeded(plan, told.of_run("success"), whole=whole)
        else:
            pipeline = iter(())
        for connection, message in pipeline:
            covered.add((connection, message.event))
            yield connection, message
        for task in plan.tasks:
            for connection, message in self._of_task(task, told):
                if (connection, message.event) not in covered:
                    yield connection, message

    def _of_task(self, task: Task, told: _Ended) -> Iterator[tuple[str, Message]]:
        status = told.tasks[task.name].status
        if status == Status.FAILED:
            yield from self._failed(task, told.of_task(task.name, "failure"))
        elif status == Status.SUCCESS and (task.on_success or task.on_failure):
            yield from self._succeeded(task, told.of_task(task.name, "success"), whole=True)

    def _failed(self, who: Plan | Task, message: Message) -> Iterator[tuple[str, Message]]:
        yield from ((connection, message) for connection in who.on_failure)

    def _succeeded(self, who: Plan | Task, message: Message, *, whole: bool) -> Iterator[tuple[str, Message]]:
        """Of the first success after a failure that was told: that it is over. Of every success, where that is wanted."""
        trouble = self.history.open_alerts(message.subject)
        if trouble and (whole or self._is_over(trouble, message)):
            self.history.close_alerts(message.subject, timestamp(self.clock.now()))
            told = [record for record in trouble if record.sent]
            since = next((record.run_id for record in told if record.event == "failure"), "")
            if told:
                over = Message(**{**vars(message), "event": "recovery", "since": since})
                yield from ((connection, over) for connection in self._told_of_recovery(who, trouble))
        yield from ((connection, message) for connection in who.on_success)

    def _is_over(self, trouble: list[AlertRecord], message: Message) -> bool:
        """Whether a run of some of the tasks has done what had failed."""
        failed = {told["task"] for record in trouble for told in record.message.get("told", ())}
        return failed <= {told.task for told in message.told}

    def _told_of_recovery(self, who: Plan | Task, trouble: list[AlertRecord]) -> list[str]:
        """Who wants to know, and where what was told stays open until that is told, too."""
        known = self.plan.connections
        opened = [
            record.connection
            for record in trouble
            if record.sent
            and record.connection in known
            and registry.require(known[record.connection].type).alert_is_open
        ]
        return list(dict.fromkeys((*who.on_recovery, *opened)))

    # --- telling it ---

    def _send_earlier(self, run_id: str) -> None:
        """Once more what earlier runs could not tell; a connection that does not work is not tried again and again."""
        broken: set[str] = set()
        for record in self.history.unsent_alerts(self.plan.pipeline, _MOST_TRIES):
            fits = record.run_id != run_id and record.connection in self.plan.connections
            fits = fits and record.code != Code.NOT_CONFIGURED  # nobody is there to be told later
            if fits and record.connection not in broken and self.history.claim_alert(record):
                self._send(record, tries=1)
                if record.sent is None:
                    broken.add(record.connection)

    def _record(self, connection: str, message: Message) -> AlertRecord:
        """Written down before it is sent: what breaks off here is sent by the next run."""
        record = AlertRecord(
            run_id=message.run_id,
            subject=message.subject,
            connection=connection,
            event=message.event,
            pipeline=self.plan.pipeline,
            created=timestamp(self.clock.now()),
            message=message.masked().as_dict(),
        )
        self._save(record)
        return record

    def _send(self, record: AlertRecord, *, tries: int) -> None:
        """Try to deliver it. What goes wrong is noted and logged, and changes nothing else."""
        for number in range(1, tries + 1):
            record.attempts += number > 1 or record.attempts == 0
            error = self._tried(record)
            if error is None:
                record.sent, record.error, record.code = timestamp(self.clock.now()), None, None
                logs.info("alert_sent", connection=record.connection, about=record.subject)
                break
            record.error, record.code = logs.mask(error.message), error.code
            if not _may_be_sent_now(error) or number == tries:
                logs.error("alert_not_sent", connection=record.connection, because=record.error)
                break
            self.clock.wait(self.stopped, _FIRST_WAIT * 2 ** (number - 1))
        self._save(record)

    def _tried(self, record: AlertRecord) -> WindlassError | None:
        try:
            self.deliver(record.connection, Message.from_dict(record.message))
        except Exception as exc:  # noqa: BLE001 - a connector of another package may raise anything
            return as_error(exc)
        return None

    def _save(self, record: AlertRecord) -> None:
        with suppress(WindlassError):  # the disk may be what the run failed of, and is told
            self.history.save(record)


def _may_be_sent_now(error: WindlassError) -> bool:
    """Whether another try makes sense before the next run: not where a server says to come later than a message waits."""
    return isinstance(error, RetryableError) and error.wait is None


class _Ended(Struct, frozen=True):
    """A run that has ended, and the messages about it."""

    plan: Plan
    run: Run
    tasks: Mapping[str, TaskRun]
    folder: RunFolder

    def of_run(self, event: Event) -> Message:
        wanted = Status.FAILED if event == "failure" else Status.SUCCESS
        found = [task for task in self.tasks.values() if task.status == wanted]
        if not found and event == "failure":  # the run was out of time before a task could begin
            found = [task for task in self.tasks.values() if task.status == Status.CANCELLED][:1]
        told = [self._told(task) for task in found]
        changed = [
            Told(task.task, task.columns_changed) for task in self.tasks.values() if task.columns_changed
        ]
        return self._message(event, None, (*told, *changed) if event == "failure" else tuple(told))

    def of_task(self, name: str, event: Event) -> Message:
        return self._message(event, name, (self._told(self.tasks[name]),))

    def _message(self, event: Event, task: str | None, told: tuple[Told, ...]) -> Message:
        return Message(
            event=event,
            project=self.plan.project,
            pipeline=self.plan.pipeline,
            task=task,
            run_id=self.run.run_id,
            logical_date=self.run.logical_date,
            told=told,
            link=_link(self.folder.report),
        )

    def _told(self, task: TaskRun) -> Told:
        if task.status == Status.SUCCESS:
            return Told(task.task, _numbers(task))
        error = task.error or ""
        short = error if len(error) <= _LONGEST_ERROR else f"{error[:_LONGEST_ERROR]}…"
        return Told(task.task, short, tuple(_bad_rows(self.folder.quarantine(task.task), task)))


def _link(report: Path) -> str:
    """Where people find the report of a run: at the address of the folder of all runs, if that is served, else its path."""
    served = os.environ.get("WINDLASS_RUNS_URL", "").rstrip("/")
    return f"{served}/{quote(report.parent.name)}/{report.name}" if served else str(report)


def _numbers(task: TaskRun) -> str:
    words = {"rows_written": "rows written", "rows_quarantined": "rows quarantined"}
    said = [f"{getattr(task, name):,} {word}" for name, word in words.items() if getattr(task, name)]
    return ", ".join([*said, task.columns_changed] if task.columns_changed else said) or "done"


def _bad_rows(file: Path, task: TaskRun) -> Iterator[str]:
    """The first rows in quarantine, each with what is wrong with it."""
    rows = list(task.detail.get("bad_rows", ()))[:_BAD_ROWS]
    if not rows:
        from windlass.engine.quarantine import read_quarantine  # most runs have nothing to tell

        with suppress(OSError, ValueError):
            rows = list(islice(read_quarantine(file), _BAD_ROWS))
    for row in rows:
        line = f":{row['line']}" if row.get("line") else ""
        yield f"{row.get('source') or ''}{line}: {row.get('message') or ''}"[:_LONGEST_ROW]
