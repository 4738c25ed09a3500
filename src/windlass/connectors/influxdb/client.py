"""Requests to an InfluxDB.

An address with a database is of version 1: `/write`, user and password. One with a bucket is of version 2 or 3:
`/api/v2/write` and a token. All of them answer InfluxQL at `/query`.
"""

from __future__ import annotations

import gzip
import json
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

from windlass.connections import Address
from windlass.connectors.influxdb.answers import Series, error_of, series_in
from windlass.errors import Code, FatalError, did_you_mean
from windlass.web import AGENT, AnswerError, NotNowError, answer_to, basic, require_whole

__all__ = ["Connection"]

_OPTIONS = ("bucket", "org", "org_id", "org_name", "rp", "silence", "timeout", "token")
_OF_ROWS = ("measurement", "query", "tags", "time", "precision")
_PORT, _SILENCE, _TIMEOUT = 8086, 60.0, 60.0
_WITH_TLS = ("influxdbs", "https")
_TEXT, _FORM, _JSON = (
    {"Content-Type": kind}
    for kind in ("text/plain; charset=utf-8", "application/x-www-form-urlencoded", "application/json")
)


class Connection:
    """What an address leads to. Nothing stays open between two requests."""

    def __init__(self, address: Address) -> None:
        _check(address)
        options = address.options
        self.bucket, self.database = options.get("bucket", ""), address.database
        self.retention_policy = options.get("rp", "")
        if self.bucket:  # `/query` knows it as a database, or as `database/policy`
            self.database, _, self.retention_policy = self.bucket.partition("/")
        host = f"[{address.host}]" if ":" in address.host else address.host or "localhost"
        self.where = f"{host}:{address.port or _PORT}"
        self.silence = _seconds(
            address, "silence", _SILENCE
        )  # without a sign of life, after which a load is gone
        self._timeout = _seconds(address, "timeout", _TIMEOUT)
        self._organisation = {
            "org": options.get("org", options.get("org_name", "")),  # the latter is Airflow's word
            "orgID": options.get("org_id", ""),
        }
        self._base = f"{'https' if address.scheme in _WITH_TLS else 'http'}://{self.where}"
        self._headers = {"User-Agent": AGENT, **_authorization(address)}

    def close(self) -> None:
        """Nothing stays open."""

    @property
    def is_v2(self) -> bool:
        """Whether a bucket is written, in the way of version 2."""
        return bool(self.bucket)

    @property
    def target(self) -> str:
        """The database or bucket, for people."""
        return f"the bucket {self.bucket!r}" if self.is_v2 else f"the database {self.database!r}"

    def version(self) -> str:
        """What the server says of its version, such as `1.8.10` or `v2.7.1`; empty if it does not."""
        with self._answer("GET", "/ping", {}) as response:
            return str(response.headers.get("X-Influxdb-Version", ""))

    def write(self, lines: bytes, precision: str = "ns") -> None:
        """Write points. Raises RefusedPointsError when some of them cannot be."""
        if self.is_v2:
            path, where = "/api/v2/write", {"bucket": self.bucket, **self._organisation}
        else:
            path, where = "/write", {"db": self.database, "rp": self.retention_policy}
            precision = "u" if precision == "us" else precision
        packed = gzip.compress(lines, compresslevel=1)
        headers = {"Content-Encoding": "gzip", **_TEXT}
        with self._answer("POST", path, {**where, "precision": precision}, packed, headers):
            pass

    def query(self, influxql: str) -> list[Series]:
        """Run InfluxQL whose answer is small. Raises FatalError for what is wrong with it."""
        return [series for answer in self.answers(influxql) for series in series_in(answer, self.where)]

    def answers(self, influxql: str, at_once: int = 10_000) -> Iterator[bytes]:
        """The answer as it comes: JSON documents, each a line, with so many rows."""
        asked = {"q": influxql, "epoch": "ns", "chunked": "true", "chunk_size": str(at_once)}
        asked |= {"db": self.database, "rp": self.retention_policy}
        form = urlencode({key: value for key, value in asked.items() if value}).encode()
        with self._answer("POST", "/query", {}, form, _FORM) as response:
            for line in response:
                if line.strip():
                    yield line
            require_whole(response)

    def delete(self, measurement: str, start: str, stop: str) -> None:
        """Delete the points of a measurement from one time to another, both included, in the way of version 2.

        Raises NoRouteError where the server has none.
        """
        name = measurement.replace("\\", "\\\\").replace('"', '\\"')
        what = {"start": start, "stop": stop, "predicate": f'_measurement="{name}"'}
        where = {"bucket": self.bucket, **self._organisation}
        with self._answer("POST", "/api/v2/delete", where, json.dumps(what).encode(), _JSON):
            pass

    @contextmanager
    def _answer(
        self,
        method: str,
        path: str,
        where: Mapping[str, str],
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Iterator[Any]:
        query = urlencode({key: value for key, value in where.items() if value})
        url = f"{self._base}{path}" + (f"?{query}" if query else "")
        request = urllib.request.Request(url, body, {**self._headers, **(headers or {})}, method=method)
        shown = f"influxdb at {self.where}"
        try:
            with answer_to(
                request, shown=shown, code=Code.CONNECTION_LOST, timeout=self._timeout
            ) as response:
                yield response
        except (AnswerError, NotNowError) as exc:
            raise error_of(exc, self.where, path, self.target, is_v2=self.is_v2) from exc.__cause__


def _authorization(address: Address) -> dict[str, str]:
    """User and password, or a token: the password of an address without a user."""
    token = address.options.get("token", "")
    if address.user and not token:
        return {"Authorization": basic(address.user, address.password)}
    if token or address.password:
        return {"Authorization": f"Token {token or address.password}"}
    return {}


def _check(address: Address) -> None:
    """Raise FatalError for an address that says too little, or what nobody understands."""
    for option in address.options:
        if option not in (*_OPTIONS, *_OF_ROWS):
            message = f"the connection in {address.origin} has the unknown option {option!r}"
            hint = did_you_mean(option, _OPTIONS) or f"known: {', '.join(_OPTIONS)}"
            raise FatalError(message, hint=hint, code=Code.UNREADABLE_ADDRESS)
    if not address.database and not address.options.get("bucket"):
        hint = "end it with a database, such as influxdb://host/sensors, or with ?bucket=sensors&org=acme"
        message = f"the address in {address.origin} names neither a database nor a bucket"
        raise FatalError(message, hint=hint, code=Code.UNREADABLE_ADDRESS)


def _seconds(address: Address, option: str, default: float) -> float:
    text = address.options.get(option, str(default))
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0
    if not 0 < seconds < float("inf"):
        message = f"the connection in {address.origin} has {option}={text}: expected a number of seconds"
        raise FatalError(message, code=Code.UNREADABLE_ADDRESS)
    return seconds
