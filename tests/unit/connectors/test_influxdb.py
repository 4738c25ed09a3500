"""What of InfluxDB needs no server: what is asked of versions 2 and 3, and what they say, which ours for tests do not."""

from __future__ import annotations

import gzip
import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from typing import Any

import pytest

from windlass.connections import parse_address
from windlass.connectors.influxdb import client, options
from windlass.connectors.influxdb.answers import NoRouteError, RefusedPointsError, error_of, series_in
from windlass.connectors.influxdb.client import Connection
from windlass.connectors.influxdb.writing.sending import Point, send
from windlass.connectors.rows import BadRow, Reason
from windlass.errors import Code, FatalError, RetryableError, WindlassError
from windlass.options import read_options
from windlass.web import AnswerError, NotNowError, Refusal


class Answer:
    """An answer without a body."""

    length = 0

    def __iter__(self) -> Iterator[bytes]:
        return iter(())


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[urllib.request.Request]:
    """The requests that are made, which nobody gets."""
    requests: list[urllib.request.Request] = []

    @contextmanager
    def answer_to(request: urllib.request.Request, **_: Any) -> Iterator[Answer]:
        requests.append(request)
        yield Answer()

    monkeypatch.setattr(client, "answer_to", answer_to)
    return requests


def connection(text: str) -> Connection:
    return Connection(parse_address(text, "a test", "influxdb"))


@pytest.mark.parametrize(
    ("address", "url", "authorization"),
    [
        ("influxdb://me:pw@db.test/d?rp=week", "http://db.test:8086/write?db=d&rp=week", "Basic bWU6cHc="),
        ("http://db.test:80/d", "http://db.test:80/write?db=d", None),
        (
            "influxdbs://:s3cr3t%3D%3D@eu.test:443/?bucket=a%20b&org=acme",
            "https://eu.test:443/api/v2/write?bucket=a+b&org=acme",
            "Token s3cr3t==",
        ),
        (
            '{"conn_type": "influxdb", "host": "db.test", "extra": {"token": "t0ken", "org_name": "acme", "bucket": "b"}}',
            "http://db.test:8086/api/v2/write?bucket=b&org=acme",
            "Token t0ken",
        ),
        ("influxdb://[::1]/d", "http://[::1]:8086/write?db=d", None),
    ],
)
def test_points_are_written_as_the_version_of_the_address_wants_it(
    address: str, url: str, authorization: str | None, asked: list[urllib.request.Request]
) -> None:
    made = connection(address)
    made.write(b"m v=1 2\n", "us")
    (request,) = asked
    assert request.full_url == f"{url}&precision={'us' if made.is_v2 else 'u'}"
    assert request.get_header("Authorization") == authorization
    assert request.get_header("Content-encoding") == "gzip"
    assert isinstance(request.data, bytes)
    assert gzip.decompress(request.data) == b"m v=1 2\n"


def test_a_bucket_is_deleted_from_and_asked_by_its_name(asked: list[urllib.request.Request]) -> None:
    made = connection("influxdb://:t@db.test/?bucket=d/week&org_id=0123")
    made.delete('m "x"', "2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z")
    made.query("SHOW DATABASES")
    delete, query = asked
    assert delete.full_url == "http://db.test:8086/api/v2/delete?bucket=d%2Fweek&orgID=0123"
    assert isinstance(delete.data, bytes)
    assert isinstance(query.data, bytes)
    assert json.loads(delete.data)["predicate"] == '_measurement="m \\"x\\""'
    assert b"db=d&rp=week" in query.data


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("influxdb://db.test", "names neither a database nor a bucket"),
        ("influxdb://db.test/d?buckt=x", "unknown option 'buckt'"),
        ("influxdb://db.test/d?timeout=never", "timeout=never: expected a number of seconds"),
    ],
)
def test_an_address_that_says_too_little_or_too_much_is_refused(address: str, said: str) -> None:
    with pytest.raises(FatalError, match=said) as refusal:
        connection(address)
    assert refusal.value.code is Code.UNREADABLE_ADDRESS


V2, V3 = '{"code": "%s", "message": "%s"}', '{"error": "partial write of line protocol occurred", "data": %s}'


