"""Tasks as processes on the worker."""

from __future__ import annotations

import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from airflow.sdk import BaseOperator

from .bundle import Json, packed
from .connections import connection_environment
from .each import mapped_each
from .lines import Listener, finished
from .names import AirflowFailException
from .parts import LISTS, mapped
from .run import run_environment
from .telling import telling

__all__ = ["make"]

_GRACE = 20.0  # seconds that a task has to leave nothing behind
_POLL = 0.1


class WindlassOperator(BaseOperator):
    """Starts `windlass exec` for one task, in a process group of its own, and follows it to its end."""

    job: Json
    options: Sequence[str] = ()
    _process: subprocess.Popen[bytes] | None = None
    _last_words: bytes = b""

    def execute(self, context: Any) -> Any:
        command = self._command()
        environment = {**_inherited(), **run_environment(self.job, context), **self._own_environment()}
        environment |= connection_environment(self.job["connections"])
        self.log.info("starting %s", subprocess.list2cmdline(command))
        listener = Listener(self.log)
        code = self._follow(command, environment, listener)
        return finished(self, listener, code, context)

    def on_kill(self) -> None:
        """End the group: politely, so that it leaves nothing behind, then not.

        Once it was waited for, its number may be a stranger's; what its commands left ends by their launchers.
        """
        if self._process is None or self._process.poll() is not None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        if not self._ends_in(self._process, _GRACE):
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def _ends_in(self, process: subprocess.Popen[bytes], seconds: float) -> bool:
        """Whether the process ends in this time, while what it prints is read.

        Airflow asks in a signal's handler: the thread that reads, or waits, is the one that is here, and holds the
        locks for both. Who prints into a full pipe would not end.
        """
        assert process.stdout is not None
        output, deadline = process.stdout.fileno(), time.monotonic() + seconds
        while not _has_ended(process):
            if time.monotonic() >= deadline:
                return False
            if not select.select([output], [], [], _POLL)[0]:
                continue
            if not (said := os.read(output, 1 << 16)):
                time.sleep(_POLL)
            self._last_words += said
        return True

    def _command(self) -> list[str]:
        job, runtime = self.job, self.job["runtime"]
        command = [*runtime["command"], "-C", str(self._project()), "exec", job["pipeline"], job["task"]]
        too_long = ("--plan", job["file"]) if job["unit"]["digest"] else ()
        return [*command, *too_long, *self.options]

    def _project(self) -> Path:
        return Path(os.path.normpath(Path(self.job["file"]).parent / self.job["runtime"]["project"]))

    def _own_environment(self) -> dict[str, str]:
        workspace = self.job["runtime"].get("workspace") or str(self._project())
        return {"WINDLASS_WORKSPACE": workspace, "WINDLASS_PLAN": packed(*self.job["plan"])}

    def _follow(self, command: list[str], environment: dict[str, str], listener: Listener) -> int:
        self._process = _start(command, environment)
        assert self._process.stdout is not None
        for line in self._process.stdout:
            listener.take(line.decode(errors="replace").rstrip())
        for line in self._last_words.splitlines():
            listener.take(line.decode(errors="replace").rstrip())
        return self._process.wait()


def _start(command: list[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_end_with_parent(),  # noqa: PLW1509 - it only calls prctl
        )
    except FileNotFoundError:
        raise AirflowFailException(
            f"{command[0]!r} is not on this worker: install windlass there, or export for docker or kubernetes"
        ) from None


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether it has; whoever waits for it still can."""
    if sys.platform != "linux":
        return process.poll() is not None
    try:
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def _end_with_parent() -> Callable[[], None] | None:
    """Has the kernel ask a child to end when this process is killed: its retry must not find it at work."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def _inherited() -> dict[str, str]:
    """The worker's environment without what is Airflow's: its keys, and connections that the task does not name."""
    return {
        k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW_", "_AIRFLOW_", "WINDLASS_CONN_"))
    }


_OPTIONS = {"start": ("--start",), "stop": ("--stop",), **LISTS}


def make(role: str, job: Json, common: Json) -> Any:
    if role == "part":
        return mapped(WindlassOperator, job, common)
    if role == "each":
        return mapped_each(WindlassOperator, job, common)
    operator = telling(WindlassOperator, common) if role == "tell" else WindlassOperator(**common)
    operator.options = _OPTIONS.get(role, ())
    return operator
