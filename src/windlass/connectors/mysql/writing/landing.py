"""What the rows of a load go into: the table itself, or one beside that takes its place (swapping.py).

A table gets columns, and wider ones, before the transaction of the load: MySQL commits with every ALTER. A load that is killed
right then leaves a column without values, or one with room to spare.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from windlass.connectors.mysql import options
from windlass.connectors.mysql.catalog import Table, find_table
from windlass.connectors.mysql.names import text
from windlass.connectors.mysql.session import Session
from windlass.connectors.mysql.writing.swapping import Swap, can_be_swapped
from windlass.connectors.rows import Column
from windlass.connectors.scratch import identifier
from windlass.errors import FatalError, WindlassError

__all__ = ["Landing"]


class Landing:
    """Where the rows of one start of a load go."""

    def __init__(
        self, session: Session, place: tuple[str, str], wanted: options.Destination, load_id: str
    ) -> None:
        self._session, self._options = session, wanted
        self._schema, self._name = place
        self.place = f"{identifier(self._schema)}.{identifier(self._name)}"
        self.table = find_table(session, self._schema, self._name)
        """What is there already."""

        self.swap = Swap(session, self._schema, self._name, load_id)
        self.swaps = False

    @property
    def sql(self) -> str:
        """What to write for the table after INSERT INTO."""
        return self.swap.sql if self.swaps else self.place

    def prepare(self, columns: Sequence[Column], grown: Sequence[Column], widened: Sequence[Column]) -> Table:
        """Have the table that the rows go into, and say what it is like."""
        if self.table is None:
            self.swap.make(self._definitions(columns))
            self.swaps = True
        elif self._options.mode == "replace" and can_be_swapped(self._session, self.table):
            self.swap.make_like(self._next_number())
            self.swaps = True
        if grown:
            added = ", ".join(f"ADD COLUMN {identifier(c.name)} {c.native} NULL" for c in grown)
            self._session.execute(f"ALTER TABLE {self.sql} {added}")
        if widened:
            self._widen(widened)
        found = self.swap.found() if self.swaps else find_table(self._session, self._schema, self._name)
        assert found is not None
        return found

    def forget(self) -> None:
        """Drop what takes no place."""
        self.swap.drop()
        self.swaps = False

    def _definitions(self, columns: Sequence[Column]) -> str:
        key = self._options.key
        made = [f"{identifier(c.name)} {c.native} {'NOT NULL' if c.name in key else 'NULL'}" for c in columns]
        if key:
            made.append(f"PRIMARY KEY ({', '.join(map(identifier, key))})")
        return ", ".join(made)

    def _next_number(self) -> int | None:
        if not self._session.is_mariadb:
            self._session.execute("SET information_schema_stats_expiry = 0")
        found = self._session.value(
            "SELECT AUTO_INCREMENT FROM information_schema.TABLES "
            f"WHERE TABLE_SCHEMA = {text(self._schema)} AND TABLE_NAME = {text(self._name)}"
        )
        return None if found is None else int(found)

    def _widen(self, columns: Sequence[Column]) -> None:
        """Give columns other types, and leave all else that is said of them."""
        said = str(self._session.rows(f"SHOW CREATE TABLE {self.sql}")[0][1])
        there = {column.name: column.kind for column in self.table.columns} if self.table else {}
        changes = [_retyped(said, column, there[column.name]) for column in columns]
        try:
            self._session.execute(f"ALTER TABLE {self.sql} {', '.join(changes)}")
        except WindlassError as exc:
            names = ", ".join(f"{c.name!r} to {c.native}" for c in columns)
            hint = "change the type by hand, or load what fits with `on_type_change: keep`"
            raise FatalError(f"cannot widen {names}: {exc.message}", hint=hint) from exc


def _retyped(said: str, column: Column, kind: str) -> str:
    """The change of a column's type, from the text of the table. Raises FatalError where that is not understood."""
    name = identifier(column.name)
    found = re.search(rf"^\s*{re.escape(name)} {re.escape(kind)}(?P<rest>.*?),?$", said, re.MULTILINE)
    if found is None or found["rest"].count("'") % 2:
        message = f"cannot widen {column.name!r}: its definition is not understood"
        raise FatalError(message, hint=f"change its type to {column.native} by hand")
    return f"MODIFY COLUMN {name} {column.native}{found['rest']}"
