"""Records that are loaded while others are still on their way: what arrives is the same as if all had been looked at."""

from __future__ import annotations

import errno
import json
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.connectors.apis import Api, Asked, answer
from windlass import logs
from windlass.connections import Address
from windlass.connectors import record_stream
from windlass.connectors.record_stream import Fetching, Piece
from windlass.errors import Code, FatalError, RetryableError, WindlassError
from windlass.plan.model import SelectColumn
from windlass.testing import Copier, destination_of, source_of

Make = Callable[..., Api]

ONCE = {"attempts": 1}
PAGES = {"type": "page_number"}


KEPT = ("reason", "message", "record", "raw", "source", "column", "value")
"""What of a bad row is told whichever way it was found."""

STAYS = {
    "null": ("1", "null"),
    "a fraction, then whole": ("1.5", "2"),
    "a fraction, then more digits than a double": ("1.5", "0.1234567890123456789"),
    "decimals, then shorter ones": ("1234567890123456.25", "1.5"),
    "text, then a number": ('"one"', "1"),
    "an object, then text": ('{"a": 1}', '"one"'),
    "lists": ("[1]", '[{"b": null}]'),
    "digits within": ('{"a": 1}', '{"a": 0.1234567890123456789}'),
    'it\'s a "value"/~': ("true", "false"),
    "é": ("12345678901234567890", "7"),
}
CHANGES = {
    "whole, then a fraction": ("1", "1.5"),
    "whole, then a larger one": ("1", "12345678901234567890"),
    "numbers, then text": ("1.5", '"one"'),
    "truth, then a number": ("true", "1"),
    "text, then an object": ('"one"', '{"a": [1, 2.50]}'),
    "nothing, then a number": ("null", "1"),
    "decimals, then longer ones": ("123456789012345.25", "1234567890123456789012"),
    'it\'s a "value"/~': ("1", "1.5"),
    "a field more": ("1", '1, "w": "new"'),
}


def pages(records: Sequence[str]) -> Callable[[Asked], bytes]:
    """Two records a page."""

    def page(asked: Asked) -> bytes:
        begin = 2 * int(asked.query["page"]) - 2
        return answer(f"[{', '.join(records[begin : begin + 2])}]")

    return page


def like(name: str, first: str, later: str) -> list[str]:
    """Records of which the first six have the same value; then something else comes, and bad ones."""
    values = [f"{json.dumps(name)}: {value}" for value in (first,) * 6 + (later,)]
    good = [f'{{"id": {number}, {value}}}' for number, value in enumerate(values)]
    return [*good, '{"id": 7}', "7", "null", f'{{"id": 8, {values[0]}, "id": 9}}']


def loaded(copier: Copier, api: Api, **options: Any) -> tuple[Any, ...]:
    """What arrived, with its types, and what did not."""
    copier.addresses["api"] = api.address
    source = source_of(connection="api", path="/items", retry=ONCE, paginate=PAGES)
    copier(source, destination_of(path="out.parquet"), on_bad_row="quarantine", **options)
    table = pq.read_table(copier.folder / "out.parquet")
    bad = [{key: row[key] for key in row if key in KEPT} for row in copier.quarantined]
    return [(field.name, str(field.type)) for field in table.schema], table.to_pylist(), bad


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two records are a piece, and four are looked at before the load begins."""
    monkeypatch.setattr(record_stream, "_RECORDS", 2)
    monkeypatch.setattr(record_stream, "_LOOKED_AT", 4)


def test_what_arrives_is_the_same_whatever_comes_later(
    make_api: Make, copier: Copier, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With columns and types that the first records do not show it begins again."""
    told: list[str] = []
    monkeypatch.setattr(logs, "info", lambda event, **_: told.append(event))
    both = [
        *((name, values, {}, True) for name, values in CHANGES.items()),
        (
            "only what is asked for",
            ("1", '1, "w": 1'),
            {"select": (SelectColumn(name="n", source="id"),)},
            False,
        ),
    ]
    cases = [(name, like(name, *values), options, again) for name, values, options, again in both]
    fields = [
        [f'"id": {number}', *(f"{json.dumps(name)}: {values[number == 6]}" for name, values in STAYS.items())]
        for number in range(7)
    ]
    together = [f"{{{', '.join(record)}}}" for record in fields]
    for name, records, options, again in [*cases, ("what stays", together, {}, False)]:
        told.clear()
        found = loaded(copier, make_api(answering=pages(records)), **options)
        assert ("reading_again" in told) == again, name
        with monkeypatch.context() as patched:
            patched.setattr(record_stream, "_LOOKED_AT", 100)
            assert loaded(copier, make_api(answering=pages(records)), **options) == found, name