@pytest.mark.parametrize(
    ("status", "body", "kind", "code", "said"),
    [
        (
            401,
            V2 % ("unauthorized", "unauthorized access"),
            FatalError,
            Code.NOT_LET_IN,
            "unauthorized access",
        ),
        (
            404,
            V2 % ("not found", 'bucket \\"b\\" not found'),
            FatalError,
            Code.NO_TABLE,
            'bucket "b" not found',
        ),
        (404, "404 page not found", NoRouteError, Code.NO_TABLE, "has no /api/v2/write"),
        (501, "", NoRouteError, Code.NO_TABLE, "has no /api/v2/write"),
        (
            422,
            V2 % ("unprocessable entity", "partial write: … dropped=1"),
            RefusedPointsError,
            None,
            "dropped=1",
        ),
        (
            400,
            V3 % '[{"error_message": "invalid column type", "line_number": 2}]',
            RefusedPointsError,
            None,
            "invalid column",
        ),
        (413, V2 % ("request too large", "too large"), RefusedPointsError, None, "too large"),
        (402, "", FatalError, None, "answered 402: no reason is given"),
    ],
)
def test_what_a_server_says_is_told_as_what_it_is(
    status: int, body: str, kind: type[WindlassError], code: Code | None, said: str
) -> None:
    answer = AnswerError("x", Refusal(status, Message(), body.encode()), Code.CONNECTION_LOST)
    error = error_of(answer, "db.test:8086", "/api/v2/write", "the bucket 'b'", is_v2=True)
    assert type(error) is kind
    assert said in error.message
    assert code in (None, error.code)


def test_a_busy_server_may_be_asked_again_and_says_when() -> None:
    busy = NotNowError("influxdb at x answered 429 Too Many Requests", code=Code.CONNECTION_LOST)
    busy.refusal, busy.wait = Refusal(429, Message(), b'{"message": "rate limit"}'), 30.0
    error = error_of(busy, "x", "/write", "the database 'd'", is_v2=False)
    assert isinstance(error, NotNowError)
    assert (error.wait, "rate limit" in error.message) == (30.0, True)
    assert isinstance(error, RetryableError)


def test_an_error_behind_rows_is_no_end_of_them() -> None:
    rows = '{"series": [{"name": "m", "columns": ["time", "n"], "values": [[1, 9007199254740993]], "partial": true}]}'
    (series,) = series_in(f'{{"results": [{rows}]}}'.encode(), "x")
    assert (series.rows(), series.is_partial) == ([{"time": 1, "n": 2**53 + 1}], True)
    with pytest.raises(FatalError, match="influxdb at x: query interrupted"):
        series_in(f'{{"results": [{rows}, {{"error": "query interrupted"}}]}}'.encode(), "x")


def test_each_bad_point_is_found_and_no_other() -> None:
    """Also where the server writes nothing of a request with a bad point, or takes only few at a time."""
    written: set[str] = set()
    requests: list[int] = []

    class Server:
        def write(self, lines: bytes, precision: str) -> None:
            found = lines.decode().split("\n")
            requests.append(len(found))
            if len(found) > 40 or any("bad" in line for line in found):
                raise RefusedPointsError("influxdb at x: partial write: no dropped=0")
            written.update(found)

    points = [Point(i, f"m v={'bad' if i in (3, 50, 99) else i}", '{"v": 1}') for i in range(100)]
    bad: dict[int, BadRow] = {}
    server: Any = Server()
    assert send(server, points, "ns", lambda row, number: bad.update({number: row})) == 97
    assert sorted(bad) == [3, 50, 99]
    assert all(row.reason is Reason.REFUSED and row.record == {"v": 1} for row in bad.values())
    assert written == {point.line for point in points if "bad" not in point.line}
    assert len(requests) < 50


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"mode": "append"}, "`measurement`"),
        ({"measurement": "m"}, "`mode`"),
        ({"measurement": "windlass_loads", "mode": "append"}, "cannot be called 'windlass_loads'"),
        ({"measurement": "#m", "mode": "append"}, "cannot be called '#m'"),
        ({"measurement": "m\\", "mode": "append"}, "line protocol cannot say"),
        ({"measurement": "m", "mode": "append", "tags": ["a"], "time": "a"}, "'a' can be only one of"),
        ({"measurement": "m", "mode": "merge", "key": ["a"]}, "merges already"),
        ({"measurement": "m", "mode": "delete_insert", "interval": "a"}, "goes by the time of points"),
        ({"measurement": "m", "mode": "append", "precision": "m"}, "precision"),
    ],
)
def test_keys_that_make_no_sense_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(FatalError, match=said):
        read_options(options.Destination, given)
