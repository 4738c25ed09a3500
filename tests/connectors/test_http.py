"""The records of a JSON API: all of them, exactly as they are written, or an error."""

from __future__ import annotations

import json
import re
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import formatdate
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.conftest import Output
from tests.connectors.apis import Api, Asked, answer
from windlass.connections import Address
from windlass.connectors.http.options import Source as HttpSource
from windlass.errors import FatalError, RetryableError
from windlass.options import read_options
from windlass.plan.model import ColumnRules, Incremental, SelectColumn, Validate
from windlass.testing import Copier, destination_of, source_of
from windlass.web_session import Session

NO_WAIT = {"attempts": 2, "max_wait": 0.0}
PAGES = {"type": "page_number"}


def without_length(body: str) -> bytes:
    return f"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{body}".encode()


Read = Callable[..., list[dict[str, Any]]]
Make = Callable[..., Api]


# --- pages ---------------------------------------------------------------------------------------


def test_pages_are_asked_for_until_one_has_no_records(make_api: Make, read: Read) -> None:
    api = make_api(answer('[{"id":1},{"id":2}]'), answer('[{"id":3}]'), answer("[]"))
    options = {
        "query": {"per_page": 2, "open": True, "q": "a&b"},
        "paginate": {**PAGES, "param": "p", "start": 0},
    }
    assert read(api, **options) == [{"id": 1}, {"id": 2}, {"id": 3}]
    assert [path for path, *_ in api.asked] == [
        f"/v1/items?per_page=2&open=true&q=a%26b&p={n}" for n in range(3)
    ]


def test_a_server_that_ignores_the_number_of_the_page_is_found_out(make_api: Make, read: Read) -> None:
    api = make_api(answer('[{"id":1}]'), answer('[{"id":2}]'), answer('[{"id":1}]'))
    with pytest.raises(FatalError, match="api: /items: page 3 has the same records as page 1"):
        read(api, paginate=PAGES)


class Shop:
    """An API with so many records that counts its pages in each way that there is, as the request wants them."""

    def __init__(self, count: int, size: int) -> None:
        self.records, self.size = [{"id": number} for number in range(count)], size

    def __call__(self, request: Asked) -> bytes:
        asked, query = urlsplit(request.path), request.query
        size = min(self.size, int(query.get("limit", self.size)))
        at = int(query["offset"]) if "offset" in query else (int(query.get("page", 1)) - 1) * size
        if "after" in query:
            at = int(query["after"]) + 1
        found, end = self.records[at : at + size], at + size >= len(self.records)
        link = f"{asked.path}?offset={at + size}&limit={size}"
        body = {
            "data": found,
            "meta": {"next": None if end else link, "more": not end, "total": len(self.records)},
        }
        header = [] if end else [f'Link: </first>; rel="first", <{link}>; title="a, b"; rel="x next"']
        return answer(json.dumps(body), *header)


