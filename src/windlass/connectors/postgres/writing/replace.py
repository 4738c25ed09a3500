"""`mode: replace` for a table that exists: load beside it, then take its place in the same transaction.

A reader sees the old table or the new one, never none; rows are frozen (`COPY … FREEZE`), so even a
reader with an older snapshot does not find the new table empty. What hangs on the old table is carried
over: defaults, identity, generated columns, checks, indexes, keys, triggers, rules, sequences, owner,
grants, comments, storage and statistics settings, and the views on it, which are bound anew without
being dropped. The catalog itself writes the statements (`replace_sql.py`).

What cannot be carried over (`why_in_place`) makes the engine keep the table itself: its rows are
deleted and the new ones inserted, which is slower, but nothing that hangs on it notices. A foreign key
of another table that points here rules out both, and is refused before anything is touched.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from windlass import failpoints
from windlass.connectors.postgres.catalog import Table
from windlass.connectors.postgres.session import Session, lock_timed_out
from windlass.connectors.postgres.writing import replace_sql
from windlass.connectors.scratch import identifier, literal
from windlass.errors import FatalError, RetryableError

__all__ = ["Swap", "check_not_referenced", "why_in_place"]

_LOCK_TRY, _LOCK_PAUSE, _LOCK_DEADLINE = 300, 0.7, 600.0  # milliseconds; seconds
_DEADLOCK_TIMEOUT = "SELECT setting::int FROM pg_settings WHERE name = 'deadlock_timeout'"


def check_not_referenced(session: Session, table: Table) -> None:
    """Raise FatalError when rows of other tables point at this one's, which cannot be replaced then."""
    keys = [row["name"] for row in session.fetch(replace_sql.INCOMING_KEYS, table.oid)]
    if keys:
        raise FatalError(
            f"{table.sql} cannot be replaced: rows of other tables point at its rows ({', '.join(keys)})",
            hint="use `mode: merge` with the referenced key, which keeps the rows that stay",
        )


def why_in_place(session: Session, table: Table, *, careful: bool) -> str | None:
    """The first thing that hangs on the table and that only the table itself can keep, or None.

    For a `careful` load that is also a key that points at its own rows: a new table gets it when all rows are in.
    """
    if table.kind != "r":
        return "it is partitioned" if table.kind == "p" else "it is not an ordinary table"
    why: str | None = session.value(replace_sql.WHY_IN_PLACE, table.oid, careful)
    return why


