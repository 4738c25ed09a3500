"""Rows that first arrive in a temporary table, and how they get from there into the destination.

For `merge`; for columns that only the server can cast from text; and when rows that violate a
constraint shall be set aside: then the rows go in by halves, until every bad one stands alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from windlass.connectors.postgres.catalog import PgColumn
from windlass.connectors.postgres.exact import keeps
from windlass.connectors.postgres.session import Session, integrity_error
from windlass.connectors.rows import BadRow, BadRowError, Counts, Reason
from windlass.connectors.scratch import identifier, literal
from windlass.connectors.sql.halving import insert_by_halves
from windlass.connectors.sql.merging import bad_key, key_not_unique
from windlass.errors import WindlassError

__all__ = ["Staged", "Staging"]

NAME = "pg_temp._windlass_staging"
_IN_JSON = r"'^\s*\[(?![-0-9]+:[-0-9]+\])'"  # not the bounds of an array that does not begin at 1
CHANGED = "windlass-changed "  # what begins the text of a value that its type would not keep

_REASONS = {
    "23502": Reason.IS_NULL,
    "23503": Reason.FOREIGN_KEY_VIOLATION,
    "23505": Reason.UNIQUE_VIOLATION,
    "23514": Reason.CHECK_VIOLATION,
    "23P01": Reason.EXCLUSION_VIOLATION,
    "22001": Reason.TOO_LONG,
    "22003": Reason.OUT_OF_RANGE,
    "22021": Reason.WRONG_ENCODING,
}


_IS_UNIQUE = """
SELECT EXISTS (
    SELECT FROM pg_index i
    WHERE i.indrelid = to_regclass($1) AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
      AND NOT EXISTS (
          SELECT FROM unnest(i.indkey::int2[]) WITH ORDINALITY k (number, place)
          JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
          WHERE k.place <= i.indnkeyatts AND a.attname <> ALL ($2::text[])))
"""


@dataclass(frozen=True)
class Staged:
    """A column of the staging table: the destination's column, and whether its values arrive as text."""

    column: PgColumn
    as_text: bool

    @property
    def type(self) -> str:
        return "text" if self.as_text else self.column.stored

    @property
    def is_judged(self) -> bool:
        """Whether bringing a value into the destination's type may fail, which then is found row by row."""
        return self.as_text or self.column.type_kind == "d"

    def cast(self, version: int) -> str:
        """SQL that gives the value the destination's type, and fails where that would make another one of it."""
        name = identifier(self.column.name)
        if not self.as_text:
            return name if self.column.type_kind != "d" else f"{name}::{self.column.type}"
        kind, text = self.column.type, name
        if self.column.base.startswith("_"):
            text = f"CASE WHEN {name} ~ {_IN_JSON} THEN {_from_json(name, kind)} ELSE {name} END"
        value = f"({text})::{kind}"
        kept = keeps(self.column.base, version)
        if kept is None:
            return value
        kept = kept.replace("{x}", f"({text})").replace("{v}", value)
        changed = f"({literal(CHANGED + self.column.name + ': ')} || {name})::int4::text::{kind}"
        return f"CASE WHEN {name} IS NULL OR {kept} THEN {value} ELSE {changed} END"


def _from_json(name: str, kind: str) -> str:
    """SQL for a JSON array as the text of an array of Postgres."""
    wrapped = f"jsonb_build_object('v', {name}::jsonb)"
    return f"(SELECT v::text FROM jsonb_to_record({wrapped}) AS t(v {kind}))"


