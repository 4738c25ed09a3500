"""The plan: a pipeline compiled, checked and fully resolved. Frozen, and JSON both ways.

Nothing here came with a position, a default that still has to be looked up, or a YAML quirk. What is
left open is what only a run can know: every string of an action is a Jinja template in which the
run-time names of `windlass.templates` may occur, and connections are names.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, ClassVar, Literal, NamedTuple, TypeAlias, cast

from msgspec import Struct

from windlass import registry
from windlass.plan.roles import Role
from windlass.plan.unit import Container, Mount, Unit
from windlass.registry import FILES

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

Param: TypeAlias = str | int | float | bool | None
JsonSchema: TypeAlias = dict[str, Any]
Part: TypeAlias = Literal["host", "port", "user", "password", "database"]
Mode: TypeAlias = Literal["append", "replace", "merge", "delete_insert"]


class Mention(NamedTuple):
    """A connection that an action names: what for, and where below the kind's key of a pipeline file."""

    connection: str
    role: Role
    at: tuple[str | int, ...]


class _Action(Struct, frozen=True, tag_field="kind", tag=str.lower):
    """What a task does, and the facts about that which others go by: an action alone knows them.

    In JSON its `kind` is the name of the class in lower case.
    """

    @property
    def kind(self) -> str:
        return str(self.__struct_config__.tag)

    def mentions(self) -> Iterator[Mention]:
        """The connections that it names."""
        yield from ()

    def reads(self) -> tuple[str, ...]:
        """The assets that it reads: tables and files. A query has none."""
        return ()

    def writes(self) -> tuple[str, ...]:
        """The assets that it writes."""
        return ()

    def output(self) -> str | None:
        """The file that it writes: what `tasks.NAME.path` means in a template."""
        return None


def _mention(connection: str | None, role: Role, *at: str | int) -> Iterator[Mention]:
    if connection is not None:
        yield Mention(connection, role, (*at, "connection"))


def _mentions_of(source: Source) -> Iterator[Mention]:
    """Those of a `from`, and of what is in it."""
    yield from _mention(source.connection, "source", "from")
    for key, inner in source.inner():
        yield from _mention(inner.connection, "source", "from", key)


def _assets_of(source: Source) -> tuple[str, ...]:
    """The assets that are read for a `from`."""
    ends = (source, *(inner for _, inner in source.inner()))
    return tuple(asset for end in ends for asset in _asset(end))


def _asset(end: Source | Destination | Subject) -> tuple[str, ...]:
    if end.path is not None:
        return (end.path,)
    name = end.table if isinstance(end, Subject) else end.rows_in
    return (f"{end.connection}.{name}",) if name is not None else ()


# --- copy: see windlass.spec.copy for what each field means ---------------------------------------


class _End(Struct, frozen=True, kw_only=True):
    """A connection, or files, and what the connector of that type takes."""

    connection: str | None = None
    type: str = FILES
    options: dict[str, Any] = {}

    @property
    def path(self) -> str | None:
        """Of files."""
        return self.options["path"] if self.connection is None else None

    @property
    def table(self) -> str | None:
        return self.options.get("table")

    @property
    def rows_in(self) -> str | None:
        """The table, collection or whatever else the connection has its rows in; None for a query, and for files."""
        connector = registry.find(self.type)  # None where the file is wrong
        return self.options.get(connector.rows_in) if connector is not None else None

    def inner(self) -> Iterator[tuple[str, Source]]:
        """The sources that its options name, each with their key: the `parent` of requests."""
        for key in ("parent",):
            if isinstance(said := self.options.get(key), dict):
                name, rest = said.get("connection"), {k: v for k, v in said.items() if k != "connection"}
                if name is not None or "path" in rest:
                    yield key, Source(connection=name, options=rest)


class Source(_End, frozen=True, kw_only=True):
    """Where rows come from."""

    def with_inner(self) -> Iterator[tuple[tuple[str, ...], Source]]:
        """It, and the sources in it, each with where it stands."""
        yield (), self
        yield from (((key,), source) for key, source in self.inner())


