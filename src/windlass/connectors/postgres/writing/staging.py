"""Rows that first arrive in a temporary table, and how they get from there into the destination.

For `merge`; for columns that only the server can cast from text; and when rows that violate a
constraint shall be quarantined: then the rows go in by halves, until every bad one stands alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from windlass.connectors.postgres.catalog import PgColumn
from windlass.connectors.postgres.exact import keeps
from windlass.connectors.postgres.session import Session, integrity_error
from windlass.connectors.postgres.writing.placing import Placing, VanishedError
from windlass.connectors.rows import BadRow, Counts, Reason, record_of
from windlass.connectors.scratch import identifier, literal
from windlass.connectors.sql.merging import bad_key, key_not_unique
from windlass.errors import WindlassError

__all__ = ["Staged", "Staging"]

NAME = "pg_temp._windlass_staging"
_IN_JSON = r"'^\s*\[(?![-0-9]+:[-0-9]+\])'"
CHANGED = "windlass-changed "

_REASONS = {
    "23502": Reason.IS_NULL,
    "23503": Reason.FOREIGN_KEY_VIOLATION,
    "23505": Reason.UNIQUE_VIOLATION,
    "23514": Reason.CHECK_VIOLATION,
    "23P01": Reason.EXCLUSION_VIOLATION,
    "22001": Reason.TOO_LONG,
    "22003": Reason.OUT_OF_RANGE,
    "22008": Reason.OUT_OF_RANGE,
    "22021": Reason.WRONG_ENCODING,
    **dict.fromkeys(("22P02", "22P03", "22007", "2200N", "22023", "22030", "22032"), Reason.TYPE_MISMATCH),
}


_LEFT_OUT = "a trigger or rule of the destination left the row out"
TYPED = "pg_temp._windlass_typed"

_COLLATIONS = """
SELECT a.attname AS name, format('%I.%I', n.nspname, c.collname) AS collation
FROM pg_attribute a JOIN pg_collation c ON c.oid = a.attcollation JOIN pg_namespace n ON n.oid = c.collnamespace
WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped AND c.collname <> 'default'
"""

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
    cast_before: bool = False

    @property
    def type(self) -> str:
        return "text" if self.as_text else self.column.stored

    @property
    def is_judged(self) -> bool:
        """Whether bringing a value into the destination's type may fail, which then is found row by row."""
        return self.as_text or (self.column.type_kind == "d" and not self.cast_before)

    def cast(self, version: int) -> str:
        """SQL that gives the value the destination's type, and fails where that would make another one of it."""
        name = identifier(self.column.name)
        if not self.as_text:
            return f"{name}::{self.column.type}" if self.is_judged else name
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
    refuse: Callable[[BadRow, int], None]
    """What to do with a row that the destination refuses, and its position."""

    may_vanish: bool = False
    """Whether the destination may take a row and not have it: then they are counted."""

    name: str = NAME
    _collations: dict[str, str] | None = None

    def create(self) -> str:
        columns = ", ".join(f"{identifier(c.column.name)} {c.type}{self._collation(c)}" for c in self.columns)
        self.session.execute(
            f"DROP TABLE IF EXISTS {NAME}; CREATE TEMP TABLE _windlass_staging ({columns}) ON COMMIT DROP"
        )
        return NAME

    def _collation(self, column: Staged) -> str:
        """The collation of the destination's column, so that keys are the same here as there."""
        if self._collations is None:
            found = self.session.fetch(_COLLATIONS, self.target)
            self._collations = {row["name"]: f" COLLATE {row['collation']}" for row in found}
        return "" if column.as_text else self._collations.get(column.column.name, "")

    def insert(self) -> int:
        """Bring all rows into the destination; those that it refuses are quarantined. Returns how many went in."""
        return self._placed(self._insert, self.target)

    def merge(self, key: Sequence[str], counts: Counts) -> None:
        """Update the rows whose key is there and whose values differ, and insert the others."""
        if any(column.is_judged for column in self.columns):
            self._cast_all()
        self.session.execute(f"ANALYZE {self.name}")
        self._check_key(key)
        on = " AND ".join(f"d.{identifier(name)} = s.{identifier(name)}" for name in key)
        self._require_unique_key(key, on)
        done = Counter[str]()

        def merge_some(where: str) -> int:
            row = self.session.row(self._merge(key, on, where))
            if row["wanted"] not in (None, row["inserted"]):
                raise VanishedError(_LEFT_OUT)
            done["updated"] += row["updated"]
            done["inserted"] += row["inserted"]
            return int(row["total"])

        counts.written = self._placed(merge_some, self.target)
        counts.updated, counts.inserted = done["updated"], done["inserted"]
        counts.unchanged = counts.written - counts.updated - counts.inserted

    def _merge(self, key: Sequence[str], on: str, where: str) -> str:
        """One statement that merges the rows of which a condition is true."""
        others = [c.column.name for c in self.columns if c.column.name not in key]
        update, wanted = "SELECT 1 WHERE false", "NULL"
        if self.may_vanish:
            wanted = f"(SELECT count(*) FROM s WHERE NOT EXISTS (SELECT FROM {self.target} d WHERE {on}))"
        if others:
            changes = ", ".join(f"{identifier(name)} = s.{identifier(name)}" for name in others)
            old, new = (", ".join(f"{alias}.{identifier(n)}" for n in others) for alias in "ds")

            update = f"UPDATE {self.target} d SET {changes} FROM s WHERE {on} AND ROW({old})::record *<> ROW({new})::record RETURNING 1"
        return (
            f"WITH s AS (SELECT {self._cast_list()} FROM {self.name} WHERE {where}), u AS ({update}), i AS ("
            f"INSERT INTO {self.target} ({self._names()}) OVERRIDING SYSTEM VALUE SELECT {self._names('s.')} FROM s "
            f"WHERE NOT EXISTS (SELECT FROM {self.target} d WHERE {on}) RETURNING 1) SELECT (SELECT count(*) FROM s) AS total, "
            f"(SELECT count(*) FROM u) AS updated, (SELECT count(*) FROM i) AS inserted, {wanted} AS wanted"
        )

    def _cast_all(self) -> None:
        """Bring the rows into a second temporary table, of the destination's types; where that fails they are quarantined.

        So keys are compared as the destination does, and what fails later is about the row as a whole.
        """
        made = ", ".join(
            f"{identifier(c.column.name)} {c.column.type}{self._collation(c)}" for c in self.columns
        )
        self.session.execute(
            f"DROP TABLE IF EXISTS {TYPED}; CREATE TEMP TABLE _windlass_typed (windlass_place tid, {made}) ON COMMIT DROP"
        )

        def cast_some(where: str) -> int:
            status = self.session.execute(
                f"INSERT INTO {TYPED} SELECT ctid, {self._cast_list()} FROM {self.name} WHERE {where}"
            )
            return int(status.rpartition(" ")[2])

        self._placed(cast_some, TYPED)
        self.name = TYPED
        self.columns = [replace(c, as_text=False, cast_before=True) for c in self.columns]

    def _placed(self, place: Callable[[str], int], target: str) -> int:
        def refuse(error: WindlassError, ctid: str) -> None:
            self._quarantine(self._bad_row(error, ctid), ctid)

        return Placing(self.session, self.name, target, place, self._cast_list(), refuse).all()

    def _require_unique_key(self, key: Sequence[str], on: str) -> None:
        """Raise FatalError when a row that arrives would have to change several."""
        if self.session.value(_IS_UNIQUE, self.target, list(key)):
            return
        rows = f"SELECT ctid::text AS windlass_row, {self._cast_list()} FROM {self.name}"
        twice = f"SELECT true FROM {self.target} d JOIN ({rows}) s ON {on} GROUP BY s.windlass_row HAVING count(*) > 1"
        if self.session.value(f"{twice} LIMIT 1"):
            raise key_not_unique(key)

    def _check_key(self, key: Sequence[str]) -> None:
        """Quarantine rows whose key is NULL or occurs more than once: which of them should win?"""
        names = ", ".join(identifier(name) for name in key)
        null = " OR ".join(f"{identifier(name)} IS NULL" for name in key)
        rows = self.session.fetch(
            f"SELECT ctid::text AS ctid, ({null}) AS is_null, to_jsonb(t)::text AS record FROM ("
            f"SELECT *, ctid, count(*) OVER (PARTITION BY {names}) AS windlass_count FROM {self.name}) t "
            f"WHERE {null} OR windlass_count > 1"
        )
        for row in rows:
            record = record_of(row["record"])
            record = {c.column.name: record[c.column.name] for c in self.columns}
            bad = bad_key(key, record, is_null=row["is_null"])
            self._quarantine(bad, row["ctid"])
        if rows:
            self.session.execute(
                f"DELETE FROM {self.name} WHERE ctid = ANY (ARRAY{[r['ctid'] for r in rows]!r}::tid[])"
            )

    def _insert(self, where: str) -> int:
        status = self.session.execute(
            f"INSERT INTO {self.target} ({self._names()}) OVERRIDING SYSTEM VALUE "
            f"SELECT {self._cast_list()} FROM {self.name} WHERE {where}"
        )
        inserted = int(status.rpartition(" ")[2])
        if self.may_vanish and inserted != self.session.value(
            f"SELECT count(*) FROM {self.name} WHERE {where}"
        ):
            raise VanishedError(_LEFT_OUT)
        return inserted

    def _bad_row(self, error: WindlassError, ctid: str) -> BadRow:
        place = self._first_place(ctid)
        record = self.session.value(f"SELECT to_jsonb(t)::text FROM {NAME} t WHERE ctid = '{place}'")
        cause = integrity_error(error)
        if cause is None:
            return BadRow(Reason.REFUSED, error.message, record=record_of(record))
        said, details = str(cause.args[0]), cause.as_dict()
        if CHANGED in said:
            column, value = said.partition(CHANGED)[2].rstrip('"').split(": ", 1)
            kind = next(c.column.type for c in self.columns if c.column.name == column)
            message = f"column {column!r}: {value!r} does not fit {kind}"
            return BadRow(Reason.LOSES_PRECISION, message, column, value, record=record_of(record))
        message = "; ".join(str(part) for part in (said, details.get("detail")) if part)
        reason = _REASONS.get(str(cause.sqlstate), Reason.REFUSED)
        return BadRow(reason, message, details.get("column_name"), record=record_of(record))

    def _quarantine(self, row: BadRow, ctid: str) -> None:
        place = self._first_place(ctid)
        self.refuse(row, self.session.value(f"SELECT count(*) FROM {NAME} WHERE ctid < '{place}'"))

    def _first_place(self, ctid: str) -> str:
        """Where a row was before it was cast."""
        if self.name == NAME:
            return ctid
        return str(self.session.value(f"SELECT windlass_place::text FROM {self.name} WHERE ctid = '{ctid}'"))

    def _names(self, prefix: str = "") -> str:
        return ", ".join(prefix + identifier(c.column.name) for c in self.columns)

    def _cast_list(self) -> str:
        version = self.session.version
        return ", ".join(f"{c.cast(version)} AS {identifier(c.column.name)}" for c in self.columns)
