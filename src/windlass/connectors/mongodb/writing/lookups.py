"""What a collection has already: the documents with the key of a row, and those that take a unique key of one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from windlass.connectors.mongodb.client import Connection
from windlass.connectors.mongodb.writing.documents import shown
from windlass.connectors.mongodb.writing.stage import Index, Refuse
from windlass.connectors.rows import BadRow, Reason

__all__ = ["Numbered", "Taken", "found_by", "key_of"]

Numbered: TypeAlias = tuple[int, dict[str, Any]]
"""The number of a row, and its document."""


def key_of(document: Mapping[str, Any], names: Iterable[str]) -> tuple[Any, ...]:
    """What is the same for two documents with the same values in these fields, as MongoDB compares them."""
    return tuple(_comparable(document.get(name)) for name in names)


def _comparable(value: Any) -> Any:
    """Numbers of all types are compared as numbers; nothing else is like a value of another type."""
    kind = type(value).__name__
    if kind in ("int", "Int64", "float"):
        return value
    if kind == "Decimal128":
        number = value.to_decimal()
        return number if number.is_finite() else str(number)
    if kind in ("dict", "list"):
        from bson import encode

        return kind, encode({"": value})
    return kind, value


def found_by(
    connection: Connection,
    collection: str,
    names: Sequence[str],
    documents: Iterable[Numbered],
    also: Mapping[str, Any] | None = None,
) -> dict[tuple[Any, ...], list[dict[str, Any]]]:
    """The documents of the collection that have the values of these in the fields, by `key_of`."""
    values = [{name: document.get(name) for name in names} for _, document in documents]
    if not values:
        return {}
    same: dict[str, Any] = {"$or": values}
    if len(names) == 1:
        same = {names[0]: {"$in": [value[names[0]] for value in values]}}
    found: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    with connection.errors():
        for document in connection.database[collection].find({"$and": [same, also]} if also else same):
            found.setdefault(key_of(document, names), []).append(document)
    return found


class Taken:
    """Refuses documents whose unique key another one of the collection has.

    The server would refuse them only when they count already. What is not seen here, such as the elements of an array,
    it does refuse then.
    """

    def __init__(
        self,
        connection: Connection,
        collection: str,
        indexes: Iterable[Index],
        leaving: Mapping[str, Any] | None = None,
    ) -> None:
        self._connection, self._collection = connection, collection
        self._indexes = [index for index in indexes if _is_plain(index)]
        self._also = {"$nor": [leaving]} if leaving is not None else None

    def without(self, documents: Sequence[Numbered], refuse: Refuse) -> list[Numbered]:
        """The documents that are not refused."""
        left = list(documents)
        for index in self._indexes:
            names = list(index["key"])
            looked_at = [each for each in left if not (index.get("sparse") and _lacks(each[1], names))]
            found = found_by(self._connection, self._collection, names, looked_at, self._also)
            if found:
                left = [each for each in left if not self._is_taken(each, names, found, refuse)]
        return left

    def _is_taken(
        self,
        numbered: Numbered,
        names: Sequence[str],
        found: Mapping[tuple[Any, ...], Sequence[Mapping[str, Any]]],
        refuse: Refuse,
    ) -> bool:
        number, document = numbered
        others = [
            o
            for o in found.get(key_of(document, names), ())
            if names == ["_id"] or o["_id"] != document["_id"]
        ]
        if others:
            said = f"the unique key ({', '.join(names)}) is taken"
            refuse(BadRow(Reason.UNIQUE_VIOLATION, said, names[0], record=shown(document)), number)
        return bool(others)


def _is_plain(index: Index) -> bool:
    """Whether two documents with the same values in the fields are refused by it, and only those."""
    if "partialFilterExpression" in index or "collation" in index:
        return False
    return all(order in (1, -1) and "." not in name for name, order in index["key"].items())


def _lacks(document: Mapping[str, Any], names: Iterable[str]) -> bool:
    return not any(name in document for name in names)