class Destination(_End, frozen=True, kw_only=True):
    """Where rows go."""

    @property
    def mode(self) -> Mode:
        """What happens to the rows already there."""
        return cast("Mode", self.options.get("mode", "replace"))

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that identify a row in a merge."""
        return tuple(self.options.get("key", ()))

    @property
    def interval(self) -> str | None:
        """The column whose rows in the data interval are replaced."""
        return self.options.get("interval")


class SelectColumn(Struct, frozen=True, kw_only=True):
    name: str
    source: str
    type: str | None = None


class ColumnRules(Struct, frozen=True, kw_only=True):
    not_null: bool = False
    min: int | float | str | None = None
    max: int | float | str | None = None
    accepted: tuple[str | int | float | bool, ...] | None = None
    pattern: str | None = None
    max_length: int | None = None


class Validate(Struct, frozen=True, kw_only=True):
    columns: dict[str, ColumnRules] = {}
    json_schema: JsonSchema | None = None


class QuarantineTo(Struct, frozen=True, kw_only=True):
    path: str | None = None
    connection: str | None = None
    table: str | None = None


class Incremental(Struct, frozen=True, kw_only=True):
    cursor: str | None = None
    lookback: int | float | str | None = None
    """A distance of the cursor, or a duration such as `1h`."""

    nulls: Literal["fail", "skip", "read"] = "fail"


class Partition(Struct, frozen=True, kw_only=True):
    by: str = "ctid"
    parts: int = 2
    mapped: bool = False
    """Each part can be a load of its own, so that a scheduler makes a task of it (`plan/mapping.py`)."""


class Copy(_Action, frozen=True, kw_only=True):
    source: Source
    destination: Destination
    select: tuple[SelectColumn, ...] = ()
    validate: Validate = Validate()
    on_bad_row: Literal["fail", "quarantine"] = "fail"
    max_bad_rows: int | str | None = None
    quarantine: QuarantineTo | None = None
    incremental: Incremental | None = None
    partition: Partition | None = None
    on_new_column: Literal["fail", "add", "ignore"] = "fail"
    on_missing_column: Literal["null", "fail"] = "null"
    on_type_change: Literal["keep", "widen"] = "keep"

    def mentions(self) -> Iterator[Mention]:
        yield from _mentions_of(self.source)
        yield from _mention(self.destination.connection, "destination", "to")
        if self.quarantine is not None:
            yield from _mention(self.quarantine.connection, "destination", "quarantine")

    def reads(self) -> tuple[str, ...]:
        return _assets_of(self.source)

    def writes(self) -> tuple[str, ...]:
        return _asset(self.destination)

    def output(self) -> str | None:
        return self.destination.path


# --- the other kinds ------------------------------------------------------------------------------


class Sql(_Action, frozen=True, kw_only=True):
    connection: str | None = None
    statement: str
    transaction: bool = True

    def mentions(self) -> Iterator[Mention]:
        return _mention(self.connection, "sql")


class Reference(Struct, frozen=True, kw_only=True):
    """A value that only a run knows: the address of a connection, a part of it, or a secret."""

    connection: str | None = None
    part: Part | None = None
    secret: str | None = None
    key: str | None = None


class _Command(_Action, frozen=True, kw_only=True):
    """A command of the user's: it is in the task's unit, which has no secret; what its environment refers to is here."""

    connections: tuple[str, ...] = ()
    references: dict[str, Reference] = {}
    """By the variable whose value it is."""

    def mentions(self) -> Iterator[Mention]:
        for i, name in enumerate(self.connections):
            yield Mention(name, "command", ("connections", i))
        for variable, reference in self.references.items():
            yield from _mention(reference.connection, "command", "env", variable)


class RunCommand(_Command, frozen=True, kw_only=True, tag="run"):
    pass


class Service(_Command, frozen=True, kw_only=True):
    pass


class Download(_Action, frozen=True, kw_only=True):
    url: str | None = None
    connection: str | None = None
    path: str | None = None
    to: str
    sha256: str | None = None
    headers: dict[str, str] = {}

    def mentions(self) -> Iterator[Mention]:
        return _mention(self.connection, "download")

    def writes(self) -> tuple[str, ...]:
        return (self.to,)

    def output(self) -> str | None:
        return self.to


class RowCount(Struct, frozen=True, kw_only=True):
    exactly: int | None = None
    min: int | None = None
    max: int | None = None


class Freshness(Struct, frozen=True, kw_only=True):
    column: str
    within: float


class Subject(_Action, frozen=True, kw_only=True):
    """What some rows are looked at of."""

    connection: str | None = None
    table: str | None = None
    query: str | None = None
    path: str | None = None
    source: Source | None = None

    def mentions(self) -> Iterator[Mention]:
        if self.source is not None:
            return _mentions_of(self.source)
        return _mention(self.connection, "sql")

    def reads(self) -> tuple[str, ...]:
        return _asset(self) if self.source is None else _assets_of(self.source)


class Check(Subject, frozen=True, kw_only=True):
    rows: RowCount | None = None
    unique: tuple[tuple[str, ...], ...] = ()
    not_null: tuple[str, ...] = ()
    accepted: dict[str, tuple[str | int | float | bool, ...]] = {}
    freshness: Freshness | None = None
    expressions: tuple[str, ...] = ()
    json_schema: JsonSchema | None = None


class Notify(Subject, frozen=True, kw_only=True):
    to: tuple[str, ...]
    message: str
    when: str = "count(*) > 0"
    each: Literal["run", "row"] = "run"
    limit: int = 100

    @property
    def has_rows(self) -> bool:
        return any(part is not None for part in (self.table, self.query, self.path, self.source))

    def mentions(self) -> Iterator[Mention]:
        yield from super().mentions()
        for i, name in enumerate(self.to):
            yield Mention(name, "alert", ("to", i))

    def reads(self) -> tuple[str, ...]:
        return super().reads() if self.has_rows else ()


class Trigger(_Action, frozen=True, kw_only=True):
    pipeline: str
    params: dict[str, Param] = {}
    wait: bool = True


class Tell(_Action, frozen=True, kw_only=True):
    """Tells what became of a run, where a scheduler runs the tasks: an export adds it. Who is told what, the scheduler knows."""

    connections: tuple[str, ...]
    open: tuple[str, ...] = ()
    """Those of them where what is told of a failure stays open until they are told of the recovery."""

    def mentions(self) -> Iterator[Mention]:
        for i, name in enumerate(self.connections):
            yield Mention(name, "alert", ("connections", i))


Action: TypeAlias = Copy | Sql | RunCommand | Service | Download | Check | Notify | Trigger | Tell


TriggerRule: TypeAlias = Literal[
    "all_success", "all_failed", "all_done", "one_success", "one_failed", "none_failed"
]


# --- the plan -------------------------------------------------------------------------------------


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
    has the slots of the pools that its tasks name. `freshness` is how many seconds may pass since its last success. `containers` is what the project says of all containers. With `params_open` the templates still name the
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
