"""The collection in which the documents of a load wait until it is committed.

It has the validator and the unique indexes of the one that they are for, so that what that one would refuse is refused
here, with the server's own reason, and quarantined before anything counts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from windlass.connectors.mongodb.client import OURS, Connection
from windlass.connectors.mongodb.writing.documents import raw, shown
from windlass.connectors.rows import BadRow, Reason
from windlass.errors import RetryableError

__all__ = ["Index", "Refuse", "Stage", "indexes_of", "read_raw", "stages_of", "write_errors"]

Index: TypeAlias = dict[str, Any]
"""What the server says of an index: `key`, `name`, `unique`, ...."""

Refuse: TypeAlias = Callable[[BadRow, int], None]

_OPTIONS = (
    "validator",
    "validationLevel",
    "validationAction",
    "collation",
    "storageEngine",
    "clusteredIndex",
)
"""What a collection keeps when it is replaced."""

_DUPLICATE_KEY, _VALIDATION = 11000, 121
_REASONS = {_DUPLICATE_KEY: Reason.UNIQUE_VIOLATION, _VALIDATION: Reason.CHECK_VIOLATION}
_OF_AN_INDEX = ("v", "ns", "key", "background")


class Stage:
    """A new collection beside the one of that name."""

    def __init__(self, connection: Connection, collection: str, number: int) -> None:
        self.name = f"{_prefix(collection)}{number}"
        self._connection = connection
        self.collection = connection.database[self.name]

    def make(self, like: Mapping[str, Any] | None, indexes: Sequence[Index]) -> None:
        """Make it, with the options of a collection and these indexes."""
        options = {} if like is None else {k: v for k, v in like["options"].items() if k in _OPTIONS}
        with self._connection.errors():
            self.collection.drop()
            self._connection.database.create_collection(self.name, **options)
            for index in indexes:
                if index["name"] != "_id_":
                    others = {key: value for key, value in index.items() if key not in _OF_AN_INDEX}
                    self.collection.create_index(list(index["key"].items()), **others)

    def insert(self, documents: Sequence[tuple[int, Mapping[str, Any]]], refuse: Refuse) -> dict[int, int]:
        """Insert documents, each with the number of its row. Returns the bytes of those that are in it, by number.

        Those that the server does not take are handed to `refuse`.
        """
        from bson.raw_bson import RawBSONDocument

        made: list[tuple[int, bytes, Mapping[str, Any]]] = []
        for number, fields in documents:
            text = raw(fields)
            if isinstance(text, BadRow):
                refuse(text, number)
            else:
                made.append((number, text, fields))
        refused = self._refused([RawBSONDocument(text) for _, text, _ in made])
        for position in sorted(refused):
            number, _, fields = made[position]
            refuse(bad_document(refused[position], fields), number)
        return {number: len(text) for i, (number, text, _) in enumerate(made) if i not in refused}

    def _refused(self, documents: Sequence[Any]) -> dict[int, dict[str, Any]]:
        """Insert them. Returns the errors of those that the server does not take, by position."""
        from pymongo.errors import BulkWriteError

        if not documents:
            return {}
        with self._connection.errors():
            try:
                self.collection.insert_many(documents, ordered=False)
            except BulkWriteError as exc:
                return write_errors(exc)
        return {}

    def drop(self) -> None:
        with self._connection.errors():
            self.collection.drop()


def read_raw(collection: Any, at_once: int, wanted: Mapping[str, Any] | None = None) -> Iterator[list[Any]]:
    """Documents as they are stored, some at a time."""
    from bson.codec_options import CodecOptions, DatetimeConversion
    from bson.raw_bson import RawBSONDocument

    codec: Any = CodecOptions(
        document_class=RawBSONDocument, datetime_conversion=DatetimeConversion.DATETIME_MS
    )
    gathered: list[Any] = []
    for document in collection.with_options(codec).find(wanted or {}, batch_size=at_once):
        gathered.append(document)
        if len(gathered) == at_once:
            yield gathered
            gathered = []
    if gathered:
        yield gathered


def write_errors(exc: Any) -> dict[int, dict[str, Any]]:
    """What a bulk of writes says of single ones, by their positions. Raises RetryableError for one of the whole."""
    details = exc.details or {}
    if details.get("writeConcernErrors"):
        said = details["writeConcernErrors"][0].get("errmsg", "a write was not confirmed")
        raise RetryableError(f"mongodb: {said}") from exc
    return {error["index"]: error for error in details.get("writeErrors", ())}


def bad_document(error: Mapping[str, Any], fields: Mapping[str, Any]) -> BadRow:
    """The row of a document that the server does not take, from what it says of it."""
    code = error.get("code")
    said = str(error.get("errmsg", "the server does not take it"))
    if code == _VALIDATION:
        said = f"{said}: {_why_not_valid(error)}".removesuffix(": ")
    return BadRow(_REASONS.get(code or 0, Reason.REFUSED), said, record=shown(fields))


def _why_not_valid(error: Mapping[str, Any]) -> str:
    """The rules that a document breaks, as the validator of its collection says them."""
    details = error.get("errInfo", {}).get("details", {})
    rules = details.get("schemaRulesNotSatisfied")
    if not rules:
        return str(details.get("operatorName", ""))
    return "; ".join(str(rule.get("operatorName", rule)) + _names_in(rule) for rule in rules)


def _names_in(rule: Mapping[str, Any]) -> str:
    names = [*rule.get("missingProperties", ())]
    names += [found["propertyName"] for found in rule.get("propertiesNotSatisfied", ())]
    return f" ({', '.join(names)})" if names else ""


def indexes_of(connection: Connection, collection: str) -> list[Index]:
    """The indexes of a collection that is there."""
    with connection.errors():
        return [
            {**index, "key": dict(index["key"])} for index in connection.database[collection].list_indexes()
        ]


def stages_of(connection: Connection, collection: str) -> dict[str, int]:
    """The stages that there are for a collection, each with the number of its writer."""
    prefix = _prefix(collection)
    names = [name for name in connection.collections() if name.startswith(prefix)]
    return {name: int(name.removeprefix(prefix)) for name in names}


def _prefix(collection: str) -> str:
    return f"{OURS}_stage_{hashlib.sha256(collection.encode()).hexdigest()[:12]}_"
