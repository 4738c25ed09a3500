"""Collections of one MongoDB database. Times in the destination are text: MongoDB's own have no microseconds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from bson.decimal128 import Decimal128
from pymongo import MongoClient

from windlass.connections import Address
from windlass.plan.model import Destination, Mode, Source
from windlass.testing import NAMES, Copier, Kit, Row, destination_of, source_of


class MongodbKit(Kit):
    connector = "mongodb"
    fixtures = ("mongodb",)

    def __init__(self, copier: Copier, mongodb: Address) -> None:
        super().__init__(copier)
        self._client: MongoClient[dict[str, Any]] = MongoClient(replace(mongodb, scheme="mongodb").uri())
        self._database, self._made = self._client[mongodb.database], 0
        copier.addresses["mongodb"] = mongodb

    def source(self, rows: Sequence[Row]) -> Source:
        self._made += 1
        name = f"source_{self._made}"
        self._database.create_collection(name)
        for row in rows:
            self._database[name].insert_one(_document(row))
        return source_of(connection="mongodb", collection=name, projection={"_id": 0})

    def add(self, source: Source, row: Row) -> None:
        self._database[source.options["collection"]].insert_one(_document(row))

    def destination(self, mode: Mode = "replace", **options: Any) -> Destination:
        key = ("id",) if mode == "merge" else ()
        return destination_of(
            connection="mongodb", collection="target", mode=mode, key=key, microseconds="text", **options
        )

    def raw(self) -> Iterable[Sequence[Any]]:
        for document in self._database["target"].find():
            day = document.get("day")
            if isinstance(day, datetime):  # a date is one at midnight
                assert day.time().isoformat() == "00:00:00"
                day = day.date()
            found = {**document, "day": day}
            yield [found.get(name) for name in NAMES]

    def left(self) -> list[str]:
        return [*super().left(), *sorted(self._database.list_collection_names())]

    def close(self) -> None:
        self._client.close()


def _document(row: Row) -> dict[str, Any]:
    values = dict(zip(NAMES, row, strict=True))
    return {**values, "amount": Decimal128(row[2])}
