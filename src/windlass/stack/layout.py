"""Where the stack keeps things.

.windlass/up/          whatever `--home` says
  supervisor.lock      held by the supervisor, with its process id in it
  lock                 held by the supervisor, and by each launcher until its component has ended
  state.json           what runs, for `status`, `down` and a second `up`
HOME/                  .windlass/up, or what `--home` says; for its owner only
  home.lock            held by the supervisor: two stacks cannot share a home
  keys.json            the secrets that were made once
  logs/                a file for each component
  airflow/             AIRFLOW_HOME
  dev/airflow/         the Postgres that Airflow keeps its state in
  broker/              what the broker keeps, with Celery: the messages that no worker has taken yet
  pgadmin/             what pgAdmin keeps
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from windlass.files import write_whole
from windlass.state_folder import StateFolder

__all__ = ["ComponentState", "Layout", "RunningTask", "Stack", "State", "WorkerState"]


@dataclass(frozen=True)
class Layout:
    """The folders of the stack of one project."""

    project: Path
    home: Path

    @classmethod
    def of(cls, project: Path, home: Path | None = None) -> Layout:
        folder = StateFolder.of(project).path / "up"
        folder.mkdir(mode=0o700, exist_ok=True)
        return cls(project, (home or folder).resolve())

    @property
    def lock(self) -> Path:
        return self._folder / "lock"

    @property
    def supervisor_lock(self) -> Path:
        return self._folder / "supervisor.lock"

    @property
    def state(self) -> Path:
        return self._folder / "state.json"

    @property
    def home_lock(self) -> Path:
        return self.home / "home.lock"

    @property
    def keys(self) -> Path:
        return self.home / "keys.json"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def airflow(self) -> Path:
        return self.home / "airflow"

    @property
    def broker(self) -> Path:
        return self.home / "broker"

    @property
    def pgadmin(self) -> Path:
        return self.home / "pgadmin"

    def make(self) -> None:
        """Make the folders; nobody else may look into the home."""
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.home.chmod(0o700)
        for folder in (self.logs, self.airflow / "dags"):
            folder.mkdir(parents=True, exist_ok=True)

    @property
    def _folder(self) -> Path:
        return self.project / ".windlass" / "up"


class State(StrEnum):
    """How the stack is, or one thing in it."""

    STARTING = "starting"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    DONE = "done"
    """It had to run once, and has."""

    ENDED = "ended"
    MISSING = "missing"
    """A connection that is nowhere."""

    STOPPING = "stopping"
    FAILED = "failed"


@dataclass
class ComponentState:
    """One thing that the stack consists of, as `status` shows it."""

    name: str
    state: State = State.STARTING

    pid: int | None = None
    address: str = ""
    log: str = ""
    seconds: float | None = None
    """How long it took to be healthy."""


@dataclass
class RunningTask:
    """A task that a worker executes."""

    pipeline: str
    task: str
    run: str
    attempt: int
    part: int | None = None
    """Of a task with parts, which."""

    def __str__(self) -> str:
        part = "" if self.part is None else f"[{self.part}]"
        attempt = f" (attempt {self.attempt})" if self.attempt > 1 else ""
        return f"{self.pipeline}.{self.task}{part}{attempt}"


@dataclass
class WorkerState:
    """A Celery worker, beside the part of its name."""

    name: str
    slots: int
    """How many tasks it executes at once."""

    queues: list[str] = field(default_factory=list)
    running: list[RunningTask] = field(default_factory=list)
    restarts: int = 0
    """How often it has been started again since the stack is up."""


@dataclass
class Stack:
    """What `state.json` says: the supervisor, what it runs, and how that goes."""

    pid: int = 0
    state: State = State.STARTING

    page: str = ""
    pgadmin: str | None = None
    home: str = ""
    problems: str | None = None
    """What is wrong with the project's files, when the last good plan is in use instead."""

    failure: str | None = None
    parts: list[ComponentState] = field(default_factory=list)
    workers: list[WorkerState] = field(default_factory=list)

    def part(self, name: str) -> ComponentState:
        """The part of that name; it is added when it is new."""
        for part in self.parts:
            if part.name == name:
                return part
        self.parts.append(ComponentState(name))
        return self.parts[-1]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def write(self, file: Path) -> None:
        write_whole(file, json.dumps(self.to_json(), indent=2), private=True)

    @classmethod
    def read(cls, file: Path) -> Stack:
        """What was written last; an empty one where nothing was."""
        try:
            values = json.loads(file.read_bytes())
        except (OSError, ValueError):
            return cls()
        parts = [ComponentState(**{**part, "state": State(part["state"])}) for part in values["parts"]]
        workers = [_worker(worker) for worker in values["workers"]]
        return cls(**{**values, "state": State(values["state"]), "parts": parts, "workers": workers})


def _worker(values: dict[str, Any]) -> WorkerState:
    return WorkerState(**{**values, "running": [RunningTask(**task) for task in values["running"]]})
