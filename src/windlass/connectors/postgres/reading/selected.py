"""The rows of a Postgres table or query that one reading is about, as SQL, in one snapshot."""

from __future__ import annotations

from dataclasses import replace

from windlass import logs
from windlass.connectors.cursors import find_new, lookback_of
from windlass.connectors.postgres.catalog import PgColumn, Table
from windlass.connectors.postgres.reading.cursor import ROWS, PostgresCursor, require_lookback
from windlass.connectors.postgres.reading.new_rows import Mark, NewRows, find_new_rows, has_numbers
from windlass.connectors.postgres.reading.parts import condition
from windlass.connectors.postgres.reading.table_or_query import TableOrQuery
from windlass.connectors.postgres.session import Session
from windlass.connectors.scratch import identifier, literal
from windlass.connectors.source import IntervalOf, Reading, Since
from windlass.errors import Code, FatalError, RetryableError
from windlass.units import counted

__all__ = ["Selected"]

_BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_SNAPSHOTS = 10


class Selected:
    """What the relation reads, and the relay copies out."""

    def __init__(self, source: TableOrQuery, reading: Reading) -> None:
        self.source, self.session = source, source.session
        self.mark: str | None = None
        self._conditions: list[str] = []
        self._new: NewRows | None = None
        self._begun = False
        if reading.part is not None:
            self._conditions.append(condition(source.columns, reading.part))
        if reading.interval is not None:
            self._conditions.append(self._within(reading.interval))
        if reading.since is not None:
            self._only_new(reading.since)

    @property
    def rows(self) -> str:
        """What to write after FROM in the session of the source."""
        return self.rows_in(self.session)

    def rows_in(self, session: Session, part: str = "true") -> str:
        """What to write after FROM in a session with the same snapshot, for the rows of a part."""
        conditions = [*self._conditions, *([part] if part != "true" else [])]
        if self._new is not None:
            conditions.append(self._new.condition_in(session))
        return self._where(*conditions)

    def begin_snapshot(self) -> None:
        """From here on everything is read as it is now. Idempotent."""
        if not self._begun:
            self.session.execute(_BEGIN)
            self._show_all()
            self._begun = True

    def _where(self, *conditions: str) -> str:
        base = self.source.sql
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        return f"(SELECT * FROM {base} AS {ROWS}{where}) AS {ROWS}" if where else f"{base} AS {ROWS}"

    def _within(self, wanted: IntervalOf) -> str:
        name = identifier(self.source.column(wanted.column).name)
        start, end = (literal(moment.isoformat()) for moment in wanted.interval)
        return f"{name} >= {start}::timestamptz AND {name} < {end}::timestamptz"

    # --- only what is new ---

    def _only_new(self, since: Since) -> None:
        table = self.source.table
        if table is not None and has_numbers(self.session, table):
            self._by_transactions(table, since)
        else:
            self._by_cursor(since)

    def _by_cursor(self, since: Since) -> None:
        """The rows of a view or query that are past the cursor, or not further below it than `lookback`."""
        cursor = self.source.column(require_lookback(since, self.source.name))
        self.begin_snapshot()
        sql = PostgresCursor(self.session, self.source.columns, cursor)
        found, self.mark = find_new(sql, self.rows, since, self.source.name)
        if found is not None:
            self._conditions.append(found)

    def _by_transactions(self, table: Table, since: Since) -> None:
        """The rows of a table that were written by transactions since the last load."""
        cursor = self.source.column(since.cursor) if since.cursor is not None else None
        last = self._last_mark(since)
        new = self._new_in_snapshot(table, last, cursor)
        if new.doubtful is not None and not since.rereads:
            self._refuse_doubtful(new)
        if cursor is not None:
            self._conditions += self._past(cursor, last, since)
            new = replace(new, mark=replace(new.mark, cursor=self._highest(cursor, last)))
        self._new, self.mark = new, new.mark.to_json()
        logs.info(
            "incremental", transactions_from=last.until if last else 0, transactions_until=new.mark.until
        )

    def _last_mark(self, since: Since) -> Mark | None:
        last = Mark.from_json(since.last)
        if last is None and since.last is not None:
            hint = "give the task another name to begin anew"
            message = f"{self.source.name}: the last load told new rows in another way"
            raise FatalError(message, hint=hint, code=Code.CURSOR)
        return last

    def _new_in_snapshot(self, table: Table, last: Mark | None, cursor: PgColumn | None) -> NewRows:
        """What is new in a snapshot that is no older than need be: with many short transactions, some end while we look."""
        for _ in range(_SNAPSHOTS):
            self._begin_with(table)
            new = find_new_rows(self.session, table, last, cursor)
            if not new.now.passing:
                break
            self.session.execute("ROLLBACK")
        else:
            self._begin_with(table)
            new = find_new_rows(self.session, table, last, cursor)
        self._begun = True
        return new

    def _begin_with(self, table: Table) -> None:
        """Begin the snapshot with the table locked against being rewritten: the lock comes first."""
        self.session.execute(f"{_BEGIN}; LOCK TABLE {table.sql} IN ACCESS SHARE MODE")
        self._show_all()
        if self.session.value("SELECT to_regclass($1)::oid::int8", table.sql) != table.oid:
            raise RetryableError(f"{self.source.name} was made anew while this copy began")

    def _show_all(self) -> None:
        """An error instead of rows that row-level security hides; a query reads what its user is shown."""
        if self.source.table is not None:
            self.session.execute("SET LOCAL row_security = off")

    def _refuse_doubtful(self, new: NewRows) -> None:
        rows = self._where(new.condition_in(self.session), f"({new.doubtful})")
        count = self.session.value(f"SELECT count(*) FROM {rows}")
        if count:
            hint = "`mode: merge` reads them once more; or give the task another name to begin anew"
            message = (
                f"{self.source.name}: {counted(count, 'row')} may have been loaded before: {new.because}"
            )
            raise FatalError(message, hint=hint, code=Code.CURSOR)

    def _past(self, cursor: PgColumn, last: Mark | None, since: Since) -> list[str]:
        """What makes the search short, if it is said how late a row may come: an index on the cursor serves it."""
        sql = PostgresCursor(self.session, self.source.columns, cursor)
        lookback = lookback_of(sql, since, self.source.name)
        if not lookback or last is None or last.cursor is None or last.column != cursor.name:
            return []
        return [f"({sql.not_before(last.cursor, lookback)} OR {sql.value} IS NULL)"]

    def _highest(self, cursor: PgColumn, last: Mark | None) -> str | None:
        """The highest value that there is, or was at the last load."""
        sql = PostgresCursor(self.session, self.source.columns, cursor)
        highest = sql.highest(self._where())
        known = last.cursor if last is not None and last.column == cursor.name else None
        if highest is None or known is None:
            return highest or known
        greatest = f"greatest({sql.constant(highest)}, {sql.constant(known)})"
        return str(self.session.value(f"SELECT {greatest}::text"))
