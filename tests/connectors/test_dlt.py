"""Resources of dlt as the source of a copy."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from windlass.connections import parse_address
from windlass.errors import FatalError
from windlass.plan.model import Incremental
from windlass.testing import Copier, destination_of, source_of

SOURCES = """
import datetime, decimal
import dlt, pendulum, pyarrow

@dlt.source
def shop(region: str, token: str = dlt.secrets.value):
    @dlt.resource(primary_key="id", write_disposition="merge")
    def orders():
        when = datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc)
        yield [{"id": 1, "amount": decimal.Decimal("1234567.25"), "at": when, "region": region, "token": token}]
        yield {"id": 2, "amount": None, "at": pendulum.datetime(2024, 1, 2), "tags": {"a": [1, None]}}

    @dlt.transformer(data_from=orders)
    def lines(order):
        yield {"order": order[0]["id"] if isinstance(order, list) else order["id"]}

    @dlt.resource
    def arrow():
        yield pyarrow.table({"n": [1, 2]})
        yield pyarrow.table({"n": [3]})

    @dlt.resource
    def since(updated=dlt.sources.incremental("id", initial_value=2)):
        yield [{"id": 1}, {"id": 2}, {"id": 3}]

    @dlt.resource
    def broken():
        yield {"id": 1}
        raise KeyError("data")

    return orders, lines, arrow, since, broken

@dlt.resource
def numbers(most: int = 3):
    yield from ({"n": n} for n in range(most))

def nothing():
    return []
"""


@pytest.fixture
def load(copier: Copier, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[dict[str, object]]]:
    """Copies a resource, and gives the rows."""
    module = f"sources_{uuid4().hex}"
    (copier.folder / f"{module}.py").write_text(SOURCES)
    monkeypatch.setenv("SOURCES__TOKEN", "hunter2")
    monkeypatch.syspath_prepend(str(copier.folder))

    def copied(
        function: str, *, incremental: Incremental | None = None, **keys: object
    ) -> list[dict[str, object]]:
        copier.addresses["shop"] = parse_address(f"dlt:///{module}:{function}", "a test", "dlt")
        mode = "append" if incremental else "replace"
        wanted = destination_of(
            connection="sqlite" if incremental else None, mode=mode, **_place(incremental)
        )
        copier(source_of("shop", **keys), wanted, incremental=incremental)
        if incremental is not None:
            copier(source_of("sqlite", table="t"), destination_of(path="out.ndjson"))
        return [
            json.loads(line) for line in Path(copier.folder, "out.ndjson").read_text("utf-8").splitlines()
        ]

    return copied


def _place(incremental: Incremental | None) -> dict[str, str]:
    return {"table": "t"} if incremental else {"path": "out.ndjson"}


def test_records_arrive_as_they_are(load: Callable[..., list[dict[str, object]]]) -> None:
    one, two = load("shop", resource="orders", arguments={"region": "eu"})
    assert (one["id"], one["amount"], one["region"], one["token"]) == (1, 1234567.25, "eu", "hunter2")
    assert (two["amount"], two["tags"]) == (None, {"a": [1, None]})
    assert [str(row["at"])[:10] for row in (one, two)] == ["2024-01-01", "2024-01-02"]
    assert load("shop", resource="lines", arguments={"region": "eu"}) == [{"order": 1}, {"order": 2}]
    assert load("shop", resource="arrow", arguments={"region": "eu"}) == [{"n": 1}, {"n": 2}, {"n": 3}]
    assert load("numbers") == [{"n": 0}, {"n": 1}, {"n": 2}]


def test_what_is_new_is_told_by_the_copy_alone(load: Callable[..., list[dict[str, object]]]) -> None:
    new = Incremental(cursor="id")
    for _ in range(2):
        rows = load("shop", resource="since", arguments={"region": "eu"}, incremental=new)
        assert rows == [{"id": 2}, {"id": 3}]


@pytest.mark.parametrize(
    ("function", "keys", "message"),
    [
        ("shop", {"arguments": {"region": "eu"}}, "which resource of .*:shop"),
        ("shop", {"resource": "order", "arguments": {"region": "eu"}}, "did you mean 'orders'"),
        ("shop", {"resource": "orders", "arguments": {"zone": "eu"}}, "failed: TypeError"),
        ("shop", {"resource": "broken", "arguments": {"region": "eu"}}, "'data'"),
        ("nothing", {}, "gives list, and no source or resource of dlt"),
        ("nobody", {}, "there is no function"),
    ],
)
def test_what_is_wrong_is_said(
    load: Callable[..., list[dict[str, object]]], function: str, keys: dict[str, object], message: str
) -> None:
    with pytest.raises(FatalError, match=message):
        load(function, **keys)
