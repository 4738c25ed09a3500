"""Records of an API that is told from when until when, at once or window by window: each arrives once."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.connectors.apis import Api, Asked, answer
from windlass.errors import FatalError
from windlass.plan.model import Incremental
from windlass.testing import Copier, destination_of, source_of

Make = Callable[..., Api]

FIRST = datetime(2024, 1, 1, tzinfo=UTC)
END = FIRST + timedelta(days=10)
DAYS = {"param": "from", "until": "to", "window": 2 * 86_400.0, "start": "2024-01-01T00:00:00Z"}


def z(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


class Ranged:
    """Refuses to be asked for more than two days; its ends are in or out of a span, as it is made."""

    def __init__(self, *, with_first: bool, with_last: bool) -> None:
        self.records: list[dict[str, Any]] = []
        self.with_first, self.with_last = with_first, with_last
        self.asked: list[tuple[datetime, datetime]] = []

    def __call__(self, request: Asked) -> bytes:
        first, last = (datetime.fromisoformat(request.query[key]) for key in ("from", "to"))
        self.asked.append((first, last))
        if last - first > timedelta(days=2):
            return answer("no more than two days", status="400 Bad Request")
        return answer(json.dumps([row for row in self.records if self._lies(row, first, last)]))

    def _lies(self, row: dict[str, Any], first: datetime, last: datetime) -> bool:
        at = datetime.fromisoformat(row["at"])
        return first < at < last or (self.with_first and at == first) or (self.with_last and at == last)


@pytest.mark.parametrize("with_first", [True, False])
@pytest.mark.parametrize("with_last", [True, False])
def test_each_record_arrives_once_however_windows_end(
    make_api: Make, copier: Copier, with_first: bool, with_last: bool
) -> None:
    api = Ranged(with_first=with_first, with_last=with_last)
    moments = [FIRST + timedelta(hours=12 * n, seconds=k) for n in range(1, 20) for k in (-1, 0, 1)]
    api.records = [{"id": n, "at": z(moment)} for n, moment in enumerate(moments)]
    api.records += [{"id": 0, "at": z(moments[0])}]  # twice in one span is twice there
    copier.addresses["api"] = make_api(answering=api).address
    source = source_of(connection="api", path="/x", since=DAYS)
    destination = destination_of(connection="sqlite", table="t", mode="append")
    copier(source, destination, incremental=Incremental(cursor="at"), interval=(FIRST, END))
    assert (api.asked[0][0], api.asked[-1][1]) == (FIRST, END)
    api.records += [{"id": 100, "at": z(END - timedelta(seconds=1))}]
    later = END + timedelta(days=1)
    api.asked.clear()
    copier(source, destination, incremental=Incremental(cursor="at"), interval=(END, later))
    assert api.asked[-1][1] == later
    assert len(api.asked) == 1
    with closing(sqlite3.connect(copier.addresses["sqlite"].database)) as database:
        found = [id_ for (id_,) in database.execute("SELECT id FROM t ORDER BY id, at")]
    assert found == [0, *range(len(moments)), 100]


def test_every_parent_is_asked_for_every_window(make_api: Make, copier: Copier) -> None:
    api = Ranged(with_first=True, with_last=True)
    api.records = [{"id": 1, "at": z(END - timedelta(hours=1))}]
    copier.addresses["api"] = make_api(answering=api).address
    source = source_of(
        connection="api",
        path="/x/{shop}",
        parent={"values": [1, 2], "as": "shop", "fields": {"shop": ""}, "concurrency": 2},
        since=DAYS,
    )
    copier(
        source,
        destination_of(connection="sqlite", table="t", mode="append"),
        incremental=Incremental(cursor="at"),
        interval=(FIRST, END),
    )
    with closing(sqlite3.connect(copier.addresses["sqlite"].database)) as database:
        assert database.execute("SELECT shop FROM t ORDER BY shop").fetchall() == [(1,), (2,)]
    assert len(api.asked) == 2 * 6


@pytest.mark.parametrize(
    ("format_", "first", "last"),
    [
        ("iso", "2024-01-01", "2024-01-11T00:00:00Z"),
        ("date", "2024-01-01", "2024-01-11"),
        ("unix", "1704067200", "1704931200"),
        ("unix_ms", "1704067200000", "1704931200000"),
        ("%d/%m/%Y %H:%M", "01/01/2024 00:00", "11/01/2024 00:00"),
    ],
)
def test_an_end_is_written_as_a_beginning_is(
    make_api: Make, copier: Copier, format_: str, first: str, last: str
) -> None:
    api = make_api(answer('[{"at": "2024-01-05T00:00:00Z"}]'), answer("[]"))
    copier.addresses["api"] = api.address
    said = {"param": "from", "until": "to", "format": format_, "start": "2024-01-01"}
    source = source_of(connection="api", path="/x", since=said)
    destination = destination_of(connection="sqlite", table="t", mode="append")
    for _ in range(2):
        copier(source, destination, incremental=Incremental(cursor="at"), interval=(FIRST, END))
    assert api.asked[0].query == {"from": first, "to": last}
    second = api.asked[1].query
    assert second["to"] == last
    assert second["from"] != first


def test_what_cannot_be_told_from_until_is_an_error(make_api: Make, copier: Copier) -> None:
    api = make_api(*[answer('[{"at": 1}]')] * 2)
    copier.addresses["api"] = api.address
    destination = destination_of(connection="sqlite", table="t", mode="append")
    for since, incremental, says in (
        (DAYS, None, "`window` of `since` needs `incremental`"),
        ({**DAYS, "start": None}, Incremental(cursor="at"), "`window` needs `start`"),
        ({**DAYS, "start": "soon"}, Incremental(cursor="at"), "`start` of `since` is a time"),
    ):
        with pytest.raises(FatalError, match=says):
            copier(
                source_of(connection="api", path="/x", since=since),
                destination,
                incremental=incremental,
                interval=(FIRST, END),
            )
    said = {"param": "from", "until": "to"}
    source = source_of(connection="api", path="/x", since=said)
    copier(source, destination, incremental=Incremental(cursor="at"), interval=(FIRST, END))
    with pytest.raises(FatalError, match="`until` is for a cursor of times, and 'at' has number"):
        copier(source, destination, incremental=Incremental(cursor="at"), interval=(FIRST, END))