def test_rows_are_on_their_way_before_the_last_page_is_and_go_back_if_that_fails(
    make_api: Make, copier: Copier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server answers only when the first rows have arrived, which are sent 20,000 at a time; then it is busy."""
    monkeypatch.setattr(
        record_stream, "_RECORDS", 500
    )  # of which each thread of the scratch database has one
    monkeypatch.setattr(record_stream, "_LOOKED_AT", 1_000)
    arrived, waited = threading.Event(), list[bool]()

    def page(asked: Asked) -> bytes:
        number = int(asked.query["page"])
        if number == 81:
            waited.append(arrived.wait(50))
            return answer("", status="503 Busy")
        return answer(json.dumps([{"id": 1_000 * number + n, "text": "x" * 200} for n in range(1_000)]))

    api, file = make_api(answering=page), tmp_path / "db.sqlite"
    copier.addresses |= {"api": api.address, "db": Address("sqlite", database=str(file))}
    source = source_of(connection="api", path="/items", retry=ONCE, paginate=PAGES)
    to = destination_of(connection="db", table="t")
    with pytest.raises(RetryableError, match="page=81 answered 503"):
        copier(source, to, meter=lambda rows, _: arrived.set() if rows else None)
    assert waited == [True]
    with closing(sqlite3.connect(file)) as database:
        assert not database.execute("SELECT * FROM sqlite_master WHERE name = 't'").fetchall()


LATE: list[tuple[str, bytes, dict[str, Any], type[WindlassError]]] = [
    ("answered 404", answer("", status="404 Gone"), {}, FatalError),
    ("answered 503", answer("", status="503 Busy"), {}, RetryableError),
    ("broke off", answer('[{"id": 9}]', length=20), {}, RetryableError),
    ("is not valid JSON", answer('[{"id": 9}'), {}, FatalError),
    ("has the same records as page 2", answer('[{"id": 2}, {"id": 3}]'), {}, FatalError),
    ("has more than 5 pages", answer('[{"id": 10}, {"id": 11}]'), {"max_pages": 5}, FatalError),
]


def test_a_late_page_that_fails_leaves_nothing_loaded(
    make_api: Make, copier: Copier, tmp_path: Path, small: None
) -> None:
    """Neither in a table that is made, nor in one that has rows; and what is raised is what was wrong with the page."""
    records = [f'{{"id": {n}}}' for n in range(8)]
    file = tmp_path / "db.sqlite"
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("CREATE TABLE old (id integer)")
        database.execute("INSERT INTO old VALUES (1)")
    for says, fifth, paginate, kind in LATE:
        for table, mode in (("old", "append"), ("old", "replace"), ("new", "replace")):
            well = pages(records)
            api = make_api(
                answering=lambda asked, fifth=fifth, well=well: (
                    fifth if asked.query["page"] == "5" else well(asked)
                )
            )
            copier.addresses |= {"api": api.address, "db": Address("sqlite", database=str(file))}
            source = source_of(connection="api", path="/items", retry=ONCE, paginate={**PAGES, **paginate})
            with pytest.raises(kind, match=says):
                copier(source, destination_of(connection="db", table=table, mode=mode))
    with closing(sqlite3.connect(file)) as database:
        assert database.execute("SELECT * FROM old").fetchall() == [(1,)]
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        assert "new" not in tables


def test_a_disk_that_is_full_in_the_midst_is_told_as_such(
    make_api: Make, copier: Copier, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not as what the scratch database makes of it."""
    whole = record_stream.pieces

    def full(records: Iterable[bytes], file: Path) -> Iterator[Piece]:
        yield from islice(whole(records, file), 3)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file))

    monkeypatch.setattr("windlass.connectors.http.loading.pieces", full)
    records = [f'{{"id": {n}}}' for n in range(20)]
    copier.addresses["api"] = make_api(answering=pages(records)).address
    source = source_of(connection="api", path="/items", retry=ONCE, paginate=PAGES)
    with pytest.raises(RetryableError, match=r"\.ndjson: No space left on device") as raised:
        copier(source, destination_of(path="out.parquet"))
    assert raised.value.code == Code.DISK_FULL


def test_who_fetches_ahead_stops_and_fails_when_that_is_to_be() -> None:
    def items(fails: bool) -> Iterator[int]:
        yield from range(5)
        if fails:
            raise RetryableError("it broke")

    assert list(Fetching(items(fails=False), 2)) == [0, 1, 2, 3, 4]
    some = Fetching(items(fails=True), 2)
    assert [next(some) for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(RetryableError, match="it broke"):
        next(some)
    with pytest.raises(RetryableError, match="it broke"):
        Fetching(items(fails=True), 1).finish()
    left = items(fails=False)
    Fetching(left, 1).finish()
    assert list(left) == []
    stopped = Fetching(iter(int, 1), 1)  # endless
    next(stopped)
    stopped.stop()
    stopped.join()
    assert len(list(stopped)) <= 1
