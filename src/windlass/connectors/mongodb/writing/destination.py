"""A collection as the destination of a copy, without transactions.

The documents of a load wait in a collection beside (stage.py); one update of one document commits them (ledger.py); then
they are applied, which can be repeated (applying.py). So a load that was killed has happened or has not, and one that has
is finished by whoever comes next. Readers see a `replace` at once; of the other modes they may see a part, while it is
applied.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any, TypeVar

from windlass import failpoints, logs
from windlass.connectors.destination import BaseDestination, BaseLoad, Traits
from windlass.connectors.ends import ConnectedEnd
from windlass.connectors.mongodb import options
from windlass.connectors.mongodb.client import Connection
from windlass.connectors.mongodb.writing.applying import AT_ONCE, apply, within
from windlass.connectors.mongodb.writing.documents import Document, Documents, check_names, iso_text, storable
from windlass.connectors.mongodb.writing.known import adapted, known_types
from windlass.connectors.mongodb.writing.ledger import Committed, Ledger
from windlass.connectors.mongodb.writing.lookups import Numbered, Taken
from windlass.connectors.mongodb.writing.merging import Merging
from windlass.connectors.mongodb.writing.stage import Index, Stage, indexes_of, stages_of
from windlass.connectors.mongodb.writing.turns import Turn
from windlass.connectors.rows import BadRow, Column, Counts, Meter, Reason, Rows
from windlass.connectors.scratch import Scratch
from windlass.connectors.sql.numbering import numbered_rows
from windlass.errors import FatalError, FencedError, RetryableError, WindlassError
from windlass.ledger import LedgerEntry

__all__ = ["MongodbDestination"]

T = TypeVar("T")


class MongodbDestination(BaseDestination):
    """A collection. Implements `Destination`."""

    traits = Traits(way="arrow → documents", guarantee="idempotent")

    def __init__(self, end: ConnectedEnd[options.Destination]) -> None:
        self.options, self.interval = end.options, end.interval
        self.name = f"{end.connection}.{end.options.collection}"
        self.connection = Connection(end.address)
        with self.connection.closed_on_error():
            self._refuse_views()

    def close(self) -> None:
        self.connection.close()

    def begin(self, entry: LedgerEntry) -> MongodbLoad:
        ledger = Ledger(self.connection, self.options.collection)
        turn = ledger.take_turn(entry)
        try:
            failpoints.reach("during-recovery")
            self._clean_up(ledger, turn)
            return MongodbLoad(self, ledger, turn, entry)
        except BaseException:
            with suppress(WindlassError):  # then others wait until there is no sign of life
                turn.leave()
            raise

    def settle(self, entry: LedgerEntry, loads: Sequence[str]) -> LedgerEntry | None:
        ledger = Ledger(self.connection, self.options.collection)
        unfinished = ledger.fence(list(loads))
        if unfinished is not None:
            self._finish(ledger, unfinished)
        return ledger.find(entry)

    def _refuse_views(self) -> None:
        found = self.connection.collections(self.options.collection).get(self.options.collection)
        if found is not None and found.get("type", "collection") != "collection":
            raise FatalError(f"{self.name} is a {found['type']}, and a copy only writes to a collection")

    def _clean_up(self, ledger: Ledger, turn: Turn) -> None:
        """Finish what an earlier writer has committed, and remove what it has not."""
        unfinished = ledger.unfinished(turn)
        if unfinished is not None:
            self._finish(ledger, unfinished)
        for name, number in stages_of(self.connection, self.options.collection).items():
            if number < turn.number:  # its writer can no longer commit
                with self.connection.errors():
                    self.connection.database.drop_collection(name)

    def _finish(self, ledger: Ledger, load: Committed) -> None:
        logs.info("load_finished", collection=self.options.collection, run_key=load.entry.run_key)
        apply(self.connection, self.options.collection, load)
        ledger.finish(load)


class MongodbLoad(BaseLoad):
    """One load. Implements `Load`."""

    def __init__(
        self, destination: MongodbDestination, ledger: Ledger, turn: Turn, entry: LedgerEntry
    ) -> None:
        self.earlier, self.last_cursor = ledger.find(entry), ledger.last_cursor(entry)
        self._options, self._interval = destination.options, destination.interval
        self._connection, self._ledger, self._turn = destination.connection, ledger, turn
        self._collection = destination.options.collection
        self._stage = Stage(self._connection, self._collection, turn.number)
        is_forced = self.earlier is not None and self._options.mode == "append"
        self._ids = _Identities(entry, self._collection, anew=is_forced)
        self._columns: Sequence[Column] = ()
        self._is_new = False
        self._may_count = False

    def __exit__(self, *_: object) -> None:
        try:
            if not self._may_count:  # else its documents are needed by whoever finishes it
                self._stage.drop()
        finally:
            self._turn.leave()

    def storable(self, column: Column) -> Column:
        return storable(adapted(column, self._known), self._options)

    @cached_property
    def _known(self) -> dict[str, str]:
        times_are_text = self._options.microseconds == "text"
        return known_types(self._connection, self._collection, times_are_text=times_are_text)

    def write(self, rows: Rows, counts: Counts, scratch: Scratch, meter: Meter) -> None:
        """Gather the documents beside the collection."""
        failpoints.reach("before-staging")
        check_names(rows.columns, self._options)
        like = self._connection.collections(self._collection).get(self._collection)
        indexes = indexes_of(self._connection, self._collection) if like is not None else []
        self._columns, self._is_new = rows.columns, like is None
        self._stage.make(like, self._needed(indexes))
        documents = Documents(rows.columns, self._options, rows.refuse)
        if self._options.mode == "merge":
            self._merge(documents, indexes, rows, counts, scratch, meter)
        else:
            self._gather(documents, self._taken(indexes), rows, counts, meter)

    def restart(self) -> None:
        self._stage.drop()

    def commit(self, entry: LedgerEntry) -> None:
        failpoints.reach("before-ledger")
        failpoints.reach("before-commit")
        self._may_count = True
        try:
            load = self._ledger.commit(self._as_committed(entry))
        except FencedError:  # it does not, and never will
            self._may_count = False
            raise
        failpoints.reach("after-ledger")
        try:
            apply(self._connection, self._collection, load)
            self._ledger.finish(load)
        except RetryableError as exc:
            message = f"the load is committed, but could not be applied to its end: {exc.message}"
            hint = (
                "the next load into the collection finishes it first; to start this one again is right, too"
            )
            raise RetryableError(message, hint=hint, code=exc.code) from exc
        failpoints.reach("after-commit")

    def _as_committed(self, entry: LedgerEntry) -> Committed:
        return Committed(
            entry,
            self._stage.name,
            self._options.mode,
            is_new=self._is_new,
            fields=[column.name for column in self._columns if column.name != "_id"],
            interval=self._leaving(),
        )

    def _merge(
        self,
        documents: Documents,
        indexes: Sequence[Index],
        rows: Rows,
        counts: Counts,
        scratch: Scratch,
        meter: Meter,
    ) -> None:
        key = self._options.key
        merging = Merging(self._connection, self._collection, key, indexes, counts, brings_id=self._brings_id)
        for batch, numbers in numbered_rows(rows, key, scratch):
            for made in _some(documents.of(batch, numbers)):
                merging.stage(self._identified(made, rows), self._stage, rows.refuse, meter)
                failpoints.reach("mid-copy")

    def _gather(
        self, documents: Documents, taken: Taken | None, rows: Rows, counts: Counts, meter: Meter
    ) -> None:
        first = 0
        for batch in rows.batches():
            numbers = range(first, first + batch.num_rows)
            first += batch.num_rows
            for made in _some(documents.of(batch, numbers)):
                wanted = self._identified(made, rows)
                if taken is not None:
                    wanted = taken.without(wanted, rows.refuse)
                kept = self._stage.insert(wanted, rows.refuse)
                size = sum(kept.values())
                counts.written += len(kept)
                counts.bytes += size
                meter(len(kept), size)
                failpoints.reach("mid-copy")

    def _identified(self, documents: Sequence[Document], rows: Rows) -> list[Numbered]:
        """The documents with their `_id` in front: the row's own, or one made of the load and the row's number."""
        made = []
        for document in documents:
            fields = document.fields
            identity = fields["_id"] if "_id" in fields else self._ids.of(document.number)
            if identity is None:
                rows.refuse(BadRow(Reason.IS_NULL, "the `_id` is NULL", "_id"), document.number)
            else:
                made.append((document.number, {"_id": identity, **fields}))
        return made

    @property
    def _brings_id(self) -> bool:
        return any(column.name == "_id" for column in self._columns)

    def _needed(self, indexes: Sequence[Index]) -> Sequence[Index]:
        """The indexes of the stage: all for a collection that it becomes, else those that refuse documents."""
        if self._is_new and self._options.key and self._options.key != ("_id",):
            return [{"key": dict.fromkeys(self._options.key, 1), "name": "windlass_key", "unique": True}]
        return (
            indexes if self._options.mode == "replace" else [each for each in indexes if each.get("unique")]
        )

    def _taken(self, indexes: Sequence[Index]) -> Taken | None:
        """What refuses documents that the collection itself would, where its documents stay."""
        if self._options.mode == "replace" or self._is_new:
            return None
        unique = [index for index in indexes if index.get("unique")]
        if self._brings_id:
            unique.append({"key": {"_id": 1}, "name": "_id_"})
        leaving = self._leaving()
        return Taken(self._connection, self._collection, unique, within(leaving) if leaving else None)

    def _leaving(self) -> dict[str, Any] | None:
        """For `delete_insert`: the interval, in the values that its field has."""
        if self._options.mode != "delete_insert":
            return None
        assert self._interval is not None
        types = {column.name: column.type for column in self._columns}
        name = str(self._options.interval)
        start, end = self._interval
        if self._options.microseconds == "text" and types[name] != "DATE":
            return {"field": name, "start": _iso(start), "end": _iso(end)}
        return {"field": name, "start": start, "end": end}


class _Identities:
    """The `_id` of documents whose rows have none: ObjectIds of a hash of the load, and the number of the row.

    The same load makes the same ones, unless it is to be loaded `anew`.
    """

    def __init__(self, entry: LedgerEntry, collection: str, *, anew: bool) -> None:
        what = (*entry.key, collection, entry.load_id if anew else "")
        self._load = hashlib.sha256("\0".join(what).encode()).digest()[:8]

    def of(self, number: int) -> Any:
        from bson.objectid import ObjectId

        return ObjectId(self._load + number.to_bytes(4, "big"))


def _iso(moment: Any) -> str:
    from datetime import UTC, datetime, timedelta

    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return iso_text(since // timedelta(microseconds=1), with_zone=False)


def _some(items: Iterator[T]) -> Iterator[list[T]]:
    """The items, as many at a time as one bulk has."""
    gathered: list[T] = []
    for item in items:
        gathered.append(item)
        if len(gathered) == AT_ONCE:
            yield gathered
            gathered = []
    if gathered:
        yield gathered