@dataclass
class Staging:
    """The temporary table of one load, and the destination that its rows are meant for."""

    session: Session
    target: str
    columns: Sequence[Staged]
    refuse: Callable[[BadRow, int], None] | None
    """What to do with a row that the destination refuses, and its position; None: the load fails."""

    def create(self) -> str:
        columns = ", ".join(f"{identifier(c.column.name)} {c.type}" for c in self.columns)
        self.session.execute(
            f"DROP TABLE IF EXISTS {NAME}; CREATE TEMP TABLE _windlass_staging ({columns}) ON COMMIT DROP"
        )
        return NAME

    def insert(self) -> int:
        """Bring all rows into the destination; those that it refuses are set aside. Returns how many went in."""
        if self.refuse is None:
            return self._insert("true")
        pages = self.session.value(f"SELECT pg_relation_size('{NAME}') / current_setting('block_size')::int8")
        return insert_by_halves(0, pages, self._insert_pages, self._refused_page)

    def merge(self, key: Sequence[str], counts: Counts) -> None:
        """Update the rows whose key is there and whose values differ, insert the others: one statement."""
        self.session.execute(f"ANALYZE {NAME}")
        self._check_key(key)
        names = [c.column.name for c in self.columns]
        others = [name for name in names if name not in key]
        on = " AND ".join(f"d.{identifier(name)} = s.{identifier(name)}" for name in key)
        self._require_unique_key(key, on)
        total = self.session.value(f"SELECT count(*) FROM {NAME}")
        update = "SELECT 1 WHERE false"
        if others:
            changes = ", ".join(f"{identifier(name)} = s.{identifier(name)}" for name in others)
            old, new = (", ".join(f"{alias}.{identifier(n)}" for n in others) for alias in "ds")
            # *<> compares the values as they are stored, so 1.0 and 1.00 differ, and every type has it
            update = f"UPDATE {self.target} d SET {changes} FROM s WHERE {on} AND ROW({old})::record *<> ROW({new})::record RETURNING 1"
        row = self.session.row(
            f"WITH s AS (SELECT {self._cast_list()} FROM {NAME}), u AS ({update}), i AS ("
            f"INSERT INTO {self.target} ({self._names()}) OVERRIDING SYSTEM VALUE SELECT {self._names('s.')} FROM s "
            f"WHERE NOT EXISTS (SELECT FROM {self.target} d WHERE {on}) RETURNING 1) "
            "SELECT (SELECT count(*) FROM u) AS updated, (SELECT count(*) FROM i) AS inserted"
        )
        counts.updated, counts.inserted = row["updated"], row["inserted"]
        counts.unchanged = total - counts.updated - counts.inserted
        counts.written = total

    def _require_unique_key(self, key: Sequence[str], on: str) -> None:
        """Raise FatalError when a row that arrives would have to change several."""
        if self.session.value(_IS_UNIQUE, self.target, list(key)):
            return
        rows = f"SELECT ctid::text AS windlass_row, {self._cast_list()} FROM {NAME}"
        twice = f"SELECT true FROM {self.target} d JOIN ({rows}) s ON {on} GROUP BY s.windlass_row HAVING count(*) > 1"
        if self.session.value(f"{twice} LIMIT 1"):
            raise key_not_unique(key)

    def _check_key(self, key: Sequence[str]) -> None:
        """Set rows aside whose key is NULL or occurs more than once: which of them should win?"""
        names = ", ".join(identifier(name) for name in key)
        null = " OR ".join(f"{identifier(name)} IS NULL" for name in key)
        rows = self.session.fetch(
            f"SELECT ctid::text AS ctid, ({null}) AS is_null, to_jsonb(t)::text AS record FROM ("
            f"SELECT *, ctid, count(*) OVER (PARTITION BY {names}) AS windlass_count FROM {NAME}) t "
            f"WHERE {null} OR windlass_count > 1"
        )
        for row in rows:
            record = json.loads(row["record"])
            record = {c.column.name: record[c.column.name] for c in self.columns}
            bad = bad_key(key, record, is_null=row["is_null"])
            self._set_aside(bad, row["ctid"])
        if rows:
            self.session.execute(
                f"DELETE FROM {NAME} WHERE ctid = ANY (ARRAY{[r['ctid'] for r in rows]!r}::tid[])"
            )

    def _insert_pages(self, first: int, last: int) -> int:
        return self._try(f"ctid >= '({first},0)' AND ctid < '({last},0)'")

    def _refused_page(self, page: int, error: WindlassError) -> int:
        """Insert the rows of one page by halves, too."""
        if integrity_error(error) is None:
            raise error
        rows = self.session.fetch(
            f"SELECT ctid::text AS ctid FROM {NAME} WHERE ctid >= '({page},0)' AND ctid < '({page + 1},0)' ORDER BY ctid"
        )
        places = [row["ctid"] for row in rows]

        def insert(first: int, last: int) -> int:
            return self._try(f"ctid = ANY (ARRAY{places[first:last]!r}::tid[])")

        def refused(index: int, error: WindlassError) -> int:
            violation = integrity_error(error)
            if violation is None:
                raise error
            self._set_aside(self._bad_row(violation, places[index]), places[index])
            return 0

        return insert_by_halves(0, len(places), insert, refused)

    def _try(self, where: str) -> int:
        self.session.execute("SAVEPOINT windlass_part")
        try:
            inserted = self._insert(where)
        except WindlassError:
            self.session.execute("ROLLBACK TO SAVEPOINT windlass_part")
            raise
        self.session.execute("RELEASE SAVEPOINT windlass_part")
        return inserted

    def _insert(self, where: str) -> int:
        status = self.session.execute(
            f"INSERT INTO {self.target} ({self._names()}) OVERRIDING SYSTEM VALUE "
            f"SELECT {self._cast_list()} FROM {NAME} WHERE {where}"
        )
        return int(status.rpartition(" ")[2])

    def _bad_row(self, error: Any, ctid: str) -> BadRow:
        record = self.session.value(f"SELECT to_jsonb(t)::text FROM {NAME} t WHERE ctid = '{ctid}'")
        details = error.as_dict()
        if CHANGED in str(error.args[0]):
            column, value = str(error.args[0]).partition(CHANGED)[2].rstrip('"').split(": ", 1)
            kind = next(c.column.type for c in self.columns if c.column.name == column)
            message = f"column {column!r}: {value!r} does not fit {kind}"
            return BadRow(Reason.LOSES_PRECISION, message, column, value, record=json.loads(record))
        message = "; ".join(str(part) for part in (error.args[0], details.get("detail")) if part)
        reason = _REASONS.get(error.sqlstate)
        if reason is None:
            reason = Reason.TYPE_MISMATCH if error.sqlstate.startswith("22") else Reason.REFUSED
        return BadRow(reason, message, details.get("column_name"), record=json.loads(record))

    def _set_aside(self, row: BadRow, ctid: str) -> None:
        if self.refuse is None:
            raise BadRowError("bad rows, and `on_bad_row` is `fail`", [row])
        page, number = ctid.strip("()").split(",")
        sql = f"SELECT count(*) FROM {NAME} WHERE ctid < '({page},{number})'"
        self.refuse(row, self.session.value(sql))

    def _names(self, prefix: str = "") -> str:
        return ", ".join(prefix + identifier(c.column.name) for c in self.columns)

    def _cast_list(self) -> str:
        version = self.session.version
        return ", ".join(f"{c.cast(version)} AS {identifier(c.column.name)}" for c in self.columns)
