"""A process that has imported what tasks of windlass need, and forks itself for each of them. Only on Linux.

`python -m windlass.runtimes.forker MODULE…`: its stdin is a socket with the requests of `warm.py`, each a number of bytes
and so much JSON, with the files for the answer and for what the task prints. What runs is what `python -m windlass`
would run, in a process and a session of its own, with the folder, environment and exit code that it would have; only its
imports are done already. Nothing that was forked outlives this process, nor does this one whoever has started it.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import struct
import sys
import time
import traceback
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

__all__ = ["NUMBER", "READY"]

NUMBER = struct.Struct("!i")
"""How long a request is, and the exit code in an answer."""

READY = b"+"
_GRACE = 10.0
_NEVER = float("inf")
_REQUESTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_PR_SET_PDEATHSIG = 1  # man 2 prctl
_READ_THE_ENVIRONMENT = ("windlass.failpoints",)  # when they are imported


@dataclass(eq=False)
class _Task:
    """A process that was forked. Its number stays its own until it was waited for."""

    pid: int
    held: int
    """A pidfd of it."""

    answer: socket.socket
    killed_at: float = _NEVER
    """When it is killed, in `time.monotonic`."""

    def signal(self, number: int) -> None:
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:  # it has yet to begin its group
            os.kill(self.pid, number)

    def hear(self) -> bool:
        """It shall end; at once, if nobody waits for it any more. Returns whether somebody does."""
        if not self.answer.recv(1):
            self.signal(signal.SIGKILL)
            return False
        self.killed_at = min(self.killed_at, time.monotonic() + _GRACE)
        self.signal(signal.SIGTERM)
        return True

    def end(self) -> None:
        """Kill what is left of it and of its group, and tell its exit code."""
        self.signal(signal.SIGKILL)
        _, status = os.waitpid(self.pid, 0)
        os.close(self.held)
        with self.answer, suppress(OSError):  # nobody waits for it any more
            self.answer.sendall(NUMBER.pack(os.waitstatus_to_exitcode(status)))


class _Forker:
    """Forks for each request."""

    def __init__(self, requests: socket.socket) -> None:
        self._requests = requests
        self._tasks: dict[int, _Task] = {}
        self._events = selectors.DefaultSelector()
        self._events.register(requests, selectors.EVENT_READ)

    def serve(self) -> None:
        """Until nobody is there to ask."""
        while True:
            for key, _ in self._events.select(self._patience()):
                if key.fileobj is self._requests:
                    if not self._take():
                        return
                elif key.data.pid not in self._tasks:
                    continue  # it ended a moment ago
                elif key.fd == key.data.held:
                    self._forget(key.data)
                elif not key.data.hear():
                    self._events.unregister(key.data.answer)
            for task in self._tasks.values():
                if time.monotonic() >= task.killed_at:
                    task.signal(signal.SIGKILL)

    def close(self) -> None:
        """Kill what still runs."""
        for task in self._tasks.values():
            task.end()

    def _patience(self) -> float | None:
        soonest = min((task.killed_at for task in self._tasks.values()), default=_NEVER)
        return None if soonest == _NEVER else max(soonest - time.monotonic(), 0.05)

    def _take(self) -> bool:
        """Fork for a request. Returns whether there was one."""
        size, files, _, _ = socket.recv_fds(self._requests, NUMBER.size, 2, socket.MSG_CMSG_CLOEXEC)
        if len(size) < NUMBER.size:
            return False
        (length,) = NUMBER.unpack(size)
        request = json.loads(self._requests.recv(length, socket.MSG_WAITALL))
        answer, output = files
        parent = os.getpid()
        if (pid := os.fork()) == 0:
            _become(request, output, parent)
        os.close(output)
        task = self._tasks[pid] = _Task(pid, os.pidfd_open(pid), socket.socket(fileno=answer))
        self._events.register(task.held, selectors.EVENT_READ, task)
        self._events.register(task.answer, selectors.EVENT_READ, task)
        return True

    def _forget(self, task: _Task) -> None:
        del self._tasks[task.pid]
        self._events.unregister(task.held)
        with suppress(KeyError):
            self._events.unregister(task.answer)
        task.end()


def _become(request: dict[str, Any], output: int, parent: int) -> NoReturn:
    """Be what `python -m windlass` would be."""
    try:
        os.setsid()
        _die_with(parent)
        for number, name in ((1, "stdout"), (2, "stderr")):
            os.dup2(output, number)
            setattr(sys, name, os.fdopen(number, "w", buffering=1, closefd=False))
        os.close(output)
        os.chdir(request["folder"])
        os.environ.clear()
        os.environ.update(request["environment"])
        for module in sys.modules.keys() & set(_READ_THE_ENVIRONMENT):
            importlib.reload(sys.modules[module])
        sys.path[0] = request["folder"]
        sys.argv = ["windlass", *request["arguments"]]
        importlib.import_module("windlass.__main__").main()  # it ends the process
    except BaseException:  # noqa: BLE001 - as the interpreter does
        traceback.print_exc()
        sys.stderr.flush()
    os._exit(1)


def _die_with(parent: int) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it ended before
        os._exit(1)


def _learn_plans() -> None:
    """Read one, of which each task would learn anew what is in plans."""
    from windlass.plan.codec import from_json, to_json
    from windlass.plan.model import Plan

    from_json(to_json(Plan(project="", pipeline="")))


def _has_one_thread() -> bool:
    """A fork has none of the threads of its parent, but the locks that they hold."""
    return len(list(Path("/proc/self/task").iterdir())) == 1


def main(modules: Iterable[str]) -> int:
    """Import what is there of the modules, say that all is ready, and serve."""
    requests = socket.socket(fileno=os.dup(0))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for module in modules:
        with suppress(ImportError):  # a package that is not installed; who needs it says so
            importlib.import_module(module)
    _learn_plans()
    if not _has_one_thread():
        return 1
    gc.collect()
    gc.freeze()  # so that no collection of a fork copies what they share
    signal.pthread_sigmask(
        signal.SIG_BLOCK, _REQUESTS
    )  # until a fork listens; we end when nobody asks any more
    requests.sendall(READY)
    forker = _Forker(requests)
    try:
        forker.serve()
    finally:
        forker.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
