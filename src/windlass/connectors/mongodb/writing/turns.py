"""Whose turn it is at a collection: a load waits until the one before is done or gone.

MongoDB does not tell who is connected. So a load gives a sign of life now and then, a number that grows, and who waits
counts the time without one by a clock of its own. That is about patience only: a writer that was taken for gone and is
not, is overtaken, and cannot commit (ledger.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from windlass.connectors.mongodb.client import Connection
from windlass.ledger import LedgerEntry
from windlass.turns import Heartbeat, SignsOfLife, Waiting

if TYPE_CHECKING:
    from pymongo.collection import Collection

__all__ = ["Turn", "take_turn"]

_KEY = ("pipeline", "task", "run_key", "part")


class Turn:
    """The turn of one load, with signs of life until it leaves. `taken` is the document of its collection."""

    def __init__(
        self, connection: Connection, writers: Collection[dict[str, Any]], taken: dict[str, Any]
    ) -> None:
        self.number, self.taken = int(taken["number"]), taken
        self._connection, self._writers = connection, writers
        self._mine = {"_id": taken["_id"], "number": self.number}
        self._heart = Heartbeat(connection.silence, self._give_sign)

    def leave(self) -> None:
        """Let others have the turn."""
        self._heart.stop()
        with self._connection.errors():
            self._writers.update_one(self._mine, {"$unset": {"writer": ""}})

    def _give_sign(self) -> None:
        with self._connection.errors():
            self._writers.update_one(self._mine, {"$inc": {"signs": 1}})


def take_turn(
    connection: Connection, writers: Collection[dict[str, Any]], collection: str, entry: LedgerEntry
) -> Turn:
    """Wait for the turn of a load. A second start of the same load does not wait: it takes the turn of the first.

    Raises RetryableError when that takes too long.
    """
    waiting, signs = Waiting(collection), SignsOfLife(connection.silence)
    while True:
        with connection.errors():
            found = writers.find_one({"_id": collection}) or {"_id": collection}
            writer = found.get("writer")
            has_left = signs.are_missing(found.get("number"), found.get("signs"))
            if writer is None or _is_same(writer, entry) or has_left:
                taken = _taken(writers, found, entry)
                if taken is not None:
                    return Turn(connection, writers, taken)
                continue
        waiting.pause([writer["name"]])


def _is_same(writer: dict[str, Any], entry: LedgerEntry) -> bool:
    return tuple(writer[name] for name in _KEY) == entry.key


def _taken(
    writers: Collection[dict[str, Any]], found: dict[str, Any], entry: LedgerEntry
) -> dict[str, Any] | None:
    """The document with this load as its latest writer; None when somebody else was quicker."""
    from pymongo import ReturnDocument
    from pymongo.errors import DuplicateKeyError

    writer = {**dict(zip(_KEY, entry.key, strict=True)), "name": entry.name, "load_id": entry.load_id}
    number = found.get("number")
    as_found = {"_id": found["_id"], **({} if number is None else {"number": number})}
    change = {"$inc": {"number": 1}, "$set": {"writer": writer}}
    try:
        return writers.find_one_and_update(
            as_found, change, upsert=number is None, return_document=ReturnDocument.AFTER
        )
    except DuplicateKeyError:
        return None
