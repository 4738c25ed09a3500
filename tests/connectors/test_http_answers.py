"""What an API is asked, and what its answers are: bodies of requests, formats, rules, limits, and answers cut off."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from email.message import Message
from email.utils import formatdate
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import parse_qsl

import msgspec
import pytest

from tests.connectors.apis import Api, Asked, answer
from windlass.connectors.ends import ConnectedEnd
from windlass.connectors.http.conditions import holds, is_condition
from windlass.connectors.http.opening import open_source
from windlass.connectors.http.options import ErrorRule, LimitHeaders, RateLimit
from windlass.connectors.http.options import Source as HttpSource
from windlass.connectors.http.pace import Pace
from windlass.connectors.scratch import Scratch
from windlass.connectors.source import Reading
from windlass.errors import FatalError, RetryableError, WindlassError
from windlass.options import read_options
from windlass.plan.model import ColumnRules, Validate
from windlass.testing import Copier, destination_of, source_of
from windlass.web_session import Session
from windlass.workspace import Workspace

Read = Callable[..., list[dict[str, Any]]]
Make = Callable[..., Api]


# --- requests with a body ------------------------------------------------------------------------


def test_pages_are_asked_for_in_the_body_or_by_a_header(make_api: Make, read: Read) -> None:
    """GraphQL with its cursor in the variables, a form with the number of a page, and that in a header."""

    def page(asked: Asked) -> bytes:
        said = asked.headers.get("x-page") or str(dict(parse_qsl(asked.body.decode())).get("p", ""))
        if b"variables" in asked.body:
            said = json.loads(asked.body)["variables"].get("after") or "1"
        records = [{"id": int(said), "n": 1.10}] if int(said) <= 3 else []
        more = {"next": str(int(said) + 1) if int(said) < 3 else None}
        return answer(json.dumps({"data": {"items": records, "page": more}}))

    query = {"query": "{…}", "variables": {"first": 1}}
    asked: list[tuple[dict[str, Any], str, list[str]]] = [
        (
            {
                "body": query,
                "paginate": {
                    "type": "cursor",
                    "in": "body",
                    "param": "variables.after",
                    "next": "data.page.next",
                },
            },
            "application/json",
            [
                json.dumps({**query, "variables": {"first": 1, **more}})
                for more in ({}, {"after": "2"}, {"after": "3"})
            ],
        ),
        (
            {
                "form": {"q": "a b", "on": True},
                "paginate": {"type": "page_number", "in": "body", "param": "p"},
            },
            "application/x-www-form-urlencoded",
            [f"q=a+b&on=true&p={number}" for number in range(1, 5)],
        ),
        (
            {"paginate": {"type": "page_number", "in": "header", "param": "X-Page"}},
            "application/json",
            ["{}"] * 4,
        ),
    ]
    for options, kind, bodies in asked:
        api = make_api(answering=page)
        found = read(api, method="POST", records="data.items", **options)
        assert [row["id"] for row in found] == [1, 2, 3]
        assert [request.body.decode() for request in api.asked] == bodies
        assert {(request.method, request.path) for request in api.asked} == {("POST", "/v1/items")}
        assert {request.headers["content-type"] for request in api.asked} == {kind}


def test_a_rule_is_about_each_line_of_ndjson(make_api: Make, read: Read) -> None:
    """A stream that breaks off with an error has status 200, and has sent records before."""
    options: dict[str, Any] = {"format": "ndjson", "retry": {"attempts": 2, "max_wait": 0.0}}
    good, error = '{"id":1}\n{"id":2}\n', '{"id":1}\n{"error":{"message":"shard lost"}}\n'
    fails = {"when": "error", "action": "fail", "message": "error.message"}
    with pytest.raises(FatalError, match="answered 200: shard lost"):
        read(make_api(answer(error)), errors=[fails], **options)
    again = {"when": "error", "action": "retry"}
    assert read(make_api(answer(error), answer(good)), errors=[again], **options) == [{"id": 1}, {"id": 2}]
    skips = {"when": "empty", "action": "skip"}  # some records among others are no reason to leave out all
    mixed = '{"id":1,"empty":true}\n{"id":2,"empty":false}\n'
    assert len(read(make_api(answer(mixed)), errors=[skips], **options)) == 2
    none = '{"empty":true}\n{"empty":true}\n'
    with pytest.raises(FatalError, match="has no records"):
        read(make_api(answer(none)), errors=[skips], **options)


def test_a_post_that_is_redirected_is_an_error(make_api: Make, read: Read) -> None:
    for status in ("301 X", "302 X", "303 X", "307 X", "308 X"):
        with pytest.raises(FatalError, match=f"answered {status}"):
            read(make_api(answer("", "Location: /v2", status=status)), method="POST", body={"a": 1})


# --- formats -------------------------------------------------------------------------------------

RSS = """<?xml version="1.0" encoding="utf-8"?>
<rss xmlns:media="http://m"><channel><title>x</title>
<item><title>Größe &amp; <![CDATA[<b>]]></title><guid isPermaLink="false">7</guid><media:thumb url="a"/><empty/></item>
<item n="2">text<title>two</title><tag>a</tag><tag>b</tag></item>
</channel></rss>"""


def test_answers_may_be_ndjson_csv_and_xml_and_packed(make_api: Make, read: Read) -> None:
    ndjson = '{"id":1,"x":0.1234567890123456}\r\n\n{"id":2}'
    csv = 'id;name\n1;"a;\nb"\n2;ö\n'
    xml = [
        {
            "title": "Größe & <b>",
            "guid": {"@isPermaLink": "false", "#text": "7"},
            "media:thumb": {"@url": "a"},
        },
        {"@n": "2", "title": "two", "tag": ["a", "b"], "#text": "text"},
    ]
    rss = {"format": "xml", "records": "rss.channel.item"}
    for body, options, expected in (
        (ndjson, {"format": "ndjson"}, [{"id": 1, "x": 0.1234567890123456}, {"id": 2}]),
        (csv, {"format": "csv"}, [{"id": 1, "name": "a;\nb"}, {"id": 2, "name": "ö"}]),
        ("id|n\n1|'|'\n", {"format": "csv", "csv": {"quote": "'"}}, [{"id": 1, "n": "|"}]),
        (RSS, rss, xml),
    ):
        packed = answer(gzip.compress(body.encode()), "Content-Encoding: gzip")
        for said in (answer(body), packed):
            found = [_without_null(row) for row in read(make_api(said), **options)]
            assert found == expected


def _without_null(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if value is not None}


def test_pages_of_csv_are_one_and_a_bad_row_tells_its_page(make_api: Make, copier: Copier) -> None:
    pages = [answer("id,n\n1,x\n2,y\n"), answer("id,n\n3,z\n9,q\n"), answer("id,n\n")]
    api = make_api(*pages)
    copier.addresses["api"] = api.address
    copier(
        source_of(connection="api", path="/items", format="csv", paginate={"type": "page_number"}),
        destination_of(path="out.ndjson"),
        validate=Validate(columns={"id": ColumnRules(max=8)}),
        on_bad_row="quarantine",
    )
    assert [json.loads(line)["id"] for line in (copier.folder / "out.ndjson").read_text().splitlines()] == [
        1,
        2,
        3,
    ]
    assert [(row["source"], row["line"]) for row in copier.quarantined] == [("api: /items: page 2", 3)]


BOMB = '<!DOCTYPE b [<!ENTITY a "aaaa"><!ENTITY c "&a;&a;">]><b><i>&c;</i></b>'
FILE = '<!DOCTYPE b [<!ENTITY a SYSTEM "file:///etc/passwd">]><b><i>&a;</i></b>'


def test_what_is_not_what_its_format_says_is_an_error(make_api: Make, read: Read) -> None:
    xml = {"format": "xml", "records": "b.i"}
    for body, options, says in (
        ('{"id":1}\n{"id":', {"format": "ndjson"}, "not valid JSON in line 2"),
        (b'{"id":"\xff"}', {"format": "ndjson"}, "not valid JSON in line 1"),
        ("<b><i>", xml, "not valid XML: no element found"),
        (b'<?xml version="1.0" encoding="utf-8"?><b><i>\xff</i></b>', xml, "not valid XML"),
        (BOMB, xml, "not valid XML: it has a document type"),
        (FILE, xml, "not valid XML: it has a document type"),
        ("<html><i/></html>", xml, "no list of records at 'b.i'"),
    ):
        with pytest.raises(FatalError, match=says):
            read(make_api(answer(body)), **options)
    with pytest.raises(FatalError, match="has no records"):
        read(make_api(answer("<b/>")), **xml)


DEEP = '[{"a": ' + "[" * 5000 + "]" * 5000 + "}]"
PAGE = "<!doctype html><html>Sign in, please</html>"
NEXT = {"records": "d", "paginate": {"type": "header_link"}}


def test_what_no_reader_would_agree_on_is_an_error_that_names_the_api(make_api: Make, read: Read) -> None:
    """Never a crash, a path of this machine, or the half that a parser happens to take."""
    for body, options, says in (
        (DEEP, {}, "not JSON that can be read: it is nested too deep"),
        (DEEP, {"format": "ndjson"}, "line 1 is nested too deep"),
        (DEEP, {"errors": [{"when": "error", "action": "fail"}]}, "nested too deep"),
        ('{"d": [{"a": 1}], "d": [{"a": 2}]}', {"records": "d"}, "the name 'd' occurs twice"),
        ('{"d": 12, "\\u0064":1}', {"records": "d"}, "the name 'd' occurs twice"),
        ('{"q": {"x": 1, "d": [] , "d": [{}]}}', {"records": "q.d"}, "the name 'd' occurs twice"),
        (
            '{"d": [{"a": 1}], "n": true}',
            {"records": "d", "paginate": {"type": "page_number", "total": "n"}},
            "n of the answer is not a number",
        ),
        (PAGE, {}, "not valid JSON: it is a web page"),
        (PAGE, {"format": "ndjson"}, "not valid JSON in line 1: it is a web page"),
        (PAGE, {"format": "csv"}, "not CSV: it is a web page; it begins: '<!doctype"),
        ('{"error": "too many requests"}', {"format": "csv"}, "not CSV: it is JSON"),
        ("[1, 2]", {}, "api: /items: no line is a JSON object"),
        ('[{"": 1}]', {}, "api: /items: a field has an empty name"),
    ):
        api = make_api(*[answer(body)] * 1, answer('{"d": [], "n": true}'))
        with pytest.raises(FatalError) as raised:
            read(api, **options)
        assert says in raised.value.message, raised.value.message
        assert "/tmp" not in str(raised.value)
    for link, says in (
        ("http://[::1", "not an address"),
        ("//other.example", "another server"),
        ("javascript:x", "another server"),
    ):
        with pytest.raises(FatalError, match=says):
            read(make_api(answer('{"d": [{"a": 1}]}', f"Link: <{link}>; rel=next")), **NEXT)


def test_what_says_the_same_in_another_way_is_read(make_api: Make, read: Read) -> None:
    """With a byte order mark, a name twice that nobody asks for, or a link that is not percent-encoded."""
    mark = "\ufeff"
    for body, options in (
        (mark + '[{"a": 1}]', {}),
        (mark + '{"d": [{"a": 1}]}', {"records": "d"}),
        (mark + '{"a": 1}', {"format": "ndjson"}),
        (mark + "a\n1\n", {"format": "csv"}),
        (json.dumps({"x": {"d": [1]}, 'd"': "}", "d": [{"a": 1}]}, indent=3), {"records": "d"}),
        ('{"x": 12, "d": [{"a": 1}], "x" : 1}', {"records": "d"}),
    ):
        assert read(make_api(answer(body)), **options) == [{"a": 1}], body
    linked = make_api(answer('{"d": [{"a": 1}]}', "Link: <?page=é x>; rel=next"), answer('{"d": [{"a": 2}]}'))
    assert read(linked, **NEXT) == [{"a": 1}, {"a": 2}]
    assert linked.asked[1].path == "/v1/items?page=%C3%A9%20x"
    nothing = {"status": 204, "action": "skip"}
    pages = (answer('[{"a": 1}]'), answer("", status="204 No Content"))
    assert read(make_api(*pages), paginate={"type": "page_number"}, errors=[nothing]) == [{"a": 1}]


LATIN, UTF16 = "Content-Type: text/plain; charset=ISO-8859-1", "Content-Type: text/plain; charset=utf-16le"


@pytest.mark.parametrize(
    ("encoding", "header"),
    [
        ("utf-8", LATIN),  # as many servers declare what is UTF-8
        ("utf-8", "Content-Type: text/plain; charset=utf8mb4"),
        ("utf-8-sig", LATIN),
        ("latin-1", LATIN),
        ("cp1252", "Content-Type: text/plain; charset=windows-1252"),
        ("shift_jis", 'Content-Type: text/plain; charset="Shift_JIS"'),
        ("utf-16", "Server: x"),  # with a byte order mark
        ("utf-16-le", UTF16),  # without one; of ASCII it would be UTF-8, too
        ("utf-32", "Server: x"),
    ],
)
def test_text_is_read_in_the_encoding_that_it_has(
    encoding: str, header: str, make_api: Make, read: Read
) -> None:
    name = "一" if encoding == "shift_jis" else "Ürümqi"
    xml = {"format": "xml", "records": "b.i"}
    for said, options, body in (
        (name, {}, f'[{{"a": "{name}"}}]'),
        ("plain", {}, '[{"a": "plain"}]'),
        (name, {"format": "ndjson"}, f'{{"a": "{name}"}}\n'),
        (name, {"format": "csv"}, f"a\n{name}\n"),
        (name, xml, f"<b><i><a>{name}</a></i></b>"),
    ):
        api = make_api(answer(body.encode(encoding), header))
        assert read(api, **options) == [{"a": said}], (body, header)


def test_who_knows_the_encoding_better_is_believed(make_api: Make, read: Read) -> None:
    """Who writes the pipeline, and XML that says it itself."""
    csv = {"format": "csv", "csv": {"encoding": "latin-1"}}
    for header in (LATIN, "Content-Type: text/csv; charset=shift_jis"):
        assert read(make_api(answer("a\nÜ\n".encode("latin-1"), header)), **csv) == [{"a": "Ü"}]
    xml = {"format": "xml", "records": "b.i"}
    for encoding, header in (("iso-8859-15", LATIN), ("utf-16", UTF16), ("utf-8", LATIN)):
        body = f'<?xml version="1.0" encoding="{encoding}"?><b><i><a>Ü</a></i></b>'.encode(encoding)
        assert read(make_api(answer(body, header)), **xml) == [{"a": "Ü"}]


def test_text_that_is_not_in_its_encoding_is_an_error(make_api: Make, read: Read) -> None:
    """And never what a lenient reader would make of it."""
    for body, header, says in (
        (b'[{"a": "\xdc"}]', "Server: x", "is not valid JSON"),
        (b'[{"a": "\xdc"}]', "Content-Type: a/b; charset=utf-8", "is not valid JSON"),
        (b'[{"a": "\x81\xff"}]', "Content-Type: a/b; charset=Shift_JIS", "is not the text in shift_jis"),
        (
            b'[{"a": "\xdc"}]',
            "Content-Type: a/b; charset=klingon",
            "'klingon', which is not a known encoding",
        ),
        ('[{"a": 1}]'.encode("utf-16")[:-1], "Server: x", "is not the text in utf-16"),
    ):
        with pytest.raises(FatalError, match=says) as raised:
            read(make_api(answer(body, header)))
        assert "/items" in str(raised.value)


# --- answers that are cut off --------------------------------------------------------------------


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Scratch]:
    with Scratch(folder=tmp_path) as scratch:
        yield scratch


def framed(body: bytes) -> Iterator[tuple[str, bytes]]:
    """The body as servers send it: head and body as one."""
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nServer: x\r\n"
    packed = gzip.compress(body)
    length = b"Content-Length: %d\r\n\r\n"
    chunks = b"".join(
        b"%x\r\n%b\r\n" % (len(body[i : i + 40]), body[i : i + 40]) for i in range(0, len(body), 40)
    )
    yield "length", head + length % len(body) + body
    yield "chunked", head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
    yield "gzip", head + b"Content-Encoding: gzip\r\n" + length % len(packed) + packed
    yield "gzip to the end", head + b"Content-Encoding: gzip\r\n\r\n" + packed
    yield "to the end", head + b"\r\n" + body


def test_no_answer_that_is_cut_off_is_taken_for_the_whole(
    make_api: Make, tmp_path: Path, scratch: Scratch
) -> None:
    """200 places of each framing and format: an error, or all records."""
    rows = [{"id": number, "name": f"n{number * 7919}"} for number in range(40)]
    bodies = {
        "json": json.dumps({"data": rows}).encode(),
        "ndjson": "\n".join(map(json.dumps, rows)).encode(),
        "xml": b"<data>%b</data>" % b"".join(b"<row><id>%d</id></row>" % number for number in range(40)),
        "csv": b"id,name\n" + b"".join(b"%d,x\n" % number for number in range(40)),
    }
    records = {"json": "data", "xml": "data.row"}
    api = make_api()
    for kind, body in bodies.items():
        options = {"path": "/x", "format": kind, "records": records.get(kind, "[]"), "retry": {"attempts": 1}}
        end = ConnectedEnd(
            options=read_options(HttpSource, options),
            workspace=Workspace(tmp_path, tmp_path),
            connection="api",
            address=api.address,
        )
        for framing, whole in framed(body):
            cuts = [len(whole) * number // 200 for number in range(200)] + [len(whole)]
            for cut in cuts if kind == "json" else cuts[-20:]:
                api.answers.append(whole[:cut])
                try:
                    relation = open_source(end).open(Reading(), scratch)
                    relation.columns()
                    found = scratch.value(f"SELECT count(*) FROM {relation.sql()}")
                except WindlassError:
                    found = "refused"
                must = "refused" if framing == "to the end" and kind in ("csv", "ndjson") else 40
                assert found == must if cut == len(whole) else found in ("refused", 40), (kind, framing, cut)


# --- rules and limits ----------------------------------------------------------------------------


def test_a_rule_says_what_an_answer_means(make_api: Make, read: Read) -> None:
    ids, busy = answer('[{"id": 1}]'), '{"state": "busy", "error": {"code": 7, "text": "not now"}}'
    retry = {"attempts": 2, "max_wait": 0.0}
    skip404 = {"status": 404, "action": "skip"}
    pages = {"type": "page_number"}
    told = {"when": "error.code == 7", "action": "fail", "message": "error.text"}
    assert read(make_api(ids, answer("", status="404 X")), errors=[skip404], paginate=pages) == [{"id": 1}]
    assert read(
        make_api(answer(busy), ids), errors=[{"when": "state == 'busy'", "action": "retry"}], retry=retry
    ) == [{"id": 1}]
    assert read(
        make_api(answer(busy, status="418 X"), ids),
        errors=[{"status": "4xx", "action": "retry"}],
        retry=retry,
    ) == [{"id": 1}]
    for status in ("200 OK", "400 X", "503 X"):
        api = make_api(answer(busy, status=status))
        with pytest.raises(FatalError, match=rf"/v1/items answered {status[:3]}: not now"):
            read(api, errors=[skip404, told], retry=retry)
        assert len(api.asked) == 1
    with pytest.raises(FatalError, match="answered 404"):
        read(make_api(answer("{}", status="404 X")), errors=[told])


def test_a_condition_is_what_jmespath_says() -> None:
    content = {"a": {"b": 1}, "t": True, "z": 0, "e": [], "s": "x", "n": None}
    for text, says in {
        "a.b": True,
        "e": False,
        "n": False,
        "z": True,
        "x.y": False,
        "a.b == 1": True,
        "a.b==1": True,
        "t == 1": False,
        "t != 1": True,
        "s == 'x'": True,
        's == "x"': True,
        "s != `null`": True,
        "n != null": False,
        "x == null": True,
        'a == {"b": 1}': True,
    }.items():
        assert is_condition(text), text
        assert holds(text, content) is says, text
    for text in ("", "a..b", "a ==", "a == x", "a < 1", "== 1"):
        assert not is_condition(text), text


class Clock:
    """Time that passes when somebody sleeps."""

    def __init__(self) -> None:
        self.now, self.slept = 1000.0, list[float]()

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 3))
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("windlass.connectors.http.pace.time", clock)
    monkeypatch.setattr("windlass.connectors.http.turns.time", clock)
    return clock


def test_no_more_is_asked_in_a_time_than_is_allowed(clock: Clock) -> None:
    pace = Pace(RateLimit(calls=2, per=10.0))
    for _ in range(5):
        pace.wait(60)
        clock.now += 1
    assert clock.slept == [8, 8]  # calls at 0, 1, 10, 11, 20
    used = Pace(RateLimit(calls=1, per=90.0))
    used.wait(60)
    with pytest.raises(RetryableError, match="used up for another 90 s"):
        used.wait(60)


def test_in_a_case_of_a_test_nobody_waits_and_what_is_too_far_away_stays_an_error(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WINDLASS_PAUSES", "skip")
    pace = Pace(RateLimit(calls=1, per=50.0, headers=LimitHeaders()))
    assert [pace.wait(60) for _ in range(5)] == [0.0] * 5
    pace.note(headers("0", "50"))
    assert pace.is_used_up(403)
    assert pace.wait(60) == 0.0
    assert not pace.is_used_up(403)
    pace.note(headers("0", "90"))
    with pytest.raises(RetryableError, match="used up for another 90 s"):
        pace.wait(60)
    assert not clock.slept


def test_a_budget_that_is_shared_is_kept_to_by_all(clock: Clock, tmp_path: Path) -> None:
    """As one would keep to it, whoever comes when; also what an answer says to one."""
    limit, random = RateLimit(calls=3, per=10.0, headers=LimitHeaders()), Random(7)
    paces = [Pace(limit, None, tmp_path / "shared" / "api.turns") for _ in range(4)]
    steps = [random.random() * 5 for _ in range(100)]
    waits: list[list[float]] = []
    for several in (paces, [Pace(limit)]):
        clock.slept.clear()
        for step in steps:
            clock.now += step
            random.choice(several).wait(60)
        waits.append(list(clock.slept))
    assert waits[0] == waits[1] != []
    paces[0].note(headers("0", "50"))
    assert all(pace.is_used_up(403) for pace in paces)
    with pytest.raises(RetryableError, match="used up for another 50 s"):
        paces[1].wait(40)
    paces[2].wait(50)
    assert clock.slept[-1] == 50


def headers(remaining: str, reset: str) -> Message:
    found = Message()
    found["X-RateLimit-Remaining"], found["X-RateLimit-Reset"] = remaining, reset
    return found


def test_what_an_answer_says_is_left_is_kept_to(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("windlass.connectors.http.pace._now", lambda: 1_800_000_000.0)
    for reset, seconds in {
        "30": 30,
        "1800000030": 30,
        "1800000030000": 30,
        formatdate(1_800_000_030): 30,
        "1799999999": 0,
        "soon": 0,
    }.items():
        clock.slept.clear()
        pace = Pace(RateLimit(headers=LimitHeaders()))
        pace.note(headers("0", reset))
        assert pace.is_used_up(403) is (seconds > 0)
        assert not pace.is_used_up(404)
        pace.wait(60)
        assert clock.slept == ([seconds] if seconds else [])
    pace.note(headers("1", "9999"))
    pace.wait(0)


def test_a_limit_is_kept_to_by_who_reads(
    make_api: Make, read: Read, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where a server says 403 for a limit; and the limit may stand with the connection."""
    used_up = answer("", "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 30", status="403 X")
    monkeypatch.setattr(Session, "pause", lambda _, seconds: clock.sleep(seconds))
    api = make_api(used_up, answer('[{"id": 1}]', "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 900"))
    limit = {"calls": 100, "headers": {}}
    address = replace(api.address, settings={"rate_limit": limit})
    assert read(api, address, retry={"attempts": 2, "max_wait": 40.0}) == [{"id": 1}]
    assert clock.slept == [1, 29]  # the second attempt, then the reset
    api = make_api(answer('[{"id": 1}]', "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 900"), answer("[]"))
    with pytest.raises(RetryableError, match="used up for another 900 s"):
        read(api, paginate={"type": "page_number"}, rate_limit=limit)


