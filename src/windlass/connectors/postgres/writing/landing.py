"""The table that a load is for, and where its rows land: what is done to tables before and after them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from windlass import logs
from windlass.connectors.ends import Interval
from windlass.connectors.options import TableDestination
from windlass.connectors.postgres.catalog import (
    PgColumn,
    Table,
    default_schema,
    find_table,
    require_name,
    split_name,
)
from windlass.connectors.postgres.session import Session, is_there_already
from windlass.connectors.postgres.writing.replace import Swap, why_in_place
from windlass.connectors.postgres.writing.staging import Staging
from windlass.connectors.rows import Column
from windlass.connectors.scratch import identifier, literal
from windlass.errors import FatalError, RetryableError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Landing", "LoadedTable"]


@dataclass
class Landing:
    """Where the rows of one load arrive, and what has to happen to them there."""

    schema: str
    table: str
    columns: list[PgColumn]
    fresh: bool
    """The table was made in this transaction, so its rows can be frozen."""

    staging: Staging | None = None
    """The temporary table, for rows of which the server has to be asked something first."""

    staged: bool = False
    """Whether rows come to it from now on."""

    straight: int = 0
    """How many rows had gone into their table by then."""

    swap: Swap | None = None
    highest: dict[str, int] = field(default_factory=dict)
    """The highest value seen of each column that a sequence feeds."""

    @property
    def sql(self) -> str:
        return f"{identifier(self.schema)}.{identifier(self.table)}"

    def stage(self, straight: int = 0) -> None:
        """Let the rows come to the temporary table from now on, when so many went straight to their own."""
        assert self.staging is not None
        self.staging.create()
        self.staged, self.straight = True, straight

    def note_highest(self, batch: pa.RecordBatch) -> None:
        import pyarrow.compute as pc

        for i, column in enumerate(self.columns):
            if column.sequence is not None and (value := pc.max(batch.column(i)).as_py()) is not None:
                self.highest[column.name] = max(int(value), self.highest.get(column.name, 0))


class LoadedTable:
    """The table that a load is for. `found` is None until it is there."""

    def __init__(self, session: Session, options: TableDestination, interval: Interval | None) -> None:
        self._session, self._options, self._interval = session, options, interval
        schema, self.name = split_name(options.table)
        self.schema = schema or default_schema(session)
        self.found: Table | None = None

    @property
    def sql(self) -> str:
        return f"{identifier(self.schema)}.{identifier(self.name)}"

    def find(self) -> None:
        self.found = find_table(self._session, self.sql)

    def require_schema(self) -> None:
        if self._session.value("SELECT to_regnamespace($1)", identifier(self.schema)) is None:
            hint = f"make it with: CREATE SCHEMA {identifier(self.schema)}"
            raise FatalError(f"there is no schema {self.schema!r}", hint=hint)

    # --- before the rows ---

    def prepare(self, columns: Sequence[tuple[str, str]], *, careful: bool) -> Landing:
        """Make room for rows of these columns (name and, for a new table, type), as the mode wants it."""
        if self.found is None:
            return Landing(self.schema, self.name, list(self._make(columns).columns), fresh=True)
        written = [c for name, _ in columns if (c := self.found.column(name)) is not None and not c.generated]
        if self._options.mode == "replace":
            why = why_in_place(self._session, self.found, careful=careful)
            if why is None:
                swap = Swap(self._session, self.found)
                swap.create()
                return Landing(self.schema, swap.name, written, fresh=True, swap=swap)
            logs.info("replaced_in_place", table=self.found.sql, because=why)
            self._session.execute(f"DELETE FROM {self.found.sql}")
        elif self._options.mode == "delete_insert":
            self._delete_interval(self.found)
        return Landing(self.schema, self.name, written, fresh=False)

    def add_columns(self, columns: Sequence[Column]) -> None:
        """Give the table columns. Who reads it waits for the end of the transaction."""
        added = ", ".join(f"ADD COLUMN IF NOT EXISTS {identifier(c.name)} {c.native}" for c in columns)
        require_name(*(column.name for column in columns))
        self._session.execute(f"ALTER TABLE {self.sql} {added}")
        self.find()

    def widen_columns(self, columns: Sequence[Column]) -> None:
        """Give columns their wider types. Who reads the table waits for the end of the transaction.

        Raises RetryableError when somebody else has just given one another type, which may be the wider one.
        """
        before = self.found
        self._session.execute(f"LOCK TABLE {self.sql} IN ACCESS EXCLUSIVE MODE")
        self.find()
        assert before is not None
        for wanted in columns:
            was = before.column(wanted.name)
            column = self.found.column(wanted.name) if self.found else None
            if column is not None and column.type == wanted.native:
                continue
            if column is None or was is None or column.type != was.type:
                raise RetryableError(f"somebody else just changed {self.sql}")
            self._widen(column, wanted.native)
        self.find()

    def _widen(self, column: PgColumn, kind: str) -> None:
        name = identifier(column.name)
        try:
            self._session.execute(f"ALTER TABLE {self.sql} ALTER COLUMN {name} TYPE {kind}")
        except FatalError as exc:
            message = f"column {column.name!r} cannot be widened from {column.type} to {kind}: {exc.message}"
            hint = "change its type by hand, or load what fits with `on_type_change: keep`"
            raise FatalError(message, hint=hint) from exc
        if column.sequence is not None and not column.identity:
            self._session.execute(f"ALTER SEQUENCE {column.sequence} AS bigint")

    def make_for_all_parts(self, columns: Sequence[tuple[str, str]]) -> None:
        """Make the missing table, committed at once: the other parts of the load need it at the same time."""
        self._session.execute("BEGIN")
        self._lock_among_loads()
        self.find()
        if self.found is None:
            self._make(columns)
            if self._options.mode == "merge":
                self.add_primary_key()
            self.find()
        self._session.execute("COMMIT")

    def add_primary_key(self) -> None:
        keys = ", ".join(identifier(name) for name in self._options.key)
        self._session.execute(f"ALTER TABLE {self.sql} ADD PRIMARY KEY ({keys})")

    def may_refuse_rows(self) -> bool:
        """Whether there is more than NOT NULL, which is checked on the way."""
        assert self.found is not None
        return bool(
            self._session.value(
                "SELECT EXISTS (SELECT FROM pg_constraint WHERE conrelid = $1::int8::oid AND contype <> 'n') "
                "OR EXISTS (SELECT FROM pg_index WHERE indrelid = $1::int8::oid) "
                "OR EXISTS (SELECT FROM pg_class WHERE oid = $1::int8::oid AND (relkind <> 'r' OR relispartition)) "
                "OR EXISTS (SELECT FROM pg_attribute WHERE attrelid = $1::int8::oid AND attgenerated <> '') "
                "OR EXISTS (SELECT FROM pg_trigger WHERE tgrelid = $1::int8::oid AND NOT tgisinternal)",
                self.found.oid,
            )
        )

    def only_by_insert(self) -> tuple[bool, bool]:
        """Whether rows have to arrive by INSERT (row security allows no COPY), and whether one may vanish on its way:
        by a trigger before it, one instead of it, or a rule."""
        if self.found is None:
            return False, False
        row = self._session.row(
            "SELECT row_security_active($1::int8::oid) AS secured, "
            "EXISTS (SELECT FROM pg_trigger WHERE tgrelid = $1::int8::oid AND NOT tgisinternal AND tgenabled IN ('O', 'A') "
            "        AND (tgtype & 7 = 7 OR tgtype & 68 = 68)) "
            "OR EXISTS (SELECT FROM pg_rewrite WHERE ev_class = $1::int8::oid AND ev_type = '3' AND is_instead) AS vanishing",
            self.found.oid,
        )
        return row["secured"], row["vanishing"]

    def _make(self, columns: Sequence[tuple[str, str]]) -> Table:
        require_name(*(column for column, _ in columns))
        made = ", ".join(f"{identifier(column)} {kind}" for column, kind in columns)
        try:
            self._session.execute(f"CREATE TABLE {self.sql} ({made})")
        except FatalError as exc:
            if not is_there_already(exc):
                raise
            raise RetryableError(f"somebody else just made {self.sql}") from exc
        table = find_table(self._session, self.sql)
        assert table is not None
        return table

    def _delete_interval(self, table: Table) -> None:
        assert self._interval is not None
        assert self._options.interval is not None
        column, (start, end) = identifier(self._options.interval), self._interval
        found = table.column(self._options.interval)
        if found is not None and found.base not in ("date", "timestamp", "timestamptz"):
            raise FatalError(f"`interval` needs a date or time, and {found.name!r} is {found.base}")
        self._session.execute(
            f"DELETE FROM {table.sql} WHERE {column} >= {literal(start.isoformat())}::timestamptz "
            f"AND {column} < {literal(end.isoformat())}::timestamptz"
        )

    def _lock_among_loads(self) -> None:
        """Until the transaction ends, no other load into this table gets past here."""
        table = literal(f"{self.schema}.{self.name}")
        self._session.execute(f"SELECT pg_advisory_xact_lock(hashtext({table}))")

    # --- after them ---

    def highest(self, landing: Landing, column: str) -> int | None:
        """The highest value of a column among the rows that have landed."""
        value: int | None = self._session.value(f"SELECT max({identifier(column)}) FROM {landing.sql}")
        return value

    def move_sequences(self, landing: Landing) -> None:
        """Let sequences go on past the values that were copied; a sequence is never moved back."""
        if landing.highest:
            self._lock_among_loads()  # looking and moving is not one step
        for column in landing.columns:
            if column.sequence is not None and (highest := landing.highest.get(column.name)) is not None:
                self._session.execute(
                    f"SELECT setval({literal(column.sequence)}, {highest}) FROM {column.sequence} "
                    f"WHERE last_value < {highest}"
                )
