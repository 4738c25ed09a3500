"""One task run: its attempts, each with timeout and a log, and the waits between them."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Sequence
from typing import TypeGuard

from msgspec import Struct, field

from windlass import logs
from windlass.errors import Code, DefectError, ExitCode, RetryableError, as_error
from windlass.plan.model import Copy, RunCommand, Task
from windlass.processes import exit_status, how_it_ended
from windlass.runner.events import Progress
from windlass.runner.history import Attempt, TaskRun
from windlass.runner.journal import AttemptLog, Journal, masked_values
from windlass.runner.starter import Start
from windlass.runtimes import Execution
from windlass.runtimes.last_words import LastWords
from windlass.runtimes.lines import parse_line
from windlass.status import Status

__all__ = ["TaskWorker"]

# exit codes of windlass; of another command they mean anything
_STOPPED = (ExitCode.HUNG_UP, ExitCode.INTERRUPTED, ExitCode.TERMINATED)


class TaskWorker(Struct):
    """Runs one task to its end. `run` is called in a thread of its own, `stop` from another."""

    task: Task
    record: TaskRun
    start: Start
    journal: Journal
    _loads: list[str] = field(default_factory=list)
    """What the ledger calls the attempts of a copy."""

    _was_cut_short: bool = False
    _stop: threading.Event = field(default_factory=threading.Event)
    _because: str | None = None
    """Why it was stopped, if that is a failure."""

    _execution: Execution | None = None
    _result: logs.Record = field(default_factory=dict)
    _failure: logs.Record = field(default_factory=dict)
    _last_words: LastWords = field(default_factory=LastWords)

    def run(self) -> TaskRun:
        """Try until the task succeeds, or may not be tried again. Never raises for what the task does."""
        record = self.record
        record.started, record.ended = self.journal.now(), None
        tries_left = self.task.retry.retries + 1
        attempt: Attempt | None = None
        while tries_left > 0 and not self._stop.is_set():
            tries_left -= 1
            record.attempts += 1
            attempt = self._attempt(record.attempts, is_last=tries_left == 0)
            record.status, record.error = attempt.status, attempt.error
            if attempt.status != Status.FAILED or not self._may_try_again(attempt) or tries_left == 0:
                break
            self._wait(attempt)
            attempt = None
        if self._stop.is_set() and record.status != Status.SUCCESS:
            self._note_stop()
        record.ended = self.journal.now()
        self.journal.note(*([attempt] if attempt is not None else []), record)
        return record

    def stop(self, because: str | None = None) -> None:
        """Let the attempt end, and have no other. With a reason the task has failed for that."""
        self._because = self._because or because
        self._stop.set()
        if self._execution is not None:
            self._execution.stop()

    def _note_stop(self) -> None:
        self.record.status = Status.CANCELLED
        if self._because is not None:
            self.record.status, self.record.error = Status.FAILED, self._because
            self.record.code, self.record.retryable = Code.TIMED_OUT, True

    def _may_try_again(self, attempt: Attempt) -> bool:
        """Whether another try makes sense. Of a command that ran nobody knows, so the pipeline decides."""
        ran = isinstance(self.task.action, RunCommand) and attempt.exit_code is not None
        return self.record.retryable or (ran and self._failure.get("retryable") is not False)

    def _wait(self, attempt: Attempt) -> None:
        delay = self.task.retry.delay_after(attempt.number)
        self.record.status = Status.UP_FOR_RETRY
        self.journal.note(attempt, self.record)
        logs.warning(
            "retry", task=self.task.name, attempt=attempt.number, seconds=delay, because=self.record.error
        )
        self.journal.clock.wait(self._stop, delay)

    def _attempt(self, number: int, *, is_last: bool) -> Attempt:
        """Try once. That it has ended is for the caller to note."""
        attempt = Attempt(self.record.run_id, self.task.name, number, started=self.journal.now())
        self.record.status, self.record.error, self.record.code = Status.RUNNING, None, None
        self.journal.note(self.record, attempt)
        log = self.journal.log(self.task.name, number)
        try:
            code = self._execute(self._started(number), log)
            attempt.exit_code, attempt.error = exit_status(code), self._error(code)
            if is_last and self._was_cut_short and self._loads and not self._stop.is_set():
                self._settle(attempt, log)
            attempt.status = Status.SUCCESS if attempt.exit_code == 0 else Status.FAILED
        except Exception as exc:  # noqa: BLE001 - whatever it is, the task has failed, and its log says why
            error = as_error(exc)
            attempt.status, attempt.error = Status.FAILED, logs.mask(str(error))
            self.record.retryable, self.record.code = isinstance(error, RetryableError), error.code
            if isinstance(error, DefectError):
                text = "".join(traceback.format_exception(exc))
                log.show({"level": "debug", "event": "traceback", "text": text})
            log.show({"level": "error", "event": "failed", "error": str(error), "code": error.code})
        finally:
            log.close()
        if self._stop.is_set() and attempt.status == Status.FAILED:
            attempt.status = Status.CANCELLED if self._because is None else Status.FAILED
            attempt.error = self._because or "stopped with its run"
        attempt.ended = self.journal.now()
        return attempt

    def _started(self, number: int) -> Execution:
        """Start an attempt; one of a copy with an id that its entry in the ledger will have."""
        if not isinstance(self.task.action, Copy):
            return self.start(number)
        import uuid  # which looks for what the platform is, and only copies have loads

        self._loads.append(str(uuid.uuid4()))
        return self.start(number, load=self._loads[-1])

    def _settle(self, attempt: Attempt, log: AttemptLog) -> None:
        """Ask the ledger what a copy came to that could not tell any more, and must not be tried again."""
        error, retryable = attempt.error, self.record.retryable
        asked = self.start(attempt.number, options=("--settle", ",".join(self._loads)))
        code = self._execute(asked, log)
        if code == 0:
            logs.info("settled", task=self.task.name, committed=True, because=error)
            attempt.exit_code, attempt.error, self.record.code = 0, None, None
            return
        attempt.error = f"{error}; the ledger, when asked: {self._error(code)}"
        self.record.retryable = retryable

    def _execute(self, execution: Execution, log: AttemptLog) -> int:
        """Follow what was started to its end. Returns its exit code."""
        self._result, self._failure, self._was_cut_short = {}, {}, False
        self._last_words = LastWords()
        self._execution = execution
        if self._stop.is_set():
            execution.stop()
        timed_out = threading.Event()

        def give_up() -> None:
            timed_out.set()
            execution.stop()

        timeout = self.task.timeout
        cancel = self.journal.clock.call_later(timeout, give_up) if timeout is not None else lambda: None
        try:
            for lines in execution.output():
                self._take(lines, log)
            code = execution.wait()
        except BaseException:
            execution.stop()  # nobody follows it any more
            execution.wait()
            raise
        finally:
            cancel()
            self._execution = None
        if timed_out.is_set():
            message = f"timed out after {self.task.timeout:g} s"
            failure: logs.Record = {"error": message, "code": Code.TIMED_OUT, "retryable": True}
            self._failure, self._was_cut_short = failure, True
            log.show({"level": "error", "event": "failed", **failure})
            return code or ExitCode.FAILED
        self._note_result()
        return code

    def _take(self, lines: Sequence[str], log: AttemptLog) -> None:
        shown: list[logs.Record] = []
        for record in map(parse_line, lines):
            if record["event"] == "progress":
                self.journal.progress(self.task.name, _progress(record))
            elif record["event"] == "result":
                log.show_all(shown)
                shown = []
                self._result = log.keep(record)  # for who looks later; the display has the numbers anyway
            else:
                shown.append(record)
                if record["event"] == "failed":
                    self._failure = masked_values(record)
        self._last_words.hear(shown)
        log.show_all(shown)

    def _note_result(self) -> None:
        for name in ("rows_read", "rows_written", "rows_quarantined", "bytes"):
            value = self._result.get(name)
            setattr(self.record, name, value if _is_number(value) else None)
        path, detail = self._result.get("path"), self._result.get("detail") or self._failure.get("detail")
        self.record.path = str(path) if path is not None else None
        self.record.detail = detail if isinstance(detail, dict) else {}

    def _error(self, code: int) -> str | None:
        """What went wrong, in a line or more; also notes whether another try makes sense."""
        self.record.code = None
        if code == 0:
            return None
        was_stopped = code < 0 or (code in _STOPPED and not isinstance(self.task.action, RunCommand))
        self._was_cut_short = self._was_cut_short or was_stopped
        may_work_later = code == ExitCode.RETRYABLE or was_stopped
        self.record.retryable = bool(self._failure.get("retryable", may_work_later))
        if "error" in self._failure:
            told = self._failure.get("code")
            self.record.code = told if isinstance(told, str) else None
            return str(self._failure["error"])
        self.record.code = Code.COMMAND_FAILED if code > 0 else Code.KILLED
        return f"{how_it_ended(code)}{self._last_words.after(code)}"


def _is_number(value: object) -> TypeGuard[int]:
    """Whether it is a number that SQLite can keep."""
    return isinstance(value, int) and abs(value) < 1 << 63


def _progress(record: logs.Record) -> Progress:
    total = record.get("total")
    said = logs.mask(str(record.get("message") or ""))
    return Progress(_int(record.get("rows")), _int(record.get("bytes")), _int(total) if total else None, said)


def _int(value: object) -> int:
    return value if _is_number(value) else 0