WAYS: list[dict[str, Any]] = [
    {"type": "page_number"},
    {"type": "page_number", "more": "meta.more", "total": "meta.total"},
    {"type": "offset", "limit": 3},
    {"type": "offset", "limit": 50, "total": "meta.total"},  # the server gives fewer than are asked for
    {"type": "offset", "more": "meta.more"},
    {"type": "page_number", "concurrency": 3},
    {"type": "offset", "limit": 3, "concurrency": 4},
    {"type": "offset", "limit": 50, "concurrency": 3},
    {"type": "offset", "more": "meta.more", "total": "meta.total", "concurrency": 2},
    {"type": "cursor", "param": "after", "next": "data[-1].id"},
    {"type": "cursor", "param": "after", "next": "data[-1].id", "more": "meta.more", "total": "meta.total"},
    {"type": "json_link", "next": "meta.next"},
    {"type": "header_link", "total": "meta.total"},
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: "-".join(map(str, way.values())))
def test_every_record_arrives_once_however_pages_are_counted(
    make_api: Make, read: Read, way: dict[str, Any]
) -> None:
    for count in (0, 1, 4, 5, 9, 10, 11):
        api = make_api(answering=Shop(count, 5))
        if count == 0:
            with pytest.raises(FatalError, match="has no records"):
                read(api, paginate=way, records="data")
        else:
            assert read(api, paginate=way, records="data") == [{"id": n} for n in range(count)]
        in_vain = way.get("concurrency", 1) - 1
        assert len(api.asked) <= (count // 3 + 2) * (1 + in_vain)


def test_pages_that_are_asked_for_at_once_are_read_in_turn(make_api: Make, read: Read) -> None:
    """What was asked for in vain, past the last page, is no error; one of a page that is there is."""
    together = threading.Barrier(3)

    def answering(asked: Asked) -> bytes:
        page = int(asked.query["page"])
        if page <= 3:
            together.wait()  # nobody comes past it alone
        if page == broken or page > 4:
            return answer("", status="400 Bad Request")
        return answer(json.dumps({"data": [{"id": page}], "more": page < 4}))

    options = {"paginate": {**PAGES, "more": "more", "concurrency": 3}, "records": "data"}
    broken = 0
    assert read(make_api(answering=answering), **options) == [{"id": n} for n in range(1, 5)]
    broken = 4
    with pytest.raises(FatalError, match=r"page=4 answered 400"):
        read(make_api(answering=answering), **options)


def test_what_leads_in_a_cycle_or_away_is_an_error(make_api: Make, read: Read) -> None:
    page = '{"data": [{"id": %d}], "next": "%s"}'
    link: dict[str, Any] = {"type": "json_link", "next": "next"}
    cursor: dict[str, Any] = {"type": "cursor", "param": "c", "next": "next"}
    for way, says in ((cursor, "the cursor 'a' leads to itself"), (link, "the link to .*/a leads to itself")):
        api = make_api(*(answer(page % (n, "a")) for n in range(3)))
        with pytest.raises(FatalError, match=says):
            read(api, paginate=way, records="data")
    api = make_api(answer(page % (1, "http://127.0.0.1:1/steal")))
    with pytest.raises(FatalError, match=r"page 1 leads to .*, which is another server"):
        read(api, paginate=link, records="data")


def test_a_large_cursor_is_sent_as_it_was_written(make_api: Make, read: Read) -> None:
    pages = (answer('{"data":[{"id":1}],"next":90071992547409931234}'), answer('{"data":[],"next":null}'))
    api = make_api(*pages)
    read(api, paginate={"type": "cursor", "param": "c", "next": "next"}, records="data", query={"q": 1})
    assert [path for path, *_ in api.asked] == ["/v1/items?q=1", "/v1/items?q=1&c=90071992547409931234"]


def test_fewer_records_than_the_api_speaks_of_are_an_error(make_api: Make, read: Read) -> None:
    way = {**PAGES, "total": "total"}
    pages = (answer('{"data":[{"id":1}],"total":3}'), answer('{"data":[{"id":2}],"total":3}'))
    end = answer('{"data":[],"total":3}')
    with pytest.raises(RetryableError, match="2 records have come, and total of the answer says 3"):
        read(make_api(*pages, end), paginate=way, records="data")
    with pytest.raises(FatalError, match="total of the answer is not a number of records"):
        read(make_api(*pages, answer('{"data":[],"total":"3"}')), paginate=way, records="data")


def test_more_pages_than_allowed_are_an_error_and_as_many_are_none(make_api: Make, read: Read) -> None:
    pages = (answer('[{"id":1}]'), answer('[{"id":2}]'), answer("[]"))
    with pytest.raises(FatalError, match="has more than 2 pages"):
        read(make_api(*pages), paginate={**PAGES, "max_pages": 2})
    assert len(read(make_api(*pages), paginate={**PAGES, "max_pages": 3})) == 2


@pytest.mark.parametrize(
    ("first", "tells"),
    [
        (answer('[{"id":1}]', 'Link: <http://x/?page=2>; rel="next"'), "a `Link` to the next page"),
        (answer('{"items":[{"id":1}],"has_more":true}'), "`has_more`"),
        (answer('{"items":[{"id":1}],"next":"/items?page=2"}'), "`next`"),
        (answer('{"items":[{"id":1}],"@odata.nextLink":"https://x/2"}'), "`@odata.nextLink`"),
        (answer('{"items":[{"id":1}],"nextPageToken":"b"}'), "`nextPageToken`"),
        (answer('{"items":[{"id":1}],"links":{"next":{"href":"/2"}}}'), "`links.next`"),
        (
            answer('{"items":[{"id":1}],"response_metadata":{"next_cursor":"b"}}'),
            "`response_metadata.next_cursor`",
        ),
        (answer('{"items":[{"id":1}],"meta":{"paging":{"hasNextPage":true}}}'), "`meta.paging.hasNextPage`"),
    ],
)
def test_an_answer_that_is_not_all_is_an_error_unless_it_is_wanted(
    make_api: Make, read: Read, first: bytes, tells: str
) -> None:
    records = "items" if b"items" in first else "[]"
    with pytest.raises(FatalError, match=f"the answer has {tells}, so it is not all"):
        read(make_api(first), records=records)
    assert read(make_api(first), records=records, paginate={"type": "single_page"}) == [{"id": 1}]


@pytest.mark.parametrize(
    "body",
    [
        '{"items":[{"id":1}],"has_more":false,"next":null}',
        '{"items":[{"id":1}]}',
        '{"items":[{"id":1}],"shift":{"next":"2026-02-03"},"page":{"next":"","has_next":false},"next":[]}',
    ],
)
def test_one_answer_that_is_all_needs_no_paginate(make_api: Make, read: Read, body: str) -> None:
    assert read(make_api(answer(body, 'Link: <http://x/>; rel="prev"')), records="items") == [{"id": 1}]


@pytest.mark.parametrize(
    ("way", "last", "told"),
    [
        (
            {"type": "cursor", "param": "c", "next": "meta.nxt"},
            '{"data":[{"id":1}],"meta":{"next":"b"}}',
            "`meta.next`.*`meta.nxt`",
        ),
        (
            {"type": "json_link", "next": "next"},
            '{"data":[{"id":1}],"links":{"next":"/2"}}',
            "`links.next`.*`next`",
        ),
        ({"type": "header_link"}, '{"data":[{"id":1}],"has_more":true}', "`has_more`.*the `Link` header"),
        (
            {"type": "cursor", "param": "c", "next": "n"},
            '{"data":[{"id":1}],"n":{"after":"b"}}',
            "n of the answer is an object, and no cursor",
        ),
        (
            {"type": "json_link", "next": "n"},
            '{"data":[{"id":1}],"n":["/2"]}',
            "n of the answer is a list, and no link",
        ),
    ],
)
def test_pages_that_end_where_nothing_is_looked_for_are_an_error(
    make_api: Make, read: Read, way: dict[str, str], last: str, told: str
) -> None:
    with pytest.raises(FatalError, match=told):
        read(make_api(answer(last)), paginate=way, records="data")
    if "Link" in told:  # who says what ends them, is believed
        wanted = {**way, "more": "meta.more"}
        assert read(make_api(answer(last)), paginate=wanted, records="data") == [{"id": 1}]


# --- records -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("records", "body"),
    [
        ("[]", "%s"),
        ("items", '{"n":1,"items":%s}'),
        ("data.items[]", '\r\n{"data" : {"items" : %s , "x": 0}}\n'),
    ],
)
def test_records_are_where_the_keys_lead_and_stay_exact(
    make_api: Make, read: Read, copier: Copier, records: str, body: str
) -> None:
    text = '[ {"id":1,"x":0.1234567890123456,"n":123456789012345678, "s":"a\\nb"},\n{"id":2} ]'
    read(make_api(answer(body % text)), records=records)
    lines = (copier.folder / "out.ndjson").read_text().splitlines()
    assert '"x":0.1234567890123456,"n":123456789012345678,"s":"a\\nb"' in lines[0]
    assert len(lines) == 2


