"""What a committed load does to the collection. All of it can be repeated, and is, after a process was killed in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from windlass import failpoints
from windlass.connectors.mongodb.client import Connection
from windlass.connectors.mongodb.writing.ledger import Committed
from windlass.connectors.mongodb.writing.stage import read_raw, write_errors
from windlass.errors import FatalError

__all__ = ["AT_ONCE", "apply", "within"]

AT_ONCE = 1000  # documents of one bulk
_DUPLICATE_KEY, _NOT_IMPLEMENTED = 11000, 238


def apply(connection: Connection, collection: str, load: Committed) -> None:
    """Bring what waits in the stage to the collection. Raises FatalError for documents that it refuses by now."""
    known = connection.collections()
    if load.stage not in known:
        return  # it was renamed, or dropped when all had been applied
    stage, target = connection.database[load.stage], connection.database[collection]
    with connection.errors():
        if load.mode == "replace" or (load.is_new and collection not in known):
            _take_the_place(stage, target, drops=load.mode == "replace")
            failpoints.reach("mid-apply")
            return
        if load.interval is not None:
            target.delete_many(within(load.interval))
        refused = _written(stage, target, _upsert(load.fields) if load.mode == "merge" else _insert)
        if refused:
            raise _refusal(collection, load.stage, refused)
        stage.drop()


def within(interval: Mapping[str, Any]) -> dict[str, Any]:
    """A filter for the documents of an interval."""
    return {interval["field"]: {"$gte": interval["start"], "$lt": interval["end"]}}


def _take_the_place(stage: Any, target: Any, *, drops: bool) -> None:
    """Make the stage the collection, at once; FerretDB cannot, and there is none for a moment."""
    from pymongo.errors import OperationFailure

    try:
        stage.rename(target.name, dropTarget=drops)
    except OperationFailure as exc:
        if exc.code != _NOT_IMPLEMENTED:
            raise
        target.drop()
        stage.rename(target.name)


def _written(stage: Any, target: Any, write: Callable[[Any, Sequence[Any]], None]) -> list[str]:
    """Write all documents. Returns what the server says of those that it refuses."""
    from pymongo.errors import BulkWriteError

    refused: list[str] = []
    for documents in read_raw(stage, AT_ONCE):
        try:
            write(target, documents)
        except BulkWriteError as exc:
            refused += _really_refused(target, documents, write_errors(exc))
        failpoints.reach("mid-apply")
    return refused


def _insert(target: Any, documents: Sequence[Any]) -> None:
    target.insert_many(documents, ordered=False)


def _upsert(fields: Sequence[str]) -> Callable[[Any, Sequence[Any]], None]:
    """Set these fields only: what else a document has is whoever's it is."""
    if not fields:
        return _insert

    def write(target: Any, documents: Sequence[Any]) -> None:
        from pymongo import UpdateOne

        target.bulk_write(
            [
                UpdateOne({"_id": each["_id"]}, {"$set": {name: each[name] for name in fields}}, upsert=True)
                for each in documents
            ],
            ordered=False,
        )

    return write


def _really_refused(
    target: Any, documents: Sequence[Any], errors: Mapping[int, Mapping[str, Any]]
) -> list[str]:
    """What is not there already as it should be: a part that was applied before is met again."""
    met = [documents[i]["_id"] for i, error in errors.items() if error.get("code") == _DUPLICATE_KEY]
    found = read_raw(target, AT_ONCE, {"_id": {"$in": met}})
    there = {bytes(document.raw) for some in found for document in some}
    return [str(error.get("errmsg")) for i, error in errors.items() if bytes(documents[i].raw) not in there]


def _refusal(collection: str, stage: str, refused: Sequence[str]) -> FatalError:
    shown = "".join(f"\n  {said}" for said in refused[:5])
    return FatalError(
        f"{collection} has changed since its rows were checked, and now refuses {len(refused)} of them:{shown}",
        hint=f"the load is committed: change what is in the way, or remove these documents from {stage}, where they "
        "wait; the next load into this collection applies them first",
    )
