"""Services of a scheduler: one process starts them, another stops them, and neither stays.

What stays is a supervisor, forked off by the process that starts the service. It holds the lock that says
that the service is wanted, and writes down what it prints; SIGTERM to it is the order to stop. It ends by
itself when the starting process does not live to say that the service is ready.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from windlass import logs
from windlass.errors import FatalError, as_error
from windlass.files import write_file
from windlass.locks import has_owner, has_users, locked, take
from windlass.plan.model import Task, Unit
from windlass.ports import LOOPBACK
from windlass.processes import Identity, identity_of, signal_process
from windlass.processes.launcher import on_request
from windlass.runner.network import Endpoint, Loopback
from windlass.runner.server import Server
from windlass.runtimes import Execution
from windlass.runtimes.lines import TaskLog
from windlass.state_folder import RunFolder
from windlass.tasks.command import environment_of
from windlass.tasks.context import Context, TaskResult

__all__ = ["start_detached", "stop_detached"]

_POLL = 0.5
_TAIL = 20  # lines of a service that did not start
_READY = b"+"


@dataclass(frozen=True)
class _Place:
    """The files of one service of one run."""

    folder: RunFolder
    task: str

    @property
    def wanted(self) -> Path:
        """Locked by the supervisor: exclusively, where a launcher that ends its command shares it."""
        return self._file("wanted")

    @property
    def turn(self) -> Path:
        """Locked by whoever starts or stops the service."""
        return self._file("turn")

    @property
    def supervisor(self) -> Path:
        """Which process it is."""
        return self._file("pid")

    @property
    def log(self) -> Path:
        return self.folder.log(self.task, 1)

    def _file(self, ending: str) -> Path:
        return self.folder.path / "services" / f"{self.task}.{ending}"


def start_detached(task: Task, context: Context) -> TaskResult:
    """Start the service of a run and wait until it is ready; an earlier one of the same run is stopped.

    Raises WindlassError, and then it does not run.
    """
    assert task.unit is not None
    place, unit = _Place(context.folder, task.name), context.rendered(task.unit)
    with locked(place.turn) as turn:
        _stop(place)
        supervisor = _Supervisor(place, task, unit, context)
        ours, theirs = socket.socketpair()
        child = os.fork()
        if child == 0:
            ours.close()
            turn.close()  # else it would keep others from starting or stopping
            supervisor.run(theirs)
        theirs.close()
        try:
            return TaskResult(path="service", detail=_answer(ours, place, context))
        except BaseException:
            os.kill(child, signal.SIGTERM)
            os.waitpid(child, 0)
            raise


def stop_detached(task: str, context: Context) -> TaskResult:
    """Stop the service of a run, and wait until all of it has ended. That there is none is fine."""
    place = _Place(context.folder, task)
    with locked(place.turn):
        was_up = _stop(place)
    return TaskResult(path="service", detail={"was_up": was_up})


def _answer(supervisor: socket.socket, place: _Place, context: Context) -> dict[str, object]:
    """What the supervisor says once the service is ready. Raises FatalError when it never is."""
    with supervisor.makefile("r", encoding="utf-8") as lines:
        answer = json.loads(lines.readline() or "{}")
    if "address" not in answer:
        for line in _tail(place.log):
            context.output(line)
        raise FatalError(str(answer.get("error", "the process that looks after the service has ended")))
    supervisor.sendall(_READY)
    return {"address": answer["address"], "log": str(place.log)}


def _tail(log: Path) -> list[str]:
    return log.read_text(encoding="utf-8").splitlines()[-_TAIL:] if log.exists() else []


def _stop(place: _Place) -> bool:
    """End the service and wait for it. Returns whether it was up."""
    if not place.wanted.exists():
        return False
    was_up = has_users(place.wanted)
    if has_owner(place.wanted):  # so it is not only a launcher that is ending the command
        _order_to_stop(place)
    take(place.wanted).close()
    place.supervisor.unlink(missing_ok=True)
    return was_up


def _order_to_stop(place: _Place) -> None:
    with suppress(FileNotFoundError):
        if (supervisor := Identity.parse(place.supervisor.read_text())) is not None:
            signal_process(supervisor, signal.SIGTERM)


class _Supervisor:
    """The process that stays as long as the service is wanted."""

    def __init__(self, place: _Place, task: Task, unit: Unit, context: Context) -> None:
        self._place, self._unit = place, unit
        self._runtime = context.runtimes(place.wanted)
        published = self._runtime.publish(task.name, unit)
        self._endpoint = (
            Loopback().endpoint(task.name, unit)
            if published is None
            else Endpoint(LOOPBACK, published, is_published=True)
        )
        self._environment = environment_of(task, unit, self._runtime, context)
        self._log = TaskLog(place.log, {"run": context.run_id, "task": place.task})
        self._server = Server(unit, self._endpoint, Loopback(), self._log.write_all)
        self._stopping = threading.Event()

    def run(self, starter: socket.socket) -> NoReturn:
        """Serve until told to stop, then end this process."""
        try:
            self._stand_alone()
            with locked(self._place.wanted):
                write_file(self._place.supervisor, str(identity_of(os.getpid())))
                self._serve(starter)
        except BaseException as exc:  # noqa: BLE001 - nobody is there to catch it
            self._log.write({"level": "error", "event": "failed", "error": repr(exc)})
        finally:
            os._exit(0)

    def _stand_alone(self) -> None:
        """Leave the session and the output of the process that was forked."""
        os.setsid()
        on_request((signal.SIGTERM, signal.SIGINT, signal.SIGHUP), self._stopping.set)
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in range(3):
            os.dup2(nothing, stream)
        logs.emit_to(self._note)

    def _note(self, record: logs.Record) -> None:
        self._log.write(record)

    def _serve(self, starter: socket.socket) -> None:
        threading.Thread(target=self._start, args=(starter,), daemon=True).start()
        if self._is_wanted(starter):
            self._stopping.wait()
        self._server.stop()

    def _start(self, starter: socket.socket) -> None:
        answer: dict[str, object]
        try:
            self._server.start(self._started)
            answer = {"address": self._endpoint.names()}
        except Exception as exc:  # noqa: BLE001 - whatever it is, the process that waits is told
            answer = {"error": logs.mask(str(as_error(exc)))}
        with suppress(OSError):
            starter.sendall(f"{json.dumps(answer)}\n".encode())
        self._server.wait()
        self._stopping.set()

    def _started(self) -> Execution:
        self._runtime.prepare(self._unit)
        return self._runtime.start(
            self._unit, self._environment, task=self._place.task, port=self._endpoint.port
        )

    def _is_wanted(self, starter: socket.socket) -> bool:
        """Whether the starting process lives until the service is ready."""
        starter.settimeout(_POLL)
        while not self._stopping.is_set():
            with suppress(TimeoutError):
                return starter.recv(1) == _READY
        return False