@pytest.mark.parametrize(
    ("records", "body"),
    [
        ("items", '{"item":[]}'),
        ("items", "[]"),
        ("[]", '{"items":[]}'),
        ("a.b", '{"a":{"b":{}}}'),
        ("a.b", '{"a":1}'),
        ("[a.b]", '{"a":{}}'),
        ("[a]", "[]"),
    ],
)
def test_an_answer_without_the_list_is_an_error(make_api: Make, read: Read, records: str, body: str) -> None:
    with pytest.raises(FatalError, match="the answer has no list of records at"):
        read(make_api(answer(body)), records=records)


WEATHER = '{"name": "Lyon", "main": {"temp": 7.230, "min": -1e2}, "sky": [{"is": "rain"}, {"is": "fog"}], "dt": 170167646600000001}'
FIELDS = {"city": "name", "temp": "main.temp", "first": "sky[0].is", "last": "sky[-1].is", "wind": "wind.speed", "sky": "sky",
          "third": "sky[2].is", "on": "dt.day", "dt": "dt"}  # fmt: skip


def test_one_object_is_a_record_and_fields_are_taken_out_of_it_as_they_are_written(
    make_api: Make, read: Read
) -> None:
    [row] = read(make_api(answer(WEATHER)), records="[@]", fields=FIELDS)
    assert row == {
        "city": "Lyon",
        "temp": 7.23,
        "first": "rain",
        "last": "fog",
        "dt": 170167646600000001,
        "sky": [{"is": "rain"}, {"is": "fog"}],
        "wind": None,
        "third": None,
        "on": None,
    }
    assert list(row) == list(FIELDS)
    assert read(
        make_api(answer(f'{{"a": {{"b": {WEATHER}}}}}')), records="[a.b]", fields={"t": "main.min"}
    ) == [{"t": -100}]
    pages = (answer(f"[{WEATHER}, 3]"), answer('[{"name": null}]'), answer("[]"))
    with pytest.raises(FatalError, match="page 1 row 2: the record is not a JSON object"):
        read(make_api(*pages), paginate=PAGES, fields=FIELDS)
    xml = "<rss><item><title>a</title><at z='1'>b</at></item></rss>"
    fields = {"name": "title", "zone": "at.@z"}
    assert read(make_api(answer(xml)), format="xml", records="rss.item", fields=fields) == [
        {"name": "a", "zone": "1"}
    ]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"fields": {"a": "b..c"}}, "`fields` has what leads to a value"),
        ({"fields": {"a": "b"}, "format": "csv"}, "`select` picks columns of CSV"),
        ({"records": "[a.b]", "format": "xml"}, "one record, as in .a.b., is for JSON"),
        ({"records": "[a[0]]"}, "`records` is `..` or the keys"),
        ({"records": "@"}, "`records` is `..` or the keys"),
    ],
)
def test_fields_and_records_that_lead_nowhere_are_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(FatalError, match=says):
        read_options(HttpSource, {"path": "/", **options})


