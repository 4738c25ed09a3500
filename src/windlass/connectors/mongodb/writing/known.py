"""What the fields of a collection are already.

MongoDB takes anything, so nothing but this keeps a field from having text in one document and a date in the next, because
one file said more of its types than another.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from windlass.connectors.mongodb.client import Connection
from windlass.connectors.mongodb.reading.fields import Fields
from windlass.connectors.mongodb.reading.spool import split
from windlass.connectors.rows import Column

__all__ = ["adapted", "known_types"]

_SAMPLE = 1000  # documents
_DAY = 86_400_000  # milliseconds
_OBJECT_ID = "OBJECTID"
_NUMBERS = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT|U?INTEGER|DECIMAL.*|DOUBLE|FLOAT")
_ISO_TEXT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z?)")


def known_types(connection: Connection, collection: str, *, times_are_text: bool) -> dict[str, str]:
    """The type of each field that has one, of some documents."""
    documents = _sample(connection, collection)
    fields = Fields(collection)
    fields.see(documents)
    types = {}
    for name, seen in fields.by_name.items():
        kinds = {kind.__name__ for kind in seen.types} - {"NoneType"}
        if kinds == {"str"}:
            types[name] = _type_of_text(name, documents) if times_are_text else "VARCHAR"
        elif kinds == {"ObjectId"}:
            types[name] = _OBJECT_ID
        else:
            column = seen.field(name).column
            kind = column.guess or column.type
            if times_are_text and kinds == {"DatetimeMS"}:
                kind = _type_of_dates(name, documents)
            if kind != "VARCHAR":  # else it has several types
                types[name] = kind
    return types


def _sample(connection: Connection, collection: str) -> list[dict[str, Any]]:
    """The first documents, as many as fit into a message of the server."""
    from bson import decode
    from bson.errors import BSONError

    found: list[dict[str, Any]] = []
    with connection.errors():
        for batch in connection.database[collection].find_raw_batches({}, limit=_SAMPLE, batch_size=_SAMPLE):
            for document in split(batch):
                with suppress(BSONError):  # one that cannot be read says nothing
                    found.append(decode(document, connection.database.codec_options))
            break
    return found


def adapted(column: Column, types: Mapping[str, str]) -> Column:
    """The column as the field of its name is, unless that makes no difference, or its type was asked for."""
    known = types.get(column.name)
    if known is None or column.trust == "declared" or _family(known) == _family(column.type):
        return column
    if known == _OBJECT_ID:
        return replace(column, type="VARCHAR", native="objectId", trust="declared")
    return replace(column, type=known, trust="declared")


def _family(kind: str) -> str:
    """Types between which MongoDB makes no difference that matters."""
    if _NUMBERS.fullmatch(kind):
        return "number"
    return "time" if kind.startswith(("DATE", "TIMESTAMP")) else kind


def _type_of_dates(name: str, documents: Iterable[Mapping[str, Any]]) -> str:
    """Days, where times are text; nothing that is kept to, where these are times all the same."""
    values = [document[name] for document in documents if document.get(name) is not None]
    return "DATE" if all(int(value) % _DAY == 0 for value in values) else "VARCHAR"


def _type_of_text(name: str, documents: Iterable[Mapping[str, Any]]) -> str:
    """Text; or a time, where all of it is as we write times with microseconds."""
    texts = [document[name] for document in documents if document.get(name) is not None]
    found = [_ISO_TEXT.fullmatch(text) for text in texts]
    if not all(found):
        return "VARCHAR"
    return "TIMESTAMP WITH TIME ZONE" if found[0] is not None and found[0][1] else "TIMESTAMP"
