"""What measurements have that others have not: names and values of line protocol, times, points that the server refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from windlass.connections import Address
from windlass.connectors.influxdb.client import Connection
from windlass.connectors.influxdb.fresh import fresh
from windlass.connectors.influxdb.options import OURS
from windlass.errors import Code, FatalError, RetryableError, WindlassError
from windlass.plan.model import SelectColumn
from windlass.testing import Copier, destination_of, source_of

DAY = (datetime(2024, 5, 1, tzinfo=UTC), datetime(2024, 5, 2, tzinfo=UTC))
FIRST = int(DAY[0].timestamp()) * 10**9
HOUR = 3_600 * 10**9

Load = Callable[..., Any]
Points = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def connection(influxdb: Address) -> Connection:
    return Connection(influxdb)


@pytest.fixture
def load(copier: Copier, influxdb: Address) -> Load:
    """Loads rows into a measurement, `m` unless another one is said; returns the outcome."""
    copier.addresses["influx"] = influxdb
    numbers = iter(range(100))

    def into(
        rows: list[dict[str, Any]] | pa.Table, *, copying: dict[str, Any] | None = None, **to: Any
    ) -> Any:
        path = f"in_{next(numbers)}"
        if isinstance(rows, list):
            path += ".ndjson"
            text = "".join(json.dumps(row) + "\n" for row in rows)
            (copier.folder / path).write_text(text, encoding="utf-8")
        else:
            path += ".parquet"
            pq.write_table(rows, copier.folder / path)
        wanted = {"measurement": "m", "mode": "append", **to}
        return copier(source_of(path=path), destination_of(connection="influx", **wanted), **(copying or {}))

    return into


@pytest.fixture
def points(connection: Connection) -> Points:
    """The points of a measurement, as the server says them."""

    def of(measurement: str = "m") -> list[dict[str, Any]]:
        quoted = '"' + measurement.replace("\\", "\\\\").replace('"', '\\"') + '"'
        return [row for series in connection.query(f"SELECT * FROM {quoted}") for row in series.rows()]

    return of


NAMES = [
    "plain",
    "with space",
    "a,b",
    "a=b",
    'quo"te',
    "back\\slash",
    "naïve 🎉",
    "#hash",
    "it's",
]
TEXTS = [*NAMES, "", "two\nlines", "ends\\", '\\"', "\ttab\r", "x" * 70_000]
TAGS = ["plain", "with space", "a,b", "a=b", 'quo"te', "back\\slash", "back\\,slash", "naïve 🎉", "\ttab"]


@pytest.mark.parametrize("measurement", ["plain", 'with, space="quotes"\\slash'])
def test_every_name_and_text_comes_back_as_it_was(
    load: Load, points: Points, copier: Copier, measurement: str
) -> None:
    rows = [
        {"at": f"2024-05-01T00:00:{i:02d}Z", "t,a =g": tag, **{f"f {name}": text for name in NAMES}}
        for i, (tag, text) in enumerate((TAGS[i % len(TAGS)], text) for i, text in enumerate(TEXTS))
    ]
    assert load(rows, measurement=measurement, tags=["t,a =g"], time="at").counts.written == len(TEXTS)
    found = points(measurement)
    assert [row["t,a =g"] for row in found] == [row["t,a =g"] for row in rows]
    for name in NAMES:
        assert [row[f"f {name}"] for row in found] == TEXTS, name
    copier(source_of(connection="influx", measurement=measurement), destination_of(path="out.parquet"))
    out = pq.read_table(copier.folder / "out.parquet").to_pylist()
    assert [{**row, "time": None} for row in out] == [
        {"time": None, **{k: v for k, v in row.items() if k != "at"}} for row in rows
    ]


def test_values_of_every_type_are_kept_exactly_or_their_row_is_bad(
    load: Load, points: Points, copier: Copier, connection: Connection
) -> None:
    unsigned = connection.version().startswith("v2")
    big = 2**63 - 1
    columns: dict[str, tuple[pa.DataType, list[Any]]] = {
        "whole": (pa.int64(), [big, -big, 2**53 + 1, None]),
        "unsigned": (pa.uint64(), [0, big, 7, 2**64 - 1]),  # the last row is bad where the server has no such
        "double": (pa.float64(), [0.1, -0.0, 5e-324, 1.7976931348623157e308]),
        "single": (pa.float32(), [0.5, 16777216.0, -1.5, None]),
        "money": (pa.decimal128(12, 2), ["120.50", "-0.01", "99999999.99", "0.00"]),
        "ok": (pa.bool_(), [True, False, None, True]),
        "day": (pa.date32(), ["2024-05-01", "1999-12-31", None, "2024-02-29"]),
        "moment": (
            pa.timestamp("us", tz="UTC"),
            ["2024-05-01T12:00:00.000001Z", None, "1970-01-01T00:00:00Z", None],
        ),
        "things": (pa.list_(pa.int32()), [[1, 2], [], None, [3]]),
        "text": (pa.string(), ["a", None, "", "d"]),
    }
    arrays = {
        name: pa.array(values, pa.string()).cast(kind)
        if isinstance(next(v for v in values if v is not None), str)
        else pa.array(values, kind)
        for name, (kind, values) in columns.items()
    }
    table = pa.table({"at": pa.array(range(4), pa.int64()), **arrays})
    load(table, time="at", precision="s", copying={"on_bad_row": "quarantine"})
    found, fits = points(), 4 if unsigned else 3
    assert [row["reason"] for row in copier.quarantined] == ["out_of_range"] * (4 - fits)
    for name in ("whole", "unsigned", "double", "single", "ok", "text"):
        assert [row[name] for row in found] == columns[name][1][:fits], name
    assert [row["money"] for row in found] == [120.5, -0.01, 99999999.99, 0][:fits]
    assert [row["day"] for row in found][:2] == ["2024-05-01", "1999-12-31"]
    assert found[0]["moment"] == "2024-05-01T12:00:00.000001Z"
    assert json.loads(found[0]["things"]) == [1, 2]
    copier(source_of(connection="influx", measurement="m"), destination_of(path="out.parquet"))
    out = pq.read_table(copier.folder / "out.parquet")
    assert [str(out.schema.field(name).type) for name in ("time", "whole", "double", "ok", "text")] == [
        "timestamp[us, tz=UTC]",
        "int64",
        "double",
        "bool",
        "string",
    ]
    assert out["whole"].to_pylist() == columns["whole"][1][:fits]


def test_what_cannot_be_a_point_is_bad_with_its_reason(load: Load, points: Points, copier: Copier) -> None:
    good = {"city": "a", "at": "2024-05-01T00:00:00Z", "v": 1.5, "money": "1.5"}
    bad: dict[str, dict[str, Any]] = {
        "no time": {**good, "at": None},
        "an empty tag": {**good, "city": ""},
        "a tag of two lines": {**good, "city": "a\nb"},
        "a tag that ends in a backslash": {**good, "city": "a\\"},
        "before all times": {**good, "at": "1677-09-21T00:00:00Z"},
        "after all times": {**good, "at": "2262-04-12T00:00:00Z"},
        "no field": {**good, "v": None, "money": None, "city": "b"},
        "not a number": {**good, "v": "NaN"},
        "not finite": {**good, "v": "-inf"},
        "too many digits": {**good, "money": "0.12345678901234567891"},
        "one": {**good, "city": "twice", "v": 1},
        "two": {**good, "city": "twice", "v": 2},
    }
    select = tuple(
        SelectColumn(name=n, source=n, type=t)
        for n, t in {"city": None, "at": "timestamptz", "v": "double", "money": "numeric(30,20)"}.items()
    )
    load(
        [good, *bad.values()],
        tags=["city"],
        time="at",
        copying={"on_bad_row": "quarantine", "select": select},
    )
    assert [row["city"] for row in points()] == ["a"]
    reasons = {row["line"] - 2: row["reason"] for row in copier.quarantined}
    found = {name: reasons.get(i) for i, name in enumerate(bad)}
    assert found == {
        "no time": "is_null",
        "an empty tag": "type_mismatch",
        "a tag of two lines": "type_mismatch",
        "a tag that ends in a backslash": "type_mismatch",
        "before all times": "out_of_range",
        "after all times": "out_of_range",
        "no field": "is_null",
        "not a number": "out_of_range",
        "not finite": "out_of_range",
        "too many digits": "loses_precision",
        "one": "duplicate_key",
        "two": "duplicate_key",
    }
    twice = [row for row in copier.quarantined if row["reason"] == "duplicate_key"]
    assert "another row is the same point" in twice[0]["message"]
    assert twice[0]["record"]["city"] == "twice"


def test_times_come_from_a_column_or_the_interval_and_never_from_the_clock(
    load: Load, points: Points, copier: Copier
) -> None:
    given: dict[str, tuple[list[Any], str, list[int]]] = {
        "nanoseconds": ([FIRST + 1, FIRST + 2], "ns", [FIRST + 1, FIRST + 2]),
        "seconds": ([FIRST // 10**9, -1], "s", [-(10**9), FIRST]),
        "text": (
            ["2024-05-01T02:00:00.5+02:00", "2024-05-01 01:00:00"],
            "ms",
            [FIRST + 500_000_000, FIRST + HOUR],
        ),
        "days": (["2024-05-01", "2024-05-02"], "ns", [FIRST, FIRST + 24 * HOUR]),
    }
    for name, (times, precision, expected) in given.items():
        load([{"t": t, "v": 1} for t in times], measurement=name, time="t", precision=precision)
        assert [row["time"] for row in points(name)] == expected, name
    fine = pa.table({"t": pa.array([FIRST + 1, FIRST + 1_000_000], pa.timestamp("ns")), "v": [1, 2]})
    load(fine, measurement="fine", time="t")
    assert [row["time"] for row in points("fine")] == [FIRST + 1, FIRST + 1_000_000]
    copier(source_of(connection="influx", measurement="fine"), destination_of(path="fine.parquet"))
    read = pq.read_table(copier.folder / "fine.parquet")["time"]
    assert read.cast(pa.int64()).to_pylist() == [FIRST + 1, FIRST + 1_000_000]
    load(fine, measurement="ms", time="t", precision="ms", copying={"on_bad_row": "quarantine"})
    assert [row["time"] for row in points("ms")] == [FIRST + 1_000_000]
    assert [row["reason"] for row in copier.quarantined] == ["loses_precision"]

    with pytest.raises(FatalError, match="needs a time") as refusal:
        load([{"v": 1}], measurement="late")
    assert refusal.value.code is Code.NO_DATA_INTERVAL
    for value in (1, 2):  # the same run again: the point is overwritten
        load([{"v": value}], measurement="late", copying={"interval": DAY})
    assert points("late") == [{"time": FIRST, "v": 2}]


def test_a_value_becomes_what_its_field_is_already(load: Load, points: Points, copier: Copier) -> None:
    load([{"at": 1, "f": 1.5, "i": 1, "s": "x", "b": True}], time="at")
    others = {"at": [2, 3], "f": [2, 3], "i": [2.0, 2.5], "s": [3, 4], "b": [False, True]}
    load(pa.table(others), time="at", copying={"on_bad_row": "quarantine"})
    assert [(row["f"], row["i"], row["s"], row["b"]) for row in points()] == [
        (1.5, 1, "x", True),
        (2, 2, "3", False),
    ]
    (bad,) = copier.quarantined
    assert (bad["reason"], bad["column"], bad["value"]) == ("loses_precision", "i", "2.5")
    for wrong, said in ({"tags": ["s"]}, "'s' is a field"), ({"tags": ["nope"]}, "no column 'nope'"):
        with pytest.raises(FatalError, match=said):
            load([{"at": 3, "f": 3.5, "s": "y"}], time="at", **wrong)
    with pytest.raises(FatalError, match="means something else"):
        load([{"at": 3, "time": 3.5}], time="at")
    with pytest.raises(FatalError, match="has bytes"):
        load(pa.table({"at": [1], "raw": [b"x"]}), time="at")


def test_the_points_that_the_server_refuses_are_the_bad_ones(
    load: Load, points: Points, connection: Connection, copier: Copier
) -> None:
    """Of a type in another shard nobody knows beforehand; and of what is too old only the server."""
    connection.query(f"ALTER RETENTION POLICY autogen ON {connection.database} DURATION 2800w")
    connection.write(
        b"m v=1 1420070400000000000\nm v=2i 1714521600000000000\n"
    )  # two shards, each with a type of its own
    now = FIRST // 10**9
    rows = [{"at": now + i, "v": i + 0.5} for i in range(1, 40)] + [
        {"at": now + 700 * 86_400 + i, "v": 0.5} for i in range(9)
    ]
    rows.insert(20, {"at": 5, "v": 1.0})  # older than 2,800 weeks
    load(rows, time="at", precision="s", copying={"on_bad_row": "quarantine"})
    bad = {row["line"]: row["reason"] for row in copier.quarantined}
    assert bad == {**dict.fromkeys(range(1, 41), "type_mismatch"), 21: "out_of_range"}
    assert all("field type conflict" in row["message"] for row in copier.quarantined if row["line"] != 21)
    assert copier.quarantined[20]["message"].startswith("it is older than what the retention policy keeps")
    assert copier.quarantined[0]["record"] == {"at": now + 1, "v": 1.5}
    written = {row["time"] // 10**9 for row in points()}
    assert {now + 700 * 86_400 + i for i in range(9)} <= written
    assert not written & set(range(now + 1, now + 40))


def test_a_load_deletes_what_it_replaces_and_nothing_else(load: Load, points: Points) -> None:
    for hour in (-1, 0, 23, 24):
        load([{"t": FIRST + hour * HOUR, "v": hour, "old": True}], time="t")
    load([{"t": FIRST, "v": 1}], measurement="other", time="t")
    new = [{"t": FIRST, "v": 100}, {"t": FIRST + 5 * HOUR, "v": 101}]
    as_time = (SelectColumn(name="t", source="t", type=None), SelectColumn(name="v", source="v"))
    for _ in range(2):
        rows = [
            {"t": datetime.fromtimestamp(row["t"] / 10**9, UTC).isoformat(), "v": row["v"]} for row in new
        ]
        load(rows, time="t", interval="t", mode="delete_insert", copying={"interval": DAY, "select": as_time})
        assert [(row["v"], row["old"]) for row in points()] == [
            (-1, True),
            (100, None),
            (101, None),
            (24, True),
        ]
    load(new, time="t", mode="replace")
    assert [row["v"] for row in points()] == [100, 101]
    assert len(points("other")) == 1


def test_a_measurement_of_several_retention_policies_is_not_deleted_from(
    load: Load, points: Points, connection: Connection, influxdb: Address, copier: Copier
) -> None:
    if connection.is_v2:
        pytest.skip("a bucket has one")
    connection.query(f"CREATE RETENTION POLICY years ON {connection.database} DURATION INF REPLICATION 1")
    copier.addresses["influx"] = replace(influxdb, options={**influxdb.options, "rp": "years"})
    load([{"t": 1, "v": 1}], time="t")
    with pytest.raises(FatalError, match=r"several retention policies .*autogen, years"):
        load([{"t": 1, "v": 2}], time="t", mode="replace")
    copier(source_of(connection="influx", measurement="m"), destination_of(path="out.ndjson"))
    assert json.loads((copier.folder / "out.ndjson").read_text())["v"] == 1
    assert points() == []  # in the default one


def test_what_is_wrong_with_an_address_is_told_without_its_secrets(
    load: Load, influxdb: Address, copier: Copier, connection: Connection
) -> None:
    def said(address: Address) -> WindlassError:
        copier.addresses["influx"] = address
        with pytest.raises(WindlassError) as refusal:
            load([{"t": 1, "v": 1}], time="t")
        assert address.password not in str(refusal.value)
        return refusal.value

    of_bucket = connection.is_v2
    missing = {"bucket": "nope"} if of_bucket else {}
    assert said(replace(influxdb, password="admin:not-it")).code is Code.NOT_LET_IN
    nowhere = said(replace(influxdb, database="nope", options={**influxdb.options, **missing}))
    assert (nowhere.code, "not found" in nowhere.message) == (Code.NO_TABLE, True)
    refused = said(replace(influxdb, port=9))
    assert isinstance(refused, RetryableError)
    assert refused.code is Code.CONNECTION_REFUSED
    assert said(replace(influxdb, options={"retention": "x"})).code is Code.UNREADABLE_ADDRESS
    if not of_bucket:
        wrong_policy = said(replace(influxdb, options={"rp": "nope"}))
        assert "retention policy not found" in wrong_policy.message


def test_queries_are_read_with_the_types_that_their_values_have(
    load: Load, connection: Connection, copier: Copier, influxdb: Address
) -> None:
    rows = [{"t": i, "city": "ab"[i % 2], "n": 2**53 + i, "x": i / 2} for i in range(6)]
    load(rows, tags=["city"], time="t")
    query = "SELECT count(n) AS many, max(x) AS most, last(n) AS n FROM m GROUP BY city"
    copier(source_of(connection="influx", query=query), destination_of(path="out.ndjson"))
    found = [json.loads(line) for line in (copier.folder / "out.ndjson").read_text().splitlines()]
    assert [(row["city"], row["many"], row["most"], row["n"]) for row in found] == [
        ("a", 3, 2, 2**53 + 4),
        ("b", 3, 2.5, 2**53 + 5),
    ]
    for source, said in (
        (source_of(connection="influx", measurement="n"), "there is no measurement 'n'"),
        (source_of(connection="influx", query="SELECT"), "error parsing query"),
    ):
        with pytest.raises(FatalError, match=said):
            copier(source, destination_of(path="out.ndjson"))
    ours = {row["name"] for series in connection.query("SHOW MEASUREMENTS") for row in series.rows()}
    assert ours == {"m", *OURS}


def test_the_command_reads_and_writes_a_measurement(
    windlass: Callable[..., Any], influxdb: Address, points: Points, tmp_path: Path
) -> None:
    (tmp_path / "in.csv").write_text(
        "city,at,temp\nOslo,2024-05-01T00:00:00Z,1.5\nRome,2024-05-01T00:00:00Z,20\n"
    )
    separator = "&" if influxdb.options else "?"
    to = f"{influxdb.uri()}{separator}measurement=m&tags=city&time=at"
    done = windlass("copy", "in.csv", to, "--mode", "append", "--json", cwd=tmp_path)
    assert (done.code, done.json["rows_written"]) == (0, 2), done
    assert [(row["city"], row["temp"]) for row in points()] == [("Oslo", 1.5), ("Rome", 20)]
    done = windlass("copy", f"{influxdb.uri()}{separator}measurement=m", "out.csv", cwd=tmp_path)
    assert done.code == 0, done
    assert (tmp_path / "out.csv").read_text().splitlines()[1:] == [
        "2024-05-01 00:00:00+00,Oslo,1.5",
        "2024-05-01 00:00:00+00,Rome,20.0",
    ]


def test_a_case_of_a_test_has_a_copy_of_the_database(influxdb: Address, connection: Connection) -> None:
    connection.write(b"weather,city=Lyon temp=7.25,n=1i 1000000000\nother x=1 2000000000")
    with fresh(influxdb, f"{influxdb.database}_copy") as address:
        copied = Connection(address)
        assert [series.values for series in copied.query('SELECT city, temp, n FROM "weather"')] == [
            [[1000000000, "Lyon", 7.25, 1]]
        ]
        copied.write(b"weather,city=Nice temp=9 3000000000")
    [weather] = connection.query('SELECT count(temp) FROM "weather"')
    assert weather.values[0][1] == 1
