"""Runs commands as whole processes, and notes their time and memory."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import psutil

from benchmarks.cases import Case, Contender

__all__ = ["Result", "measure", "timed"]

_SLOW_ROUNDS = 2
_DEADLINE = 900.0
_SAMPLE_SECONDS = 0.05


@dataclass
class Result:
    """What one contender of a case took, round by round. `seconds` are for all rows, whatever its share."""

    case: str
    name: str
    is_limit: bool
    rows: int
    seconds: list[float] = field(default_factory=list)
    megabytes: list[float] = field(default_factory=list)
    failed: str = ""
    limit: Result | None = field(default=None, repr=False)

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def memory(self) -> float:
        return statistics.median(self.megabytes)

    @property
    def ratio(self) -> float | None:
        """To the limit: 1 is as fast."""
        if self.limit is None or not self.seconds or not self.limit.seconds:
            return None
        return self.median / self.limit.median

    def as_json(self) -> dict[str, object]:
        return {
            "case": self.case,
            "name": self.name,
            "rows": self.rows,
            "seconds": [round(value, 3) for value in self.seconds],
            "megabytes": [round(value) for value in self.megabytes],
            "failed": self.failed,
        }


def measure(
    case: Case,
    contenders: Sequence[Contender],
    rounds: int,
    *,
    before: Callable[[], None],
    say: Callable[[str], None],
) -> list[Result]:
    """Run all contenders of a case in turn, for some rounds after one that does not count."""
    results = [Result(case.name, c.name, i == 0, case.rows) for i, c in enumerate(contenders)]
    for result in results:
        result.limit = results[0]
    for number in range(rounds + 1):
        for contender, result in zip(contenders, results, strict=True):
            if result.failed or (contender.slow and not 1 <= number <= _SLOW_ROUNDS):
                continue
            before()
            if case.output is not None:
                case.output.unlink(missing_ok=True)
            seconds, megabytes, error = timed(contender.command)
            result.failed = error or _wrong_count(case, contender)
            if result.failed:
                say(f"{case.name}: {contender.name} failed: {result.failed}")
            elif number > 0:
                result.seconds.append(seconds / contender.share)
                result.megabytes.append(megabytes)
        say(f"{case.name}: round {number} of {rounds}")
    return results


def timed(command: str, deadline: float = _DEADLINE) -> tuple[float, float, str]:
    """Seconds, peak megabytes of all processes together, and what went wrong."""
    with tempfile.TemporaryFile() as errors:
        begun = time.monotonic()
        process = psutil.Popen(
            ["sh", "-c", command], stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True
        )
        watcher = _MemoryWatcher(process, begun + deadline)
        code = os.waitstatus_to_exitcode(os.waitpid(process.pid, 0)[1])
        seconds = time.monotonic() - begun
        watcher.end.set()
        watcher.join()
        errors.seek(0)
        said = errors.read().decode(errors="replace").strip()[-300:]
    return seconds, watcher.peak / 1e6, (said or "failed") if code else ""


class _MemoryWatcher(threading.Thread):
    """Notes the most bytes that a process and its children have at a time; ends it when it is too late."""

    def __init__(self, process: psutil.Popen, deadline: float) -> None:
        super().__init__(daemon=True)
        self.peak, self.end = 0, threading.Event()
        self._process, self._deadline = process, deadline
        self.start()

    def run(self) -> None:
        while not self.end.wait(_SAMPLE_SECONDS):
            with suppress(psutil.Error):  # it ended just now
                self.peak = max(self.peak, _memory(self._process))
            if time.monotonic() > self._deadline:
                os.killpg(self._process.pid, signal.SIGKILL)


def _memory(process: psutil.Popen) -> int:
    total = 0
    for member in (process, *process.children(recursive=True)):
        with suppress(psutil.Error):  # it ended just now
            total += member.memory_info().rss
    return total


def _wrong_count(case: Case, contender: Contender) -> str:
    """What is wrong with the number of rows that arrived: a fast copy that loses some is none."""
    done = subprocess.run(["sh", "-c", case.count], capture_output=True, text=True, check=False)
    expected = round(case.rows * contender.share)
    return (
        "" if done.stdout.strip() == str(expected) else f"{done.stdout.strip()} rows arrived, not {expected}"
    )
