"""What becomes of a run: written down in history and logs, and told to whoever follows it."""

from __future__ import annotations

import os
import traceback
from collections.abc import Sequence

from msgspec import Struct

from windlass import logs, tracing
from windlass.errors import DefectError, RetryableError, as_error
from windlass.runner.clock import Clock, timestamp
from windlass.runner.events import Observer, Progress
from windlass.runner.history import Attempt, History, Run, TaskRun
from windlass.runtimes.lines import TaskLog
from windlass.state_folder import RunFolder
from windlass.status import Status

__all__ = ["AttemptLog", "Journal", "masked_values"]


class Journal(Struct, frozen=True):
    """The journal of one run."""

    run: Run
    folder: RunFolder
    history: History
    observer: Observer
    clock: Clock

    def now(self) -> str:
        return timestamp(self.clock.now())

    def note(self, *records: TaskRun | Attempt) -> None:
        """Something has become of tasks and attempts. It is kept at once, and told in this order."""
        self.history.save(*records)
        for record in records:
            if isinstance(record, TaskRun):
                self.observer.task_changed(record)
            else:
                self.observer.attempt_changed(record)

    def environment(self, task: str) -> dict[str, str]:
        """What an attempt at a task finds, so that who observes the run knows what belongs to it."""
        return tracing.handed_on(os.environ) | dict(self.observer.environment(task))

    def failed(self, record: TaskRun, exc: Exception) -> None:
        """Put down in the record that a task, or what looks after it, has failed for that reason."""
        error = as_error(exc)
        if isinstance(error, DefectError):
            logs.debug("traceback", task=record.task, text="".join(traceback.format_exception(exc)))
        record.status, record.error, record.ended = Status.FAILED, logs.mask(str(error)), self.now()
        record.started = record.started or record.ended
        record.retryable, record.code = isinstance(error, RetryableError), error.code

    def progress(self, task: str, progress: Progress) -> None:
        self.observer.progress(task, progress)

    def log(self, task: str, attempt: int) -> AttemptLog:
        """The log of an attempt, which somebody has to close."""
        context: dict[str, object] = {
            "run": self.run.run_id,
            "pipeline": self.run.pipeline,
            "task": task,
            "attempt": attempt,
        }
        context |= tracing.ids_of(self.environment(task))
        return AttemptLog(TaskLog(self.folder.log(task, attempt), context), self.observer)


class AttemptLog(Struct, frozen=True):
    """The log of one attempt at a task."""

    file: TaskLog
    observer: Observer

    def keep(self, record: logs.Record) -> logs.Record:
        """Log the record for who looks later. Returns it with its secrets masked."""
        self.file.write(record)
        return masked_values(record)

    def show(self, record: logs.Record) -> logs.Record:
        """Log the record, and show it. Returns it with its secrets masked."""
        self.show_all([record])
        return masked_values(record)

    def show_all(self, records: Sequence[logs.Record]) -> None:
        """Log the records, and show them."""
        self.observer.log(self.file.write_all(records))

    def close(self) -> None:
        self.file.close()


def masked_values(record: logs.Record) -> logs.Record:
    """The record without secrets, but with its own keys: one of them may be somebody's password, too."""
    return {key: logs.masked(value) for key, value in record.items()}
