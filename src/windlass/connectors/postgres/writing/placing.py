"""Bringing the rows of a temporary table to where they belong, when the server refuses some of them.

All at once; if that fails by halves, each within a savepoint and with its deferred constraints looked at, until a row that
is refused stands alone. A row that points at another one of the same load waits until that one is in: what waits is tried
again, together and by halves, until nothing changes. Rows that are left then point at nothing, and take those with them
that point at them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from windlass.connectors.postgres.session import Session, integrity_error, is_unknown_name
from windlass.connectors.scratch import identifier
from windlass.connectors.sql.halving import insert_by_halves
from windlass.errors import FatalError, WindlassError

__all__ = ["Placing", "VanishedError"]

_SELF_REFERENCE = """
SELECT ARRAY(SELECT attname::text FROM unnest(k.conkey) WITH ORDINALITY u (number, place)
             JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.number ORDER BY place) AS pointing,
       ARRAY(SELECT attname::text FROM unnest(k.confkey) WITH ORDINALITY u (number, place)
             JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.number ORDER BY place) AS pointed_at
FROM pg_constraint k
WHERE k.contype = 'f' AND k.conrelid = k.confrelid AND k.conname = $2
  AND (k.conrelid = to_regclass($1) OR k.conrelid IN (SELECT relid FROM pg_partition_tree(to_regclass($1))))
"""

_HOLDS_NAMES = """
WITH RECURSIVE kinds (oid) AS (
  SELECT atttypid FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped
  UNION SELECT within.oid FROM kinds JOIN pg_type t USING (oid), LATERAL (
    SELECT unnest(ARRAY[t.typbasetype, t.typelem])
    UNION ALL SELECT atttypid FROM pg_attribute WHERE attrelid = t.typrelid AND attnum > 0 AND NOT attisdropped) within (oid))
SELECT EXISTS (SELECT FROM kinds WHERE oid < 16384 AND format_type(oid, NULL) LIKE 'reg%')
"""

References = tuple[list[str], list[str]]
"""The columns that point, and those that are pointed at."""


class VanishedError(FatalError):
    """The destination took rows, and has not all of them."""


@dataclass
class Placing:
    """One way of bringing rows of a temporary table in."""

    session: Session
    staging: str
    target: str
    place: Callable[[str], int]
    """Brings in the rows of which a condition is true. Returns how many there were."""
    casts: str
    """The values of a row, as the target has them, as SQL."""
    refuse: Callable[[WindlassError, str], None]
    """Quarantines a row, given by its ctid, for an error."""

    _waiting: dict[str, WindlassError] = field(default_factory=dict)

    @cached_property
    def _holds_names(self) -> bool:
        """Whether values of the target are names of what the server has, such as those of a regclass."""
        return bool(self.session.value(_HOLDS_NAMES, self.target))

    def all(self) -> int:
        """Bring in all rows but those that are quarantined. Returns how many went in."""
        size = f"SELECT pg_relation_size('{self.staging}') / current_setting('block_size')::int8"
        placed = insert_by_halves(0, self.session.value(size), self._try_pages, self._refused_page)
        while self._waiting:
            placed += self._try_again()
        return placed

    def _try_pages(self, first: int, last: int) -> int:
        return self._try(f"ctid >= '({first},0)' AND ctid < '({last},0)'")

    def _refused_page(self, page: int, error: WindlassError) -> int:
        """Bring in the rows of one page by halves, too."""
        self._require_about_row(error)
        rows = self.session.fetch(
            f"SELECT ctid::text AS ctid FROM {self.staging} "
            f"WHERE ctid >= '({page},0)' AND ctid < '({page + 1},0)' ORDER BY ctid"
        )
        return self._by_halves([row["ctid"] for row in rows])

    def _by_halves(self, rows: Sequence[str]) -> int:
        def insert(first: int, last: int) -> int:
            return self._try(self._among(rows[first:last]))

        def refused(index: int, error: WindlassError) -> int:
            self._require_about_row(error)
            if self._points_at_its_table(error) is not None:
                self._waiting[rows[index]] = error
            else:
                self.refuse(error, rows[index])
            return 0

        return insert_by_halves(0, len(rows), insert, refused)

    def _try_again(self) -> int:
        """Bring in what waits, or quarantine what cannot come; what then still waits has changed."""
        before, self._waiting = self._waiting, {}
        placed = self._by_halves(list(before))
        if len(self._waiting) == len(before):
            lost = self._pointing_at_nothing() or list(before)
            for row in lost:
                self.refuse(self._waiting.pop(row), row)
        return placed

    def _pointing_at_nothing(self) -> list[str]:
        """The rows among those that wait which point at none of those."""
        by_key: dict[str, list[str]] = {}
        for row, error in self._waiting.items():
            by_key.setdefault(_constraint(error), []).append(row)
        waiting = f"(SELECT ctid AS windlass_row, {self.casts} FROM {self.staging} WHERE {self._among(list(self._waiting))})"
        lost: list[str] = []
        for name, rows in by_key.items():
            row = self.session.row(_SELF_REFERENCE, self.target, name)
            same = " AND ".join(
                f"s.{identifier(there)} = r.{identifier(here)}"
                for here, there in zip(row["pointing"], row["pointed_at"], strict=True)
            )
            found = self.session.fetch(
                f"SELECT windlass_row::text AS ctid FROM {waiting} r WHERE windlass_row = ANY (ARRAY{rows!r}::tid[]) "
                f"AND NOT EXISTS (SELECT FROM {waiting} s WHERE {same})"
            )
            lost += [row["ctid"] for row in found]
        return lost

    def _points_at_its_table(self, error: WindlassError) -> References | None:
        cause = integrity_error(error)
        if cause is None or cause.sqlstate != "23503":
            return None
        row = self.session.row(_SELF_REFERENCE, self.target, _constraint(error))
        return None if row is None else (row["pointing"], row["pointed_at"])

    def _among(self, rows: Sequence[str]) -> str:
        return f"ctid = ANY (ARRAY{list(rows)!r}::tid[])"

    def _try(self, where: str) -> int:
        """Bring rows in whole, or nothing of them."""
        self.session.execute("SAVEPOINT windlass_part")
        try:
            placed = self.place(where)
            self.session.execute(
                "SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED; RELEASE SAVEPOINT windlass_part"
            )
        except WindlassError:
            # released as well: savepoints of thousands of bad rows would stand inside each other
            self.session.execute("ROLLBACK TO SAVEPOINT windlass_part; RELEASE SAVEPOINT windlass_part")
            raise
        return placed

    def _require_about_row(self, error: WindlassError) -> None:
        """Raise an error that is about anything else."""
        if isinstance(error, VanishedError) or integrity_error(error) is not None:
            return
        if not (is_unknown_name(error) and self._holds_names):
            raise error


def _constraint(error: WindlassError) -> str:
    cause = integrity_error(error)
    return "" if cause is None else str(cause.as_dict().get("constraint_name", ""))