@pytest.mark.parametrize(
    ("model", "written", "said"),
    [
        (HttpSource, {"path": "/x", "body": {"a": 1}}, "`body` needs `method: POST`"),
        (
            HttpSource,
            {"path": "/x", "method": "POST", "body": {"a": 1}, "form": {"a": 1}},
            "one of `body` and `form`",
        ),
        (HttpSource, {"path": "/x", "format": "csv", "records": "a"}, "`records` is for JSON and XML"),
        (HttpSource, {"path": "/x", "format": "xml"}, "`records` has to say which elements"),
        (
            HttpSource,
            {"path": "/x", "format": "csv", "paginate": {"type": "json_link", "next": "n"}},
            "`paginate` has keys that look into JSON",
        ),
        (HttpSource, {"path": "/x", "format": "csv", "paginate": {"type": "offset"}}, "not done for CSV"),
        (
            HttpSource,
            {"path": "/x", "paginate": {"type": "page_number", "in": "body"}},
            "`paginate` with `in: body` needs `method: POST`",
        ),
        (
            HttpSource,
            {
                "path": "/x",
                "headers": {"p": "1"},
                "paginate": {"type": "page_number", "in": "header", "param": "p"},
            },
            "`headers` has 'p', which `paginate` sets",
        ),
        (HttpSource, {"path": "/x", "paginate": {"type": "header_link", "in": "header"}}, "`in` is for what"),
        (ErrorRule, {"action": "skip"}, "needs `status`, `when` or both"),
        (ErrorRule, {"when": "a <", "action": "skip"}, "`when` is a path"),
        (ErrorRule, {"status": 1, "message": "a..b", "action": "fail"}, "`message` is where"),
        (RateLimit, {}, "needs `calls`, `headers` or both"),
    ],
)
def test_what_does_not_go_together_is_refused(model: Any, written: dict[str, Any], said: str) -> None:
    with pytest.raises(FatalError, match=said):
        read_options(model, written)