def test_no_records_have_the_columns_that_are_named(make_api: Make, copier: Copier) -> None:
    select = (
        SelectColumn(name="id", source="number", type="bigint"),
        SelectColumn(name="at", source="made", type="text"),
    )
    made = {"number": "number", "made": "on.date"}
    with closing(sqlite3.connect(copier.addresses["sqlite"].database)) as database:
        for body, options in (("[]", {"fields": made}), ('[{"number": 1, "made": 2}]', {}), ("[]", {})):
            copier.addresses["api"] = make_api(answer(body)).address
            source = source_of(connection="api", path="/items", **options)
            copier(source, destination_of(connection="sqlite", table="t", mode="append"), select=select)
        assert database.execute("SELECT * FROM t").fetchall() == [(1, "2")]
        assert [column[1:3] for column in database.execute("PRAGMA table_info(t)")] == [
            ("id", "INTEGER"),
            ("at", "TEXT"),
        ]


@pytest.mark.parametrize(
    "body", ["", "<html>", '[{"id":1}', '[{"id":1}] x', b'[{"id":"\xff"}]', '[{"id":01}]']
)
def test_what_is_not_json_is_an_error(make_api: Make, read: Read, body: str | bytes) -> None:
    with pytest.raises(FatalError, match="the answer is not valid JSON"):
        read(make_api(answer(body)))


def test_a_number_that_cannot_be_kept_as_it_is_is_a_bad_row(make_api: Make, read: Read) -> None:
    with pytest.raises(FatalError, match="a number has more digits than a double keeps"):
        read(make_api(answer('[{"x":0.12345678901234567890}]')))


