"""The records of an API as a relation: loaded while they come, where the first of them show what all are like."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from windlass.connectors.files.reading.json import JsonRelation
from windlass.connectors.files.reading.json_stream import JsonStream
from windlass.connectors.record_stream import Piece, first_of, pieces
from windlass.connectors.relations import file_relation, lines_relation
from windlass.connectors.scratch import Scratch
from windlass.connectors.source import Reading, Relation
from windlass.errors import WindlassError
from windlass.files import write_file

__all__ = ["arriving_relation"]


def arriving_relation(
    name: str,
    records: Iterable[bytes],
    reading: Reading,
    scratch: Scratch,
    place_of: Callable[[int], str],
    names: Sequence[str] = (),
) -> Relation:
    """As `records_relation`. From the second piece on a thread reads the records, so by then they do without `scratch`."""
    file = scratch.folder / f"{scratch.new_name()}.ndjson"
    coming = pieces(records, file)

    def whole() -> Relation:
        for _ in coming:
            continue
        return lines_relation(name, file, reading, scratch, place_of, names)

    if not reading.restarts or reading.since is not None or reading.grows:
        return whole()
    first, are_all = first_of(coming)
    if are_all:
        return whole()
    stream = JsonStream(
        name, _sample(first, reading, scratch), first, coming, whole, place_of, reading, scratch
    )
    return stream if _shows_enough(stream) else whole()


def _sample(first: Iterable[Piece], reading: Reading, scratch: Scratch) -> JsonRelation:
    """The first records, as if there were no others."""
    file = scratch.folder / f"{scratch.new_name()}.ndjson"
    write_file(file, b"".join(line + b"\n" for piece in first for line in piece))
    sample = file_relation({"path": str(file), "format": "ndjson"}, reading, scratch)
    assert isinstance(sample, JsonRelation)
    return sample


def _shows_enough(stream: JsonStream) -> bool:
    try:
        return stream.shows_enough()
    except WindlassError:  # which all records may get past; if not, it is told of them
        return False
