"""The plan: a pipeline compiled, checked and fully resolved. Frozen, and JSON both ways.

Nothing here came with a position, a default that still has to be looked up, or a YAML quirk. What is
left open is what only a run can know: every string of an action is a Jinja template in which the
run-time names of `windlass.templates` may occur, and connections are names.

What a task does is an action: `plan/copy.py`, `plan/kinds.py`. Whoever reads plans finds all of it here.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, Literal, TypeAlias

from msgspec import Struct

from windlass.plan.base import JsonSchema, Mention, Param
from windlass.plan.copy import (
    ColumnRules,
    Copy,
    Destination,
    Incremental,
    Mode,
    Partition,
    QuarantineTo,
    SelectColumn,
    Source,
    Validate,
)
from windlass.plan.kinds import (
    Action,
    Check,
    Download,
    Freshness,
    Notify,
    Part,
    Reference,
    RowCount,
    RunCommand,
    Service,
    Sql,
    Subject,
    Tell,
    Trigger,
)
from windlass.plan.unit import Container, Mount, Unit

__all__ = [
    "PLAN_VERSION",
    "Action",
    "Check",
    "ColumnRules",
    "Connection",
    "Container",
    "Copy",
    "Destination",
    "Download",
    "Each",
    "Freshness",
    "Incremental",
    "JsonSchema",
    "Mention",
    "Mode",
    "Mount",
    "Notify",
    "Param",
    "Part",
    "Partition",
    "Plan",
    "QuarantineTo",
    "Reference",
    "Retry",
    "RowCount",
    "RunCommand",
    "SelectColumn",
    "Service",
    "Source",
    "Sql",
    "Subject",
    "Task",
    "Tell",
    "Trigger",
    "TriggerRule",
    "Unit",
    "Validate",
]

PLAN_VERSION = 3

TriggerRule: TypeAlias = Literal[
    "all_success", "all_failed", "all_done", "one_success", "one_failed", "none_failed"
]


class Connection(Struct, frozen=True, kw_only=True):
    """A connection that the plan names: what it is, not where. `form` is what its address is made of.

    `settings` are the keys of its own type that stand with it in `windlass.yaml`; `address` is the one among them that
    says where it is, unless that is configured.
    """

    type: str
    form: str = "server"
    address: str | None = None
    settings: dict[str, Any] = {}
    dev: dict[str, Any] = {}


class Retry(Struct, frozen=True, kw_only=True):
    """How a task is retried. Seconds; each wait is `backoff` times the one before."""

    retries: int = 0
    delay: float = 30.0
    backoff: float = 2.0

    MAX_DELAY: ClassVar[float] = 3600.0

    def delay_after(self, attempt: int) -> float:
        """Seconds to wait after that attempt (counted from 1) has failed."""
        return float(min(self.delay * self.backoff ** (attempt - 1), self.MAX_DELAY))


class Each(Struct, frozen=True, kw_only=True):
    """The entries that the task `of` writes: there is a task of each of them as soon as that has ended (`plan/instances.py`).

    `path` is a template, and `name` one that takes `each`.
    """

    MOST: ClassVar[int] = 1_000

    of: str
    path: str
    records: str | None = None
    name: str | None = None
    limit: int = MOST


class Task(Struct, frozen=True, kw_only=True):
    """A node of the DAG. `needs` holds what was written and what its templates imply.

    `connections` are all that it names. `inlets` and `outlets` are the assets that it reads and writes:
    `CONNECTION.TABLE`, or a path in the workspace in which `*` stands for what only a run can know. With `each` it
    stands for all of the tasks that a run makes of its entries, and what they do has templates that take one. `output`
    is the file that it writes, and `paths` are the outputs of the tasks that its templates name, each after
    those that it is made of: all of them are templates. `on_failure` and its like are who is told what became of it. `unit` is what is started for it; a trigger has none.
    """

    name: str
    description: str = ""
    group: str | None = None
    each: Each | None = None
    needs: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    trigger_rule: TriggerRule = "all_success"
    retry: Retry = Retry()
    timeout: float | None = None
    pool: str | None = None
    connections: tuple[str, ...] = ()
    inlets: tuple[str, ...] = ()
    outlets: tuple[str, ...] = ()
    output: str | None = None
    paths: dict[str, str] = {}
    on_failure: tuple[str, ...] = ()
    on_success: tuple[str, ...] = ()
    on_recovery: tuple[str, ...] = ()
    action: Action
    unit: Unit | None = None

    @property
    def kind(self) -> str:
        return self.action.kind


class Plan(Struct, frozen=True, kw_only=True):
    """A compiled pipeline. `tasks` are in an order in which each comes after all that it needs.

    `assets` are what a pipeline waits for whose schedule is data; its `schedule` is then `none`. `pools`
    has the slots of the pools that its tasks name. `timeout` is how many seconds a run may take, `freshness` how many may pass since its last success. `containers` is what the project says of all containers. With `params_open` the templates still name the
    parameters, so that a run may have others than `params`.
    """

    version: int = PLAN_VERSION
    project: str
    pipeline: str
    description: str = ""
    owner: str = ""
    tags: tuple[str, ...] = ()
    schedule: str = "none"
    assets: tuple[str, ...] = ()
    timezone: str = "UTC"
    start: datetime | None = None
    catchup: bool = False
    concurrency: Literal["forbid", "allow", "replace"] = "forbid"
    timeout: float | None = None
    params: dict[str, Param] = {}
    params_open: bool = False
    on_failure: tuple[str, ...] = ()
    on_success: tuple[str, ...] = ()
    on_recovery: tuple[str, ...] = ()
    on_missed: tuple[str, ...] = ()
    freshness: float | None = None
    connections: dict[str, Connection] = {}
    pools: dict[str, int] = {}
    containers: Container = Container()
    tasks: tuple[Task, ...] = ()

    def task(self, name: str) -> Task:
        """The task of that name. Raises KeyError."""
        for task in self.tasks:
            if task.name == name:
                return task
        raise KeyError(name)
