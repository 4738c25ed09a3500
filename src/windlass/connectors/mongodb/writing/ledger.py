"""The ledger in MongoDB, where no transaction holds rows and ledger together.

`_windlass_writers` has a document for each collection: the number of its latest writer, and, from the moment at which a load
is committed until all of it has been applied, that load. To commit is one update of that document, on the condition
that the number is still the writer's own: it happens or does not, and a writer that was overtaken cannot. What was committed
waits in a collection beside; to apply it can be repeated, so whoever comes next finishes what a killed process left.
`_windlass_loads` has the loads that were applied.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from windlass.connectors.mongodb.client import OURS, Connection
from windlass.connectors.mongodb.writing.turns import Turn, take_turn
from windlass.errors import WindlassError
from windlass.ledger import LONG_MARK, LedgerEntry, commit_time, fenced

if TYPE_CHECKING:
    from pymongo.collection import Collection

__all__ = ["Committed", "Ledger"]

_NAMES = [each.name for each in fields(LedgerEntry)]


@dataclass(frozen=True)
class Committed:
    """A load that counts, and of which perhaps not everything has been applied."""

    entry: LedgerEntry
    stage: str
    """The collection in which its documents wait."""

    mode: str
    is_new: bool = False
    """There was no such collection, so the one beside becomes it."""

    fields: list[str] = field(default_factory=list)
    """For `merge`: those that are set."""

    interval: dict[str, Any] | None = None
    """For `delete_insert`: the field, and the first value and the one past the last that give way."""


class Ledger:
    """The ledger for one collection."""

    def __init__(self, connection: Connection, collection: str) -> None:
        self._connection, self._collection = connection, collection
        self.turn: Turn | None = None

    def take_turn(self, entry: LedgerEntry) -> Turn:
        """Become the latest writer, when it is the load's turn."""
        self.turn = take_turn(self._connection, self._writers(), self._collection, entry)
        return self.turn

    def unfinished(self, turn: Turn) -> Committed | None:
        """The load that an earlier writer has committed and not finished."""
        return self._read(turn.taken)

    def fence(self, loads: list[str]) -> Committed | None:
        """Keep the starts of these ids from committing. Returns the load of one that has, and was not finished."""
        mine = {"_id": self._collection, "writer.load_id": {"$in": loads}}
        with self._connection.errors():
            self._writers().update_one(mine, {"$inc": {"number": 1}, "$unset": {"writer": ""}})
            found = self._writers().find_one({"_id": self._collection})
        committed = None if found is None else self._read(found)
        return committed if committed is not None and committed.entry.load_id in loads else None

    def commit(self, load: Committed) -> Committed:
        """Have the load count. Raises FencedError when another writer took over; with any other error it may count."""
        committed_at = commit_time(self._latest_commit(load.entry))
        made = replace(load, entry=replace(load.entry, committed_at=committed_at))
        assert self.turn is not None
        mine = {"_id": self._collection, "number": self.turn.number}
        try:
            with self._connection.errors():
                done = self._writers().update_one(mine, {"$set": {"committed": asdict(made)}})
        except WindlassError:
            with suppress(WindlassError):
                if self.has_committed(made.entry):  # only the answer was lost
                    return made
            raise
        if done.matched_count == 0:
            raise fenced(self._collection)
        return made

    def has_committed(self, entry: LedgerEntry) -> bool:
        """Whether this very start of a load counts, and may not have been applied yet."""
        with self._connection.errors():
            found = self._writers().find_one({"_id": self._collection})
        committed = None if found is None else self._read(found)
        return committed is not None and committed.entry.load_id == entry.load_id

    def finish(self, load: Committed) -> None:
        """Note that the load has been applied."""
        entry = load.entry
        with self._connection.errors():
            if entry.is_how_far:  # only the latest is ever asked for
                same = {**self._of_task(entry), "has_long_mark": True}
                self._loads().update_many(same, {"$set": {"cursor": None}, "$unset": {"has_long_mark": ""}})
            self._loads().replace_one(self._key(entry), self._written(entry), upsert=True)
            self._writers().update_one(
                {"_id": self._collection, "committed.entry.load_id": entry.load_id},
                {"$unset": {"committed": ""}},
            )

    def find(self, entry: LedgerEntry) -> LedgerEntry | None:
        """The entry of the same load, if it was applied."""
        with self._connection.errors():
            found = self._loads().find_one(self._key(entry))
        return None if found is None else LedgerEntry(**{name: found[name] for name in _NAMES})

    def last_cursor(self, entry: LedgerEntry) -> str | None:
        """The cursor of the latest load of the same pipeline and task into this collection."""
        wanted = {**self._of_task(entry), "cursor": {"$ne": None}}
        with self._connection.errors():
            found = self._loads().find_one(wanted, sort=[("committed_at", -1)])
        return None if found is None else str(found["cursor"])

    def _latest_commit(self, entry: LedgerEntry) -> str | None:
        with self._connection.errors():
            found = self._loads().find_one(self._of_task(entry), sort=[("committed_at", -1)])
        return None if found is None else str(found["committed_at"])

    def _read(self, writer: dict[str, Any]) -> Committed | None:
        found = writer.get("committed")
        if found is None:
            return None
        entry = LedgerEntry(**{name: found["entry"][name] for name in _NAMES})
        return Committed(**{**found, "entry": entry})

    def _key(self, entry: LedgerEntry) -> dict[str, Any]:
        names = ("pipeline", "task", "run_key", "part")
        return {"_id": {**dict(zip(names, entry.key, strict=True)), "collection": self._collection}}

    def _written(self, entry: LedgerEntry) -> dict[str, Any]:
        is_long = entry.is_how_far and len(str(entry.cursor)) > LONG_MARK
        return {**self._key(entry), **asdict(entry), **({"has_long_mark": True} if is_long else {})}

    def _of_task(self, entry: LedgerEntry) -> dict[str, Any]:
        """A filter for the loads of the same pipeline and task."""
        return {
            "_id.pipeline": entry.pipeline,
            "_id.task": entry.task,
            "_id.collection": self._collection,
        }

    def _loads(self) -> Collection[dict[str, Any]]:
        return self._durable(f"{OURS}_loads")

    def _writers(self) -> Collection[dict[str, Any]]:
        return self._durable(f"{OURS}_writers")

    def _durable(self, name: str) -> Collection[dict[str, Any]]:
        """What is written there is not lost with a server, and what is read there was not, either."""
        from pymongo.read_concern import ReadConcern
        from pymongo.read_preferences import ReadPreference
        from pymongo.write_concern import WriteConcern

        return self._connection.database.get_collection(
            name,
            read_preference=ReadPreference.PRIMARY,
            write_concern=WriteConcern("majority"),
            read_concern=ReadConcern("majority"),
        )
