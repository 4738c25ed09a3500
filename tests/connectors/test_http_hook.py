"""Records that a function of the project gets from an API."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.connectors.apis import Api, answer
from windlass.connectors.http.options import Source
from windlass.errors import FatalError, RetryableError, SpecError, WindlassError
from windlass.options import read_options
from windlass.testing import Copier, destination_of, source_of

Make = Callable[..., Api]
Hooked = Callable[..., list[dict[str, Any]]]

CODE = """
import datetime, decimal
import pyarrow as pa

def pages(api, status, most=10):
    for page in range(1, most):
        found = api.get("/tickets", {"page": page, "status": status}, {"X-Page": str(page)})
        yield from ({**ticket, "page": page} for ticket in found.json["items"])
        if found.headers["x-last"] == "yes":
            return

def searched(api):
    found = api.post("/search", {"q": [1, None]}, {"a": "b c"})
    return found.json

def values(api):
    yield {"n": decimal.Decimal("1.10"), "big": 2 ** 60, "day": datetime.date(2024, 2, 29),
           "at": datetime.datetime(2024, 2, 29, tzinfo=datetime.timezone.utc), "none": None, "in": {"a": [1]}}

def exact(api):
    yield {"n": decimal.Decimal("12345678901234567890.123456789")}

def arrow(api):
    yield pa.record_batch({"id": [1, 2]})
    yield pa.table({"id": [3]})

def mixed(api):
    yield from arrow(api)
    yield {"id": 4}

def nothing(api):
    return []

def fails(api):
    yield {"id": 1}
    raise KeyError("no such thing")

def nan(api):
    yield {"a": {"b": [float("nan")]}, "c": None}

def odd(api):
    yield {"a": object()}

def busy(api):
    api.get("/busy")
"""


@pytest.fixture
def hooked(copier: Copier) -> Iterator[Hooked]:
    """Copies what a function of that name gives to a file, and reads it there."""
    import sys

    before = list(sys.path)
    module = f"hooks_{copier.folder.name}".replace("-", "_")
    (copier.folder / f"{module}.py").write_text(CODE)

    def read(
        api: Api, name: str, settings: dict[str, Any] | None = None, **options: Any
    ) -> list[dict[str, Any]]:
        copier.addresses["api"] = replace(api.address, password="canary", settings=settings or {})
        source = source_of(
            connection="api", python=f"{module}:{name}", **{"retry": {"attempts": 1}, **options}
        )
        copier(source, destination_of(path="out.ndjson"))
        return [json.loads(line) for line in (copier.folder / "out.ndjson").read_text().splitlines()]

    yield read
    sys.path[:] = before
    sys.modules.pop(module, None)


def test_a_function_gets_records_with_who_asks_attempts_and_arguments(make_api: Make, hooked: Hooked) -> None:
    api = make_api(
        answer("", "Retry-After: 0", status="503 Busy"),
        answer('{"items": [{"id": 1, "price": 1.10}, {"id": 2, "price": 0.1}]}', "X-Last: no"),
        answer('{"items": [{"id": 3, "price": 3}]}', "X-Last: yes"),
    )
    bearer = {"auth": {"type": "bearer"}}
    options = {"arguments": {"status": "a&b"}, "retry": {"attempts": 2, "max_wait": 0.0}}
    found = hooked(api, "pages", bearer, **options)
    assert [(row["id"], row["page"]) for row in found] == [(1, 1), (2, 1), (3, 2)]
    assert [asked.path for asked in api.asked] == [f"/v1/tickets?page={n}&status=a%26b" for n in (1, 1, 2)]
    assert {asked.headers["authorization"] for asked in api.asked} == {"Bearer canary"}
    assert api.asked[2].headers["x-page"] == "2"
    api = make_api(answer('[{"id": 1}]'))
    assert hooked(api, "searched") == [{"id": 1}]
    assert (api.asked[0].method, api.asked[0].path, api.asked[0].body) == (
        "POST",
        "/v1/search?a=b+c",
        b'{"q":[1,null]}',
    )


def test_values_arrive_as_they_are(make_api: Make, hooked: Hooked) -> None:
    (row,) = hooked(make_api(), "values")
    assert (row["n"], row["big"], row["none"]) == (1.1, 2**60, None)
    assert row["day"] == "2024-02-29"
    assert row["at"].startswith("2024-02-29T00:00:00")
    assert row["in"] == {"a": [1]}
    assert hooked(make_api(), "arrow") == [{"id": 1}, {"id": 2}, {"id": 3}]


@pytest.mark.parametrize(
    ("name", "kind", "says"),
    [
        ("nowhere", FatalError, r"there is no function hooks_\w+:nowhere"),
        ("pages", FatalError, r"pages failed: TypeError: .*missing 1 required positional argument: 'status'"),
        ("fails", FatalError, r"fails failed: KeyError: 'no such thing'\n  at .*hooks_\w+\.py:\d+, in fails"),
        ("nothing", FatalError, "has no records"),
        ("mixed", FatalError, "gives either mappings or batches of Arrow"),
        ("nan", FatalError, "a record has a number that JSON has not"),
        ("exact", FatalError, "a number has more digits than a double keeps"),
        ("odd", FatalError, "a record cannot be told"),
        ("busy", RetryableError, "/busy answered 503"),
    ],
)
def test_what_goes_wrong_is_told(
    make_api: Make, hooked: Hooked, name: str, kind: type[WindlassError], says: str
) -> None:
    with pytest.raises(kind, match=says):
        hooked(make_api(answer("", status="503 Busy")), name)


def test_what_a_function_decides_has_no_keys_beside_it(tmp_path: Path) -> None:
    for written, says in (
        ({}, "needs `path` or `python`"),
        ({"path": "/x", "arguments": {"a": 1}}, "`arguments` are for `python`"),
        ({"python": "a.b"}, "`python` is a function as `module:function`"),
        ({"python": "a:b", "path": "/x"}, "`path` does not go with `python`"),
        ({"python": "a:b", "paginate": {"type": "header_link"}}, "`paginate` does not go with `python`"),
        ({"python": "a:b", "csv": {"delimiter": ";"}}, "`csv` does not go with `python`"),
    ):
        with pytest.raises((FatalError, SpecError), match=says):
            read_options(Source, written)
    read_options(Source, {"python": "a:b", "arguments": {"x": 1}, "retry": {"attempts": 1}, "errors": []})
