"""A collection as the source of a copy.

The documents are kept in a scratch file as the server sent them, and are looked at twice: once for the fields and types
that there are, once for the values. So every value is read with the type that MongoDB has for it, and the two
looks see the same documents whatever is written meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from windlass.connectors.ends import ConnectedEnd
from windlass.connectors.mongodb import options
from windlass.connectors.mongodb.client import Connection, not_there
from windlass.connectors.mongodb.connector import CONNECTOR
from windlass.connectors.mongodb.extended_json import from_plain
from windlass.connectors.mongodb.reading.fields import Field, Fields
from windlass.connectors.mongodb.reading.spool import Spool
from windlass.connectors.mongodb.reading.wanted import wanted
from windlass.connectors.relations import ArrowRelation, records_relation
from windlass.connectors.rows import BadRow, Column
from windlass.connectors.scratch import Scratch
from windlass.connectors.source import BaseSource, Reading, Relation
from windlass.errors import FatalError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["MongodbSource"]


class MongodbSource(BaseSource):
    """A collection. Implements `Source`."""

    def __init__(self, end: ConnectedEnd[options.Source]) -> None:
        self.options, self.address = end.options, end.address
        self.name = f"{end.connection}.{end.options.collection}"
        self.connection = Connection(end.address)
        with self.connection.closed_on_error():
            known = self.connection.collections()
            if self.options.collection not in known:
                raise not_there(self.name, self.options.collection, known)
        self._has_collation = "collation" in known[self.options.collection].get("options", {})

    def close(self) -> None:
        self.connection.close()

    def fingerprint(self) -> dict[str, object]:
        return {
            "type": CONNECTOR.type,
            "server": f"{self.address.host}:{self.address.port}/{self.address.database}",
            "collection": self.options.collection,
            "filter": self.options.filter,
            "projection": self.options.projection,
        }

    def open(self, reading: Reading, scratch: Scratch) -> Relation:
        spool = Spool(self.name, scratch.folder / f"{scratch.new_name()}.bson")
        with self.connection.errors():
            spool.fill(self._found(reading))
        fields = Fields(self.name)
        for documents in spool.read():
            fields.see(documents)
        if not fields.documents:
            return records_relation(self.name, (), reading, scratch)
        return DocumentsRelation(self.name, spool, fields, reading, scratch)

    def _found(self, reading: Reading) -> Iterator[bytes]:
        """What the server sends: batches of documents, one after the other."""
        collection = self.connection.database[self.options.collection]
        conditions = [self._said("filter"), *wanted(reading)]
        # the scratch database compares text as it is, so the server has to do the same
        yield from collection.find_raw_batches(
            {"$and": conditions} if len(conditions) > 1 else conditions[0],
            self._said("projection") or None,
            batch_size=10_000,
            collation={"locale": "simple"} if self._has_collation and reading.since is not None else None,
        )

    def _said(self, key: str) -> Any:
        """A filter or projection, as the driver takes it."""
        try:
            return from_plain(getattr(self.options, key))
        except ValueError as exc:
            raise FatalError(f"{self.name}: `{key}` is not valid Extended JSON: {exc}") from exc


class DocumentsRelation(ArrowRelation):
    """The documents of one reading, a column a field."""

    def __init__(self, name: str, spool: Spool, fields: Fields, reading: Reading, scratch: Scratch) -> None:
        self._fields, self._spool = fields.checked(), spool
        schema = _schema(self._fields)
        super().__init__(name, schema, _Batches(spool, self._fields, schema), reading, scratch)

    def columns(self) -> list[Column]:
        super().columns()  # an incremental reading finds its mark there
        return [field.column for field in self._fields]

    def rejected(self) -> list[BadRow]:
        return self._spool.rejected


class _Batches:
    """The batches of a spool, as often as they are asked for."""

    def __init__(self, spool: Spool, fields: Sequence[Field], schema: pa.Schema) -> None:
        self._spool, self._fields, self._schema = spool, fields, schema

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        for documents in self._spool.read():
            arrays = [
                pa.array([field.read(document.get(field.name)) for document in documents], field.arrow())
                for field in self._fields
            ]
            yield pa.RecordBatch.from_arrays(arrays, schema=self._schema)


def _schema(fields: Sequence[Field]) -> pa.Schema:
    import pyarrow as pa

    return pa.schema([(field.name, field.arrow()) for field in fields])