def test_a_bad_record_is_in_quarantine_with_its_page(make_api: Make, copier: Copier) -> None:
    api = make_api(answer('[{"id":1},{"id":2}]'), answer('[{"id":3},{"id":9},7]'), answer("[]"))
    copier.addresses["api"] = api.address
    copier(
        source_of(connection="api", path="/items", paginate=PAGES),
        destination_of(path="out.ndjson"),
        validate=Validate(columns={"id": ColumnRules(max=8)}),
        on_bad_row="quarantine",
    )
    found = [(row["reason"], row["source"]) for row in copier.quarantined]
    assert ("above_maximum", "api: /items: page 2") in found
    assert ("not_an_object", "api: /items: page 2") in found


# --- answers that are no answers -----------------------------------------------------------------

CUT = {
    "a body that is shorter than was said": answer('[{"id":1}]', length=11),
    "a chunk that is missing": b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n[{"id":1}]\r\n',
    "no answer at all": b"",
}
NO_LENGTH = {
    "JSON without an end": without_length('[{"id":1}'),
    "half of the headers": b"HTTP/1.1 200",
}
"""What the end of the answer does not tell, but the end of its JSON."""


@pytest.mark.parametrize("cut", [*CUT, *NO_LENGTH])
def test_what_breaks_off_may_be_tried_again(make_api: Make, read: Read, cut: str) -> None:
    with pytest.raises(RetryableError):
        read(make_api({**CUT, **NO_LENGTH}[cut]))


@pytest.mark.parametrize("cut", CUT)
def test_what_breaks_off_is_asked_for_again(make_api: Make, read: Read, cut: str) -> None:
    api = make_api(CUT[cut], answer('[{"id":1}]'))
    assert read(api, retry=NO_WAIT) == [{"id": 1}]
    assert len(api.asked) == 2


@pytest.mark.parametrize("status", ["408 X", "425 X", "429 X", "500 X", "502 X", "503 X", "504 X"])
def test_a_status_that_may_pass_is_asked_for_again(make_api: Make, read: Read, status: str) -> None:
    api = make_api(answer("", status=status), answer('[{"id":1}]'))
    assert read(api, retry=NO_WAIT) == [{"id": 1}]
    with pytest.raises(RetryableError, match=f"answered {status}"):
        read(make_api(answer("", status=status)))


@pytest.mark.parametrize(
    "status", ["201 Created", "204 No Content", "206 Partial Content", "401 X", "404 X", "410 X"]
)
def test_any_other_status_is_an_error_at_once(make_api: Make, read: Read, status: str) -> None:
    api = make_api(answer("" if status[:3] == "204" else '[{"id":1}]', status=status))
    with pytest.raises(FatalError, match=f"answered {status}"):
        read(api, retry=NO_WAIT)
    assert len(api.asked) == 1