# --- as servers really answer --------------------------------------------------------------------


@pytest.mark.parametrize(
    "link",
    [
        '</v1/items?page=2>; rel="next"',
        "<?page=2>; rel=next",
        '<items?page=2>;rel="prev next"',
        '</v1/items?page=2>; title="a, b; rel=x"; rel="next"',
        '<?page=1>; rel="first"; title="; rel=next", <?page=2>; REL=Next',
    ],
)
def test_the_next_link_is_found_however_it_is_written(make_api: Make, read: Read, link: str) -> None:
    pages = answer('[{"id": 1}]', f"Link: {link}"), answer('[{"id": 2}]', 'Link: <x>; title="; rel=next"')
    api = make_api(*pages)
    assert read(api, paginate={"type": "header_link"}) == [{"id": 1}, {"id": 2}]
    assert api.asked[1].path == "/v1/items?page=2"


@pytest.mark.parametrize(
    ("cursor", "sent"),
    [
        ("9007199254740993", "9007199254740993"),
        ("1700000000.123456789012", "1700000000.123456789012"),
        ("1e3", "1000"),
        ("1.50", "1.50"),
    ],
)
def test_a_cursor_that_is_a_number_keeps_its_digits(
    make_api: Make, read: Read, cursor: str, sent: str
) -> None:
    pages = (
        answer(f'{{"data": [{{"id": {n}}}], "next": {after}}}') for n, after in ((1, cursor), (2, "null"))
    )
    api = make_api(*pages)
    paginate = {"type": "cursor", "param": "c", "next": "next"}
    assert read(api, paginate=paginate, records="data") == [{"id": 1}, {"id": 2}]
    assert api.asked[1].query == {"c": sent}


def test_a_condition_compares_numbers_as_they_are_written() -> None:
    assert holds("rate == 0.1", msgspec.json.Decoder(float_hook=Decimal).decode(b'{"rate": 0.1}'))
    assert holds("rate == 0.10", {"rate": Decimal("0.1")})


def test_a_refusal_is_told_in_the_words_of_its_server(make_api: Make, read: Read) -> None:
    for body, status, hint in (
        ('{"message":\n "no such team"}', "404 Not Found", 'its server says: {"message": "no such team"}'),
        ("x" * 400, "400 Bad Request", f"its server says: {'x' * 300}…"),
        ("<html>no</html>", "404 Not Found", None),
        ("", "404 Not Found", None),
        ("", "204 No Content", "say `errors: [{status: 204, action: skip}]`"),
    ):
        with pytest.raises(FatalError, match=f"answered {status}") as raised:
            read(make_api(answer(body, status=status)))
        said = raised.value.hint
        assert said is None if hint is None else said is not None and hint in said