@dataclass
class Swap:
    """A new table that takes the place of an old one, all in the session's open transaction."""

    session: Session
    old: Table

    def __post_init__(self) -> None:
        self.name = _temporary("new", self.old.oid)
        """The new table's name until it has the old one's."""
        self.new = f"{identifier(self.old.schema)}.{self.name}"
        self._complete = False

    def create(self) -> None:
        """Make the new table, still without indexes and keys."""
        table = self.session.row(replace_sql.TABLE_OPTIONS, self.old.oid)
        self.session.execute(
            f"CREATE {'UNLOGGED ' if table['unlogged'] else ''}TABLE {self.new} "
            f"(LIKE {self.old.sql} INCLUDING ALL EXCLUDING INDEXES EXCLUDING STATISTICS)"
            + (f" WITH ({table['options']})" if table["options"] else "")
        )

    def complete(self) -> None:
        """Give the loaded table its indexes and keys: what takes long, while readers still read the old."""
        if self._complete:
            return
        self._complete = True
        for index in self._rows(replace_sql.INDEXES):
            self._create_index(index)
        self._run(replace_sql.FOREIGN_KEYS, self.new)
        self._run(replace_sql.DEFAULT_GRANTS, self.new)

    def finish(self) -> None:
        """Put the new table in the old one's place, with everything that hung on it."""
        self.session.execute(
            "SET LOCAL search_path = pg_catalog, pg_temp"
        )  # the catalog then qualifies names
        self._lock()
        schema, old = identifier(self.old.schema), _temporary("old", self.old.oid)
        indexes = self._rows(replace_sql.INDEXES)
        sequences = [self._state_of(row) for row in self._rows(replace_sql.IDENTITY_SEQUENCES)]
        carried, last = self._written(replace_sql.CARRIED), self._written(replace_sql.CARRIED_LAST)
        self.session.execute(f"ALTER TABLE {self.old.sql} RENAME TO {old}")
        failpoints.reach("mid-rename")
        self.session.execute(f"ALTER TABLE {self.new} RENAME TO {identifier(self.old.name)}")
        for statement in carried:
            self.session.execute(statement)
        self._run(replace_sql.SERIAL_SEQUENCES, self.old.sql)  # only now they have the same owner
        self.session.execute(f"DROP TABLE {schema}.{old}")
        for index in indexes:
            self._rename_index(index)
        for sequence in sequences:
            self._restore_identity(sequence)
        for statement in last:
            self.session.execute(statement)

    def _create_index(self, index: Any) -> None:
        name = _temporary("index", index["oid"])
        if index["constraint_definition"]:
            self.session.execute(
                f"ALTER TABLE {self.new} ADD CONSTRAINT {name} {index['constraint_definition']}"
            )
            return
        head, _, using = index["definition"].partition(f" ON {index['table']} USING ")
        assert head == f"CREATE {index['unique']}INDEX {index['name']}", index["definition"]
        self.session.execute(f"CREATE {index['unique']}INDEX {name} ON {self.new} USING {using}")
        if index["constraint_kind"]:
            key = f"{index['constraint_kind']} USING INDEX {name} {index['deferrable']}"
            self.session.execute(f"ALTER TABLE {self.new} ADD CONSTRAINT {name} {key}")

    def _rename_index(self, index: Any) -> None:
        temporary, name = _temporary("index", index["oid"]), index["name"]
        if index["constraint_kind"] or index["constraint_definition"]:
            self.session.execute(f"ALTER TABLE {self.old.sql} RENAME CONSTRAINT {temporary} TO {name}")
        else:
            schema = identifier(self.old.schema)
            self.session.execute(f"ALTER INDEX {schema}.{temporary} RENAME TO {name}")

    def _state_of(self, sequence: Any) -> dict[str, Any]:
        name = f"{identifier(sequence['schema'])}.{identifier(sequence['name'])}"
        state = self.session.row(f"SELECT last_value, is_called FROM {name}")
        return {**dict(sequence), **dict(state), "sql": name}

    def _restore_identity(self, sequence: dict[str, Any]) -> None:
        """Give the sequence that came with the new column the name, settings and position of the old one."""
        made = self.session.value("SELECT pg_get_serial_sequence($1, $2)", self.old.sql, sequence["column"])
        self.session.execute(f"ALTER SEQUENCE {made} RENAME TO {identifier(sequence['name'])}")
        last, called = sequence["last_value"], literal(sequence["is_called"])
        self.session.execute(f"SELECT setval({literal(sequence['sql'])}, {last}, {called})")
        for statement in sequence["settings"]:
            self.session.execute(statement)

    def _lock(self) -> None:
        """Take the exclusive lock in short tries, so that readers never queue up behind a long wait.

        Every third is long enough for Postgres to notice that an autovacuum is in the way, and to end that.
        """
        deadline = time.monotonic() + _LOCK_DEADLINE
        noticed = self.session.value(_DEADLOCK_TIMEOUT)
        for milliseconds in itertools.cycle((_LOCK_TRY, _LOCK_TRY, _LOCK_TRY + noticed)):
            self.session.execute(f"SAVEPOINT windlass_lock; SET LOCAL lock_timeout = {milliseconds}")
            try:
                self.session.execute(f"LOCK TABLE {self.old.sql} IN ACCESS EXCLUSIVE MODE")
            except RetryableError as exc:
                if not lock_timed_out(exc) or time.monotonic() > deadline:
                    raise
                self.session.execute("ROLLBACK TO SAVEPOINT windlass_lock")
                time.sleep(_LOCK_PAUSE)
            else:
                self.session.execute("SET LOCAL lock_timeout = 0")
                return

    def _rows(self, sql: str, *args: object) -> list[Any]:
        return self.session.fetch(sql, self.old.oid, *args)

    def _written(self, queries: Sequence[str]) -> list[str]:
        """The statements that queries on the catalog write, about the table's final name."""
        return [row["statement"] for sql in queries for row in self._rows(sql, self.old.sql)]

    def _run(self, sql: str, *args: object) -> None:
        for row in self._rows(sql, *args):
            self.session.execute(row["statement"])


def _temporary(what: str, oid: int) -> str:
    return f"_windlass_{what}_{oid}"
