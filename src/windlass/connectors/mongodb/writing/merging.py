"""`mode: merge`: which documents have the key of a row, and what becomes of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from windlass import logs
from windlass.connectors.mongodb.client import Connection
from windlass.connectors.mongodb.writing.documents import shown
from windlass.connectors.mongodb.writing.lookups import Numbered, Taken, found_by, key_of
from windlass.connectors.mongodb.writing.stage import Index, Refuse, Stage
from windlass.connectors.rows import BadRow, Counts, Meter, Reason
from windlass.connectors.sql.merging import key_not_unique

__all__ = ["Merging"]


class Merging:
    """Stages what a merge changes: of each row the document as it will be, so that a validator sees all of it."""

    def __init__(
        self,
        connection: Connection,
        collection: str,
        key: Sequence[str],
        indexes: Sequence[Index],
        counts: Counts,
        *,
        brings_id: bool,
    ) -> None:
        self._connection, self._collection, self._key, self._counts = (
            connection,
            collection,
            list(key),
            counts,
        )
        self._brings_id = brings_id
        others = [each for each in indexes if each.get("unique") and list(each["key"]) != self._key]
        self._taken = Taken(connection, collection, others)
        counts.inserted = counts.updated = counts.unchanged = 0
        if indexes and self._key[0] not in [next(iter(index["key"])) for index in indexes]:
            logs.warning("merge_without_index", collection=collection, key=", ".join(self._key))

    def stage(self, documents: Sequence[Numbered], stage: Stage, refuse: Refuse, meter: Meter) -> None:
        """Look for the documents with the keys of these, and stage what will be different."""
        from bson import encode

        found = found_by(self._connection, self._collection, self._key, documents)
        wanted: list[Numbered] = []
        changes: set[int] = set()
        for number, document in documents:
            same = found.get(key_of(document, self._key), [])
            if len(same) > 1:
                raise key_not_unique(self._key)
            if not same:
                wanted.append((number, document))
                continue
            image = self._image(same[0], document, number, refuse)
            if image is not None and encode(image) == encode(same[0]):
                self._note(unchanged=1)
            elif image is not None:
                changes.add(number)
                wanted.append((number, image))
        kept = stage.insert(self._taken.without(wanted, refuse), refuse)
        self._note(updated=len(kept.keys() & changes), inserted=len(kept.keys() - changes))
        self._counts.bytes += sum(kept.values())
        meter(len(documents), sum(kept.values()))

    def _image(
        self, there: dict[str, Any], document: dict[str, Any], number: int, refuse: Refuse
    ) -> dict[str, Any] | None:
        """The document that is there as it will be; None where that cannot be."""
        if self._brings_id and document["_id"] != there["_id"]:
            said = "the document with this key has another `_id`, which cannot change"
            refuse(BadRow(Reason.REFUSED, said, "_id", record=shown(document)), number)
            return None
        return {**there, **document, "_id": there["_id"]}

    def _note(self, *, inserted: int = 0, updated: int = 0, unchanged: int = 0) -> None:
        counts = self._counts
        counts.inserted = (counts.inserted or 0) + inserted
        counts.updated = (counts.updated or 0) + updated
        counts.unchanged = (counts.unchanged or 0) + unchanged
        counts.written = counts.inserted + counts.updated + counts.unchanged
