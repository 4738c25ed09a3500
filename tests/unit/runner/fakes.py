"""A world without processes, sockets and waiting, in which the real runner runs.

Tasks do what a test says (`Does`), time passes only where somebody waits for it, and work is done one piece
after the other, in the order in which the runner asked for it: whatever happens happens again.
"""

from __future__ import annotations

import heapq
import queue
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from windlass.alerts import Message
from windlass.errors import FatalError
from windlass.plan import model
from windlass.plan.model import Plan, Task, Trigger, Unit
from windlass.runner import Result, Runner, RunOptions, World
from windlass.runner.history import History, Run
from windlass.runner.loop import Event
from windlass.runner.network import Endpoint
from windlass.runtimes import Execution
from windlass.state_folder import StateFolder
from windlass.workspace import Workspace

__all__ = [
    "START",
    "Does",
    "FakeClock",
    "FakeNetwork",
    "FakeRuntime",
    "FakeWorld",
    "OneByOne",
    "plan_of",
    "service",
    "task",
]

START = datetime(2025, 3, 1, 12, 30, tzinfo=UTC)
_STOPPED = -signal.SIGTERM
_DEADLINE = 30.0


# --- plans ----------------------------------------------------------------------------------------


def task(name: str, needs: Sequence[str] = (), **fields: object) -> Task:
    """A task whose command is its own name."""
    given = {"action": model.RunCommand(), "unit": Unit(command=(name,)), **fields}
    return Task(name=name, needs=tuple(needs), **given)  # type: ignore[arg-type]


def service(name: str, **fields: object) -> Task:
    return task(name, action=model.Service(), unit=Unit(command=(name,), **fields))  # type: ignore[arg-type]


def plan_of(*tasks: Task, **fields: object) -> Plan:
    return Plan(project="test", pipeline="p", tasks=tasks, **fields)  # type: ignore[arg-type]


# --- time -----------------------------------------------------------------------------------------


class FakeClock:
    """Stands still, except where somebody waits. Implements `Clock`."""

    def __init__(self) -> None:
        self._now = START
        self._due: list[tuple[datetime, int, Callable[[], None]]] = []
        self._cancelled: set[int] = set()
        self._lock = threading.RLock()
        self.waits: list[float] = []

    def now(self) -> datetime:
        return self._now

    def elapsed(self) -> float:
        return (self._now - START).total_seconds()

    def wait(self, event: threading.Event, seconds: float) -> bool:
        if not event.is_set():
            self.waits.append(seconds)
            self.advance(seconds)
        return event.is_set()

    def call_later(self, seconds: float, action: Callable[[], None]) -> Callable[[], None]:
        with self._lock:
            number = len(self._due) + len(self._cancelled)
            heapq.heappush(self._due, (self._now + timedelta(seconds=seconds), number, action))
        return lambda: self._cancelled.add(number)

    def advance(self, seconds: float) -> None:
        """Let time pass, and have done what is due meanwhile."""
        with self._lock:
            end = self._now + timedelta(seconds=seconds)
            while self._due and self._due[0][0] <= end:
                self._now, number, action = heapq.heappop(self._due)
                if number not in self._cancelled:
                    action()
            self._now = end


class OneByOne:
    """Does work in the thread that decides, whenever that has nothing else to do. Implements `Loop`."""

    def __init__(self) -> None:
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._work: deque[tuple[str, Callable[[], None]]] = deque()
        self.at_once = 0
        """How much work there was at the same time, at most."""

        self.defects: list[BaseException] = []

    def work(self, name: str, action: Callable[[], None]) -> None:
        self._work.append((name, action))

    def tell(self, event: Event) -> None:
        self._events.put(event)

    def next(self) -> Event:
        while self._events.empty() and self._work:
            self.at_once = max(self.at_once, len(self._work))
            _, action = self._work.popleft()
            try:
                action()
            except Exception as exc:  # noqa: BLE001 - as a thread of its own would
                self.defects.append(exc)
        return self._events.get(timeout=_DEADLINE)  # a service may tell something; else nothing ever comes


# --- what executes --------------------------------------------------------------------------------


@dataclass
class Does:
    """What one attempt at a task does."""

    code: int = 0
    lines: Sequence[str] = ()
    takes: float = 0.0
    acts: Callable[[], object] = lambda: None
    lasts: bool = False
    """Whether it goes on until it is stopped, or told to end."""

    refuses: Exception | None = None
    """What starting it raises."""


class FakeExecution:
    """Implements `Execution`."""

    def __init__(self, does: Does, clock: FakeClock) -> None:
        self._does, self._clock = does, clock
        self._end = threading.Event()
        self.followed = threading.Event()
        self.was_stopped = False

    def output(self) -> Iterator[Sequence[str]]:
        yield self._does.lines
        self._does.acts()
        if self._does.takes:
            self._clock.advance(self._does.takes)
        if self._does.lasts:
            assert self._end.wait(_DEADLINE)

    def stop(self) -> None:
        self.was_stopped = True
        self._end.set()

    def die(self) -> None:
        """End by itself, and wait until the runner has been told."""
        self._end.set()
        assert self.followed.wait(_DEADLINE)

    def wait(self) -> int:
        self.followed.set()
        return _STOPPED if self.was_stopped else self._does.code


