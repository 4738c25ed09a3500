"""A table that is loaded beside, and takes the place of another one by one RENAME.

No transaction holds a RENAME and a row of the ledger together. So the row of the turn says first what will be committed;
then the RENAME commits it; then the ledger gets its row. Whoever comes after a writer that was killed in between sees by
the name of the table which of the two it was: it is still there, and nothing was committed; or it is not, and the load
was, and its row is written now.
"""

from __future__ import annotations

from windlass import failpoints
from windlass.connectors.mysql.catalog import Table, find_table
from windlass.connectors.mysql.names import text
from windlass.connectors.mysql.session import Session
from windlass.connectors.mysql.writing.ledger import Ledger, Writer
from windlass.connectors.scratch import identifier
from windlass.ledger import LedgerEntry

__all__ = ["Swap", "can_be_swapped", "recover"]


class Swap:
    """The tables of one start of a load: the one that is loaded, and the one that gives way."""

    def __init__(self, session: Session, schema: str, table: str, load_id: str) -> None:
        self._session, self._schema = session, schema
        ending = load_id.replace("-", "")[:24]
        self._new, self._old = f"_windlass_new_{ending}", f"_windlass_old_{ending}"
        self._place = f"{identifier(schema)}.{identifier(table)}"
        self.sql = f"{identifier(schema)}.{identifier(self._new)}"

    def make(self, columns: str) -> None:
        """Make the table, of these columns and keys."""
        self._session.execute(
            f"CREATE TABLE {self.sql} ({columns}) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4"
        )

    def make_like(self, next_number: int | None) -> None:
        """Make the table as the one that gives way is. `next_number` is the next one of its AUTO_INCREMENT."""
        self._session.execute(f"CREATE TABLE {self.sql} LIKE {self._place}")
        if next_number is not None:
            self._session.execute(f"ALTER TABLE {self.sql} AUTO_INCREMENT = {next_number}")

    def found(self) -> Table | None:
        """The table that is loaded, as long as it has not taken its place."""
        return find_table(self._session, self._schema, self._new)

    def commit(self, ledger: Ledger, entry: LedgerEntry, *, replaces: bool) -> None:
        """Take the place. Raises FencedError when another writer took over."""
        with self._session.transaction():
            ledger.require_turn(entry)
            ledger.note_swap(entry)
        failpoints.reach("after-ledger")
        failpoints.reach("before-commit")
        gives_way = (
            f"{self._place} TO {identifier(self._schema)}.{identifier(self._old)}, " if replaces else ""
        )
        self._session.execute(f"RENAME TABLE {gives_way}{self.sql} TO {self._place}")
        failpoints.reach("after-commit")
        self.finish(ledger, entry)

    def finish(self, ledger: Ledger, entry: LedgerEntry) -> None:
        """Write the row of a load that has taken its place."""
        with self._session.transaction():
            ledger.record(entry)
            ledger.note_swap(None)
        self.drop()

    def drop(self) -> None:
        """Have none of the two tables."""
        for name in (self._new, self._old):
            if find_table(self._session, self._schema, name) is not None:
                self._session.execute(f"DROP TABLE {identifier(self._schema)}.{identifier(name)}")


def recover(session: Session, ledger: Ledger, schema: str, table: str, before: Writer) -> None:
    """Finish what the writer before has committed, and remove what it has not."""
    swap = Swap(session, schema, table, before.entry.load_id)
    if before.swap is None:
        swap.drop()
    elif swap.found() is None:
        swap.finish(ledger, before.swap)
    else:
        with session.transaction():
            ledger.note_swap(None)
        swap.drop()


def can_be_swapped(session: Session, table: Table) -> bool:
    """Whether a table made like this one is all that this one is: triggers and foreign keys do not come along."""
    here = f"= {text(table.schema)} AND"
    name = text(table.name)
    triggers = f"SELECT 1 FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA {here} EVENT_OBJECT_TABLE = {name}"
    keys = (
        "SELECT 1 FROM information_schema.KEY_COLUMN_USAGE WHERE REFERENCED_TABLE_NAME IS NOT NULL AND "
        f"((TABLE_SCHEMA {here} TABLE_NAME = {name}) OR "
        f"(REFERENCED_TABLE_SCHEMA {here} REFERENCED_TABLE_NAME = {name}))"
    )
    return (
        table.kind == "BASE TABLE"
        and not session.rows(f"{triggers} LIMIT 1")
        and not session.rows(f"{keys} LIMIT 1")
    )