def test_the_server_says_when_to_come_back(
    make_api: Make, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr(Session, "pause", lambda _, seconds: waited.append(seconds))
    busy = [answer("", f"Retry-After: {said}", status="429 X") for said in ("7", "0", formatdate(0), "soon")]
    assert read(make_api(*busy, answer('[{"id":1}]')), retry={"attempts": 5}) == [{"id": 1}]
    assert waited == [7, 0, 0, 8]  # the last is the fourth wait that doubles


def test_a_server_that_says_to_come_back_much_later_is_not_waited_for(make_api: Make, read: Read) -> None:
    api = make_api(answer("", "Retry-After: 3600", status="503 X"))
    with pytest.raises(RetryableError, match=r"come back in 3600 s, and `retry.max_wait` is 600 s"):
        read(api, retry={"attempts": 5})
    assert len(api.asked) == 1


def test_an_encoding_that_was_not_asked_for_is_an_error(make_api: Make, read: Read) -> None:
    with pytest.raises(FatalError, match="in the encoding 'br'"):
        read(make_api(answer(b"\x1f\x8b", "Content-Encoding: br")))


def test_a_failed_page_leaves_the_destination_as_it_was(make_api: Make, read: Read, copier: Copier) -> None:
    (copier.folder / "out.ndjson").write_text('{"id":0}\n')
    with pytest.raises(FatalError, match="answered 404"):
        read(make_api(answer('[{"id":1}]'), answer("", status="404 X")), paginate=PAGES)
    assert (copier.folder / "out.ndjson").read_text() == '{"id":0}\n'


# --- who may see what ----------------------------------------------------------------------------


def test_a_password_goes_to_its_server_only(make_api: Make, read: Read) -> None:
    other = make_api(answer('[{"id":1}]'))
    away = answer("", f"Location: http://127.0.0.1:{other.port}/x", status="302 Found")
    here = answer("", "Location: /v2/items", status="301 X")
    api = make_api(here, away)
    address = Address("http", "127.0.0.1", api.port, user="ada", password="lovelace", scheme="http")
    assert read(api, address, headers={"X-Token": "t", "Accept": "application/x+json"}) == [{"id": 1}]
    for path, headers, *_ in api.asked:
        assert (headers["authorization"], headers["x-token"]) == ("Basic YWRhOmxvdmVsYWNl", "t")
        assert "ada" not in path
    (_, headers, *_), *_ = other.asked
    assert (headers["accept"], "authorization" in headers, "x-token" in headers) == (
        "application/x+json",
        False,
        False,
    )


def test_nobody_is_led_out_of_http(make_api: Make, read: Read) -> None:
    with pytest.raises(FatalError, match="which is not HTTP"):
        read(make_api(answer("", "Location: ftp://127.0.0.1/x", status="302 Found")))


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"path": "/x?page=1"}, "`path` has no parameters"),
        ({"path": "/x", "records": "items[0]"}, "`records` is `\\[\\]` or the keys"),
        (
            {"path": "/x", "query": {"page": 1}, "paginate": PAGES},
            "`query` has 'page', which `paginate` sets",
        ),
        ({"path": "/x", "paginate": {"type": "cursor"}}, "`cursor` needs `param`"),
        ({"path": "/x", "paginate": {"type": "json_link"}}, "`json_link` needs `next`"),
        ({"path": "/x", "paginate": {**PAGES, "next": "a"}}, "`next` is for `cursor` and `json_link`"),
        ({"path": "/x", "paginate": {"type": "header_link", "start": 1}}, "`start` is for what is counted"),
        (
            {"path": "/x", "paginate": {"type": "header_link", "concurrency": 2}},
            "`concurrency` is for what is counted",
        ),
        (
            {"path": "/x", "paginate": {"type": "single_page", "param": "x"}},
            "`param` is for what a request says",
        ),
        ({"path": "/x", "paginate": {**PAGES, "more": "a..b"}}, "`more` is where an answer has it"),
        (
            {"path": "/x", "query": {"from": 5}, "since": {"param": "from"}},
            "`query` has 'from', which `since` sets",
        ),
        (
            {"path": "/x", "since": {"param": "from", "window": 86400.0}},
            "`window` needs `until`",
        ),
        (
            {
                "path": "/x",
                "since": {"param": "from", "until": "to", "window": 86400.0, "format": "%d.%m.%y"},
            },
            "`window` is 2 days or longer",
        ),
        (
            {"path": "/x", "since": {"param": "from", "format": "sometimes"}},
            "`format` is one of iso, date, unix, unix_ms, or a pattern",
        ),
        (
            {"path": "/x", "query": {"to": 1}, "since": {"param": "from", "until": "to"}},
            "`query` has 'to', which `since` sets",
        ),
        (
            {"path": "/x", "format": "csv", "since": {"param": "a", "until": "b", "window": 9e6}},
            "records of CSV are not told apart",
        ),
        (
            {"path": "/x", "paginate": {"type": "page_number", "more": "done ="}},
            "`more` is where an answer has it",
        ),
        (
            {"path": "/x", "since": {"param": "from", "in": "body"}},
            "`since` with `in: body` needs `method: POST`",
        ),
        (
            {"path": "/x", "query": {"limit": 5}, "paginate": {"type": "offset"}},
            "`query` has 'limit', which `paginate` sets",
        ),
    ],
)
def test_what_it_does_not_do_is_refused(written: dict[str, Any], said: str) -> None:
    with pytest.raises(FatalError, match=said):
        read_options(HttpSource, written)