class FakeRuntime:
    """Does what a script says of each task, by its command; success where it says nothing. Implements `Runtime`."""

    def __init__(self, clock: FakeClock, script: Mapping[str, Does | Sequence[Does]]) -> None:
        self._clock = clock
        self.script = {name: [does] if isinstance(does, Does) else [*does] for name, does in script.items()}
        """What is left to do; the last stays for all further attempts."""

        self.prepared: list[Unit] = []
        self.started: list[tuple[str, Unit, dict[str, str]]] = []
        self.executions: dict[str, FakeExecution] = {}
        self.is_closed = False

    @property
    def names(self) -> list[str]:
        """The tasks that were started, in order."""
        return [name for name, _, _ in self.started]

    def environment(self, name: str) -> dict[str, str]:
        """What the last attempt at the task found."""
        return next(environment for started, _, environment in reversed(self.started) if started == name)

    def prepare(self, unit: Unit) -> None:
        self.prepared.append(unit)

    def executes(self, unit: Unit) -> bool:
        return True

    def publish(self, service: str, unit: Unit) -> int | None:
        return None

    def seen(self, unit: Unit, url: str) -> str:
        return url

    def close(self) -> None:
        self.is_closed = True

    def start(
        self, unit: Unit, environment: Mapping[str, str], *, task: str, port: int | None = None
    ) -> Execution:
        name = unit.command[3] if unit.own else unit.command[0]
        given = {} if port is None else {"PORT": str(port)}
        self.started.append((name, unit, {**environment, **given}))
        left = self.script.get(name) or [Does()]
        does = left.pop(0) if len(left) > 1 else left[0]
        if does.refuses is not None:
            raise does.refuses
        self.executions[name] = FakeExecution(does, self._clock)
        return self.executions[name]


# --- what is around -------------------------------------------------------------------------------


@dataclass
class FakeNetwork:
    """Implements `Network`."""

    asked: dict[str, int] = field(default_factory=dict)
    """After how many times of asking a service is ready; at once where nothing is said."""

    taken: frozenset[str] = frozenset()

    def endpoint(self, service: str, unit: Unit) -> Endpoint:
        if service in self.taken:
            raise FatalError(f"port {unit.port} is taken")
        return Endpoint(f"{service}.test", unit.port or 8080)

    def is_ready(self, endpoint: Endpoint, health: str | None) -> bool:
        name = endpoint.host.removesuffix(".test")
        self.asked[name] = self.asked.get(name, 1) - 1
        return self.asked[name] <= 0


@dataclass
class FakeConnections:
    """Implements `Connections`."""

    nowhere: frozenset[str] = frozenset()
    is_closed: bool = False
    dev_services: dict[str, str] = field(default_factory=dict)

    def environment(self, names: tuple[str, ...]) -> dict[str, str]:
        for name in names:
            if name in self.nowhere:
                raise FatalError(f"connection {name!r} is not configured")
        return {f"WINDLASS_CONN_{name.upper()}": f"fake://{name}" for name in names}

    def close(self) -> None:
        self.is_closed = True


@dataclass
class FakePipelines:
    """Implements `Pipelines`."""

    clock: FakeClock
    does: Does = field(default_factory=Does)
    started: list[tuple[Trigger, str]] = field(default_factory=list)

    def start(self, trigger: Trigger, parent: Run, lock: Path, given: Mapping[str, str]) -> Execution:
        self.started.append((trigger, parent.run_id))
        return FakeExecution(self.does, self.clock)


class FakeWorld:
    """Everything at once, and `run` to run a plan in it."""

    def __init__(self, folder: Path, script: Mapping[str, Does | Sequence[Does]] | None = None) -> None:
        self.clock, self.loop = FakeClock(), OneByOne()
        self.runtime = FakeRuntime(self.clock, script or {})
        self.network, self.connections = FakeNetwork(), FakeConnections()
        self.pipelines = FakePipelines(self.clock)
        self.alerts: list[tuple[str, Message]] = []
        self.refusals: list[Exception] = []
        """What each next message meets with; none when it is taken."""

        self.state = StateFolder.of(folder)
        self.history = History(self.state)
        self.runner: Runner

    @property
    def world(self) -> World:
        return World(
            state=self.state,
            history=self.history,
            connections=self.connections,
            runtime=lambda _: self.runtime,
            pipelines=self.pipelines,
            network=self.network,
            clock=self.clock,
            loop=self.loop,
            deliver=self._deliver,
            workspace=Workspace(self.state.path.parent, self.state.path.parent),
        )

    def _deliver(self, connection: str, message: Message) -> None:
        if self.refusals:
            raise self.refusals.pop(0)
        self.alerts.append((connection, message))

    def run(self, plan: Plan, **options: object) -> Result:
        self.runner = Runner(plan, self.world, RunOptions(**options))  # type: ignore[arg-type]
        return self.runner.run()