def test_its_keys_are_checked_where_they_stand(
    windlass: Callable[..., Output], project: Callable[[dict[str, str]], Path]
) -> None:
    end = "{connection: api, path: /x, paginate: {type: page_nmber, startt: 0}, retry: {max_wait: 5x}}"
    root = project(
        {
            "windlass.yaml": "project: p\nconnections: {api: {type: http}}\n",
            "pipelines/p.yaml": f"pipeline: p\ntasks:\n  a: {{copy: {{from: {end}, to: {{path: x.csv}}}}}}\n",
        }
    )
    said = windlass("-C", root, "validate").stderr
    for place, what in (
        (
            "3:65",
            "type: expected 'page_number', 'offset', 'cursor', 'json_link', 'header_link' or 'single_page', got 'page_nmber'",
        ),
        ("3:77", "unknown key 'startt' in tasks.a.copy.from.paginate"),
        ("3:107", "max_wait: expected a duration such as 30s, 5m or 1h30m, got '5x'"),
    ):
        assert re.search(rf"p\.yaml:{place}: error\[W\d+\]: {re.escape(what)}", said), said


# --- what is new -----------------------------------------------------------------------------------


class Growing:
    """An API that gives records after some point of `at`, as `since` asks for it; or all of them."""

    def __init__(self, *, asks: Callable[[Asked], str | None], obeys: bool = True) -> None:
        self.records: list[dict[str, Any]] = []
        self.asks, self.obeys = asks, obeys
        self.asked: list[str | None] = []

    def __call__(self, request: Asked) -> bytes:
        self.asked.append(since := self.asks(request))
        found = [row for row in self.records if not (self.obeys and since) or self._at(row) > Decimal(since)]
        return answer(json.dumps(found))

    @staticmethod
    def _at(row: dict[str, Any]) -> Decimal:
        at = row["at"]
        return Decimal(at if isinstance(at, int) else datetime.fromisoformat(at).timestamp())


def test_an_api_is_asked_for_what_may_be_new_and_each_record_arrives_once(
    make_api: Make, copier: Copier
) -> None:
    """Also those that come late, or at the very value of others, from an API that means "after that"; one that sends all
    does no harm."""
    moment = datetime(2024, 2, 29, 12, tzinfo=UTC)
    ways: list[
        tuple[str, Callable[[int], object], Any, dict[str, Any], Callable[[Asked], str | None], str | None]
    ] = [
        ("exact", lambda n: 10**17 + n, None, {}, lambda a: a.query.get("since"), str(10**17 + 9)),
        ("number", lambda n: 10**17 + n, 2, {}, lambda a: a.query.get("since"), str(10**17 + 7)),
        ("everything", lambda n: 10**17 + n, 2, {}, lambda a: a.query.get("since"), str(10**17 + 7)),
        (
            "unix",
            lambda n: (moment + timedelta(seconds=n, milliseconds=500)).isoformat(),
            "2s",
            {"format": "unix", "in": "body", "param": "v.since"},
            lambda a: str(json.loads(a.body)["v"].get("since") or "") or None,
            str(int(moment.timestamp()) + 7),
        ),
        (
            "iso",
            lambda n: (moment + timedelta(seconds=n)).isoformat().replace("+00:00", "Z"),
            "2s",
            {"start": "2024-01-01T00:00:00Z", "in": "header"},
            lambda a: str(datetime.fromisoformat(a.headers["since"]).timestamp()),
            str(moment.timestamp() + 7),
        ),
    ]
    for name, at, lookback, since, asks, expected in ways:
        growing = Growing(asks=asks, obeys=name != "everything")
        copier.addresses["api"] = make_api(answering=growing).address
        source = source_of(
            connection="api",
            path="/x",
            method="POST",
            body={"v": {}},
            since={"param": "since", **since},
        )
        destination = destination_of(connection="sqlite", table=name, mode="append")
        for numbers in ((1, 5, 10), (10, 9, 11, 12), (), (12, 11, 13)):
            for number in numbers if lookback else sorted(numbers)[-2:]:
                growing.records.append({"id": len(growing.records), "at": at(number)})
            copier(source, destination, incremental=Incremental(cursor="at", lookback=lookback))
        first, second, *_ = growing.asked
        assert (first, second) == (
            str(datetime(2024, 1, 1, tzinfo=UTC).timestamp()) if "start" in since else None,
            expected,
        )
        with closing(sqlite3.connect(copier.addresses["sqlite"].database)) as database:
            found = database.execute(f"SELECT id FROM {name} ORDER BY id").fetchall()
        assert found == [(number,) for number in range(len(growing.records))], name
