"""Any value of any type into a column of any type: it arrives as the same value, or its row is in quarantine.

What is right is worked out by `exactly.py` from what the values say as text; what has arrived is read back by
drivers alone. Each row of a copy has one value, in a column that goes into a column of another type; a copy has columns
for many pairs of types. A usual run does a third of the copies, and `--every` all.
"""

from __future__ import annotations

import csv
import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeAlias

import duckdb
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.connectors.database import Database
from tests.connectors.exactly import same
from windlass.connections import Address
from windlass.plan.model import Source
from windlass.testing import Copier, destination_of, source_of

Value = tuple[str, str]
"""A type of the source, and the text of a value of it."""

# --- values -----------------------------------------------------------------------------------------

NUMBERS = [
    "0", "1", "-1", "1.5", "0.1", "1.005", "2.50", "1234", "99999.5", "9007199254740993", "16777217", "123456789",
    "0.1234567890123456789", "1e-50", "1e400", "1e-400", "2.5e-324", "1e22", "12345678901234567890123456789",
    "4294967295", "4294967296", "-2147483649", "9223372036854775808", "0.30000000000000004", "0.10000000000000001", "NaN", "-Infinity",
]  # fmt: skip
TIMES = [
    "2024-12-31 23:59:59.999999", "2024-01-01 00:00:00", "2020-02-29 12:34:56.5", "1999-12-31 23:59:59.9999999",
    "2020-01-01 10:00:00+02", "2020-01-01 10:00:00.123+00", "2020-02-29", "12:00:00", "23:59:59.6", "10:00:00+02",
    "10:00:00.1234567", "infinity", "0044-03-15 BC", "now", "1 day 05:00:00", "00:00:00.5",
]  # fmt: skip
TEXTS = [
    "", "a", "abc", "xy", "é🎉", "ab ", " ab", "x" * 70, "1011", "101", "true", "t", "{}", '{"a": 1, "a": 2}', '{"a": NaN}',
    '{"a": 1.50}', '{"a": 0.12345678901234567890}', "[1, 2]", "{1,2}", "{0.1234567890123456789}", "(1.5,0.12345678901234567890)",
    "\\x00ff", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "$12.34", "1 year 2 mons -03:04:05.5",
]  # fmt: skip


def decimals() -> st.SearchStrategy[str]:
    """Numbers with few and with many digits, before and after the point."""
    digits = st.integers(0, 10**25).map(str)
    plain = st.builds(lambda s, a, b: f"{s}{a}.{b}", st.sampled_from(["", "-"]), digits, digits)
    wide = st.integers(10**14, 10**17).map(str)
    scientific = st.builds("{}e{}".format, st.integers(-(10**6), 10**6), st.integers(-340, 320))
    return plain | wide | scientific


def moments() -> st.SearchStrategy[str]:
    def text(moment: datetime, places: int) -> str:
        return (
            moment.strftime("%Y-%m-%d %H:%M:%S").rjust(19, "0")
            + f".{moment.microsecond:06}"[: places + 1 if places else 0]
        )

    return st.builds(text, st.datetimes(), st.integers(0, 6))


def integers(bits: int) -> st.SearchStrategy[str]:
    edges = [-(1 << bits - 1), (1 << bits - 1) - 1, 0, 1, 2, -1]
    return (st.integers(-(1 << bits - 1), (1 << bits - 1) - 1) | st.sampled_from(edges)).map(str)


def within(values: Sequence[str], fits: Callable[[str], bool]) -> list[str]:
    return [value for value in values if fits(value)]


def is_time(text: str) -> bool:
    return text[:4].isdigit() and " " in text and len(text) <= 26 and "+" not in text and "BC" not in text


ODD_TEXTS = [*NUMBERS, *TIMES, *TEXTS[1:]]
TEXT = st.sampled_from([*NUMBERS, *TIMES, *TEXTS]) | decimals() | moments()
FLOATS = st.floats(allow_subnormal=True).map(repr) | st.sampled_from(
    ["0.1", "1.5", "1e-320", "5e-324", "123456789.0", "inf", "nan"]
)
MOMENTS = moments() | st.sampled_from(within(TIMES, is_time))
TIMES_OF_DAY = st.times().map(str) | st.just("23:59:59.999999")
JSON = st.sampled_from(
    [
        '{"a": 1}',
        '{"a": 1, "a": 2}',
        '{"a": 1.50, "b": [null]}',
        "[]",
        '"x"',
        '{"a": 12345678901234567890.10}',
    ]
)
"""Documents."""

# For each type of a source: how values of it are written.
POSTGRES = {
    "boolean": st.sampled_from(["true", "false"]),
    "smallint": integers(16), "integer": integers(32), "bigint": integers(64),
    "numeric": decimals() | st.sampled_from([n for n in NUMBERS if n != "1e400"]), "numeric(20,6)": st.integers(-(10**19), 10**19).map(lambda n: str(Decimal(n).scaleb(-6))),
    "numeric(6,-2)": st.integers(-(10**5), 10**5).map(lambda n: str(n * 100)),
    "real": st.floats(width=32).map(repr), "double precision": FLOATS,
    "money": st.decimals(-1000, 1000, places=2).map(str),
    "text": TEXT, "character varying(20)": TEXT.filter(lambda t: len(t) <= 20), "character(5)": st.sampled_from(["abc", "ab", "12"]),
    "date": st.dates().map(str), "time": TIMES_OF_DAY, "time with time zone": st.builds("{}{}".format, st.times(), st.sampled_from(["+00", "+02", "-07:30"])),
    "timestamp": MOMENTS, "timestamp(3)": MOMENTS, "timestamp with time zone": MOMENTS,
    "interval": st.sampled_from(["1 day 05:00:00", "1 year 2 mons", "-00:00:00.5", "00:00:01.123456"]),
    "bit(4)": st.text("01", min_size=4, max_size=4), "bit varying": st.text("01", max_size=8),
    "json": JSON, "jsonb": JSON, "uuid": st.uuids().map(str), "bytea": st.binary(max_size=4).map(lambda b: "\\x" + b.hex()),
    "integer[]": st.lists(st.integers(-9, 9), max_size=3).map(lambda v: "{" + ",".join(map(str, v)) + "}"),
    "numeric[]": st.lists(decimals(), max_size=2).map(lambda v: "{" + ",".join(v) + "}"),
}  # fmt: skip
DUCKDB = {
    "BOOLEAN": st.sampled_from(["true", "false"]),
    "TINYINT": integers(8), "INTEGER": integers(32), "BIGINT": integers(64), "HUGEINT": integers(100), "UBIGINT": st.integers(0, 2**64 - 1).map(str),
    "DECIMAL(18,6)": st.integers(-(10**17), 10**17).map(lambda n: str(Decimal(n).scaleb(-6))),
    "DECIMAL(38,10)": st.integers(-(10**37), 10**37).map(lambda n: str(Decimal(n).scaleb(-10))),
    "FLOAT": st.floats(width=32).map(repr), "DOUBLE": FLOATS, "VARCHAR": TEXT,
    "DATE": st.dates().map(str), "TIME": TIMES_OF_DAY, "TIMESTAMP": MOMENTS,
    "TIME WITH TIME ZONE": st.builds("{}{}".format, st.times(), st.sampled_from(["+00", "+02", "-07:30"])),
    "TIMESTAMP_NS": st.datetimes(min_value=datetime(1700, 1, 1), max_value=datetime(2200, 1, 1)).map(lambda m: f"{m:%Y-%m-%d %H:%M:%S}.{m.microsecond:06}") | st.just("2020-01-01 00:00:00.123456789"),
    "TIMESTAMP WITH TIME ZONE": MOMENTS.map(lambda t: f"{t}+00"),
    "BLOB": st.binary(max_size=4).map(lambda b: "".join(f"\\x{v:02x}" for v in b)),
    "UUID": st.uuids().map(str),
}  # fmt: skip
SQLITE = {
    "INTEGER": integers(64), "REAL": FLOATS.filter(lambda text: text != "nan"), "TEXT": TEXT, "DECIMAL TEXT(20,6)": POSTGRES["numeric(20,6)"], "TIMESTAMP": MOMENTS, "DATE": st.dates().map(str),
}  # fmt: skip
FILES = {"": TEXT}
SOURCES = {
    "postgres": POSTGRES,
    "duckdb": DUCKDB,
    "parquet": {k: v for k, v in DUCKDB.items() if k != "HUGEINT" and "TIME WITH" not in k},
    "sqlite": SQLITE,
    "csv": FILES,
    "ndjson": FILES,
}

# The types of columns that are there.
TARGETS = {
    "postgres": [
        "boolean", "smallint", "integer", "bigint", "oid", "numeric", "numeric(12,2)", "numeric(5,-2)", "numeric(60,2)",
        "real", "double precision", "money", "text", "character varying(3)", "character(3)", '"char"', "name",
        "date", "time", "time(0)", "time with time zone", "time(0) with time zone", "timestamp", "timestamp(0)", "timestamp(3)",
        "timestamp with time zone", "timestamp(0) with time zone", "interval", "interval(0)", "interval day",
        "bit(3)", "bit varying(3)", "json", "jsonb", "uuid", "bytea", "point", "integer[]", "real[]", "numeric(4,1)[]", "shortish", "cents",
    ],
    "duckdb": [
        "BOOLEAN", "TINYINT", "INTEGER", "BIGINT", "UBIGINT", "HUGEINT", "DECIMAL(12,2)", "DECIMAL(38,10)", "FLOAT", "DOUBLE",
        "VARCHAR", "DATE", "TIME", "TIME WITH TIME ZONE", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS",
        "TIMESTAMP WITH TIME ZONE", "INTERVAL", "BLOB", "UUID", "JSON", "BIT",
    ],
    "sqlite": ["INTEGER", "REAL", "TEXT", "BOOLEAN", "DECIMAL TEXT(12,2)", "DECIMAL(12,2)", "NUMERIC", "DATE", "TIME", "TIMESTAMP", "TIMESTAMPTZ", "JSON TEXT", "BLOB", "FLOAT"],
}  # fmt: skip
KNOWN_AS = {
    "shortish": "character varying(3)",
    "cents": "numeric(6,2)",
    "name": "text",
    '"char"': "text",
    "": "text",
}


def known_as(kind: str, end: str) -> str:
    """The type as `exactly.py` knows it: SQLite has but one kind of float."""
    if end == "sqlite" and kind in ("REAL", "FLOAT"):
        return "double precision"
    return KNOWN_AS.get(kind, kind)


Pair: TypeAlias = tuple[str, str]
"""The type of a column of the source, and that of the column which it goes into."""


@dataclass
class World:
    """The ends, made and looked at by drivers. Column i is of the pair of types i, and row n has a value only there."""

    copier: Copier
    postgres: Database
    written: dict[int, tuple[int, str]] = field(default_factory=dict)
    """The column and the value of each row."""

    def source(self, end: str, pairs: Sequence[Pair], values: Mapping[str, Sequence[str]]) -> Source:
        cells = ((i, value) for i, (kind, _) in enumerate(pairs) for value in values[kind])
        rows = [(n, i, value) for n, (i, value) in enumerate(cells)]
        self.written = {n: (i, value) for n, i, value in rows}
        make: Callable[[Sequence[str], Any], Source] = getattr(self, f"_{end}")
        return make([kind for kind, _ in pairs], rows)

    def _postgres(self, kinds: Sequence[str], rows: Any) -> Source:
        made = ", ".join(f"c{i} {kind}" for i, kind in enumerate(kinds))
        picked = ", ".join(f"CASE i WHEN {i} THEN v::{kind} END" for i, kind in enumerate(kinds))
        values = ", ".join(f"({n}, {i}, {quoted(value)})" for n, i, value in rows)
        self.postgres.run(
            f"DROP TABLE IF EXISTS src; CREATE TABLE src (n int, {made});"
            f"INSERT INTO src SELECT n, {picked} FROM (VALUES {values}) AS t (n, i, v)"
        )
        return source_of(connection="pg", table="src")

    def _duckdb(self, kinds: Sequence[str], rows: Any) -> Source:
        file = self.copier.folder / "in.duckdb"
        file.unlink(missing_ok=True)
        self.copier.addresses["in"] = Address("duckdb", database=str(file))
        with duckdb.connect(str(file)) as connection:
            self._fill(connection, kinds, rows)
        return source_of(connection="in", table="src")

    def _fill(self, connection: Any, kinds: Sequence[str], rows: Any) -> None:
        connection.execute("SET TimeZone = 'UTC'")
        made = ", ".join(f"c{i} {kind}" for i, kind in enumerate(kinds))
        connection.execute(f"CREATE TABLE src (n int, {made})")
        values = ", ".join(f"({n}, {i}, {quoted(value)})" for n, i, value in rows)
        picked = ", ".join(f"CASE WHEN i = {i} THEN CAST(v AS {kind}) END" for i, kind in enumerate(kinds))
        connection.execute(f"INSERT INTO src SELECT n, {picked} FROM (VALUES {values}) t(n, i, v)")

    def _parquet(self, kinds: Sequence[str], rows: Any) -> Source:
        with duckdb.connect() as connection:
            self._fill(connection, kinds, rows)
            connection.execute(f"COPY src TO '{self.copier.folder / 'in.parquet'}' (FORMAT parquet)")
        return source_of(path="in.parquet")

    def _sqlite(self, kinds: Sequence[str], rows: Any) -> Source:
        file = self.copier.folder / "in.db"
        file.unlink(missing_ok=True)
        self.copier.addresses["lite"] = Address("sqlite", database=str(file))
        connection = sqlite3.connect(file)
        made = ", ".join(f"c{i} {kind}" for i, kind in enumerate(kinds))
        connection.execute(f"CREATE TABLE src (n INTEGER, {made})")
        for n, i, value in rows:
            given_value = float(value) if kinds[i] == "REAL" else value
            connection.execute(f"INSERT INTO src (n, c{i}) VALUES (?, ?)", (n, given_value))
        connection.commit()
        connection.close()
        return source_of(connection="lite", table="src")

    def _csv(self, kinds: Sequence[str], rows: Any) -> Source:
        with (self.copier.folder / "in.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["n", *(f"c{i}" for i in range(len(kinds)))])
            writer.writerows(
                [n, *(value if i == j else None for j in range(len(kinds)))] for n, i, value in rows
            )
        return source_of(path="in.csv")

    def _ndjson(self, kinds: Sequence[str], rows: Any) -> Source:
        lines = (json.dumps({"n": n, f"c{i}": value}) + "\n" for n, i, value in rows)
        (self.copier.folder / "in.ndjson").write_text("".join(lines), encoding="utf-8")
        return source_of(path="in.ndjson")

    # --- targets ---

    def target(self, end: str, pairs: Sequence[Pair]) -> None:
        made = ", ".join(f"c{i} {kind}" for i, (_, kind) in enumerate(pairs))
        table = f"CREATE TABLE target (n bigint, {made})"
        if end == "postgres":
            self.postgres.run(f"DROP TABLE IF EXISTS target; {table}")
            return
        file = self.copier.folder / ("file.db" if end == "sqlite" else "file.duckdb")
        file.unlink(missing_ok=True)
        connection: Any = sqlite3.connect(file) if end == "sqlite" else duckdb.connect(str(file))
        connection.execute(table)
        connection.commit()
        connection.close()

    def said(self, end: str, columns: int) -> dict[int, str]:
        """What the source itself says of each value."""
        picked = "coalesce(" + ", ".join(f"CAST(c{i} AS text)" for i in range(columns)) + ")"
        if end == "postgres":
            return dict(self.postgres.rows(f"SELECT n, {picked} FROM src"))
        if end not in ("duckdb", "parquet"):
            return {n: value for n, (_, value) in self.written.items()}
        file = self.copier.folder / f"in.{end}"
        with duckdb.connect() as database:
            database.execute("SET TimeZone = 'UTC'")
            if end == "duckdb":
                database.execute(f"ATTACH '{file}' AS x (READ_ONLY)")
            table = "x.src" if end == "duckdb" else f"'{file}'"
            return dict(database.execute(f"SELECT n, {picked} FROM {table}").fetchall())

    def stored(self, end: str, count: int) -> Iterator[tuple[int, str]]:
        """Row and text of each value that has arrived."""
        texts = ", ".join(f"CAST(c{i} AS text)" for i in range(count))
        if end == "postgres":
            rows = self.postgres.rows(f"SELECT n, {texts} FROM target")
        elif end == "sqlite":
            connection = sqlite3.connect(self.copier.folder / "file.db")
            plain = ", ".join(f"c{i}" for i in range(count))
            rows = connection.execute(f"SELECT n, {plain} FROM target").fetchall()
            connection.close()
        else:
            with duckdb.connect(str(self.copier.folder / "file.duckdb"), read_only=True) as database:
                database.execute("SET TimeZone = 'UTC'")
                rows = database.execute(f"SELECT n, {texts} FROM target").fetchall()
        for n, *values in rows:
            for value in values:
                if value is not None:
                    yield n, "\\x" + value.hex() if isinstance(value, bytes) else str(value)


def quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


_AT_ONCE = 80  # columns


@pytest.mark.parametrize("to", TARGETS)
@pytest.mark.parametrize("end", SOURCES)
def test_a_value_arrives_as_it_is_or_its_row_is_in_quarantine(
    copier: Copier, postgres: Database, end: str, to: str, pytestconfig: pytest.Config
) -> None:
    world = World(copier, postgres)
    copier.addresses["pg"] = copier.addresses["postgres"] = postgres.address
    postgres.run("CREATE DOMAIN shortish AS varchar(3); CREATE DOMAIN cents AS numeric(6,2)")
    postgres.run(f"ALTER DATABASE {postgres.address.database} SET TimeZone = 'UTC'")
    drawn: list[dict[str, list[str]]] = []

    @settings(
        max_examples=2,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
        database=None,
    )
    @given(
        st.fixed_dictionaries(
            {kind: st.lists(values, min_size=6, max_size=6) for kind, values in SOURCES[end].items()}
        )
    )
    def draw(values: dict[str, list[str]]) -> None:
        drawn.append(values)

    draw()
    values = drawn[-1]  # the first has the simplest value of each type
    for kind, found in values.items():
        every = share(ODD_TEXTS, pytestconfig) if SOURCES[end][kind] is TEXT else []
        found[:] = [v for v in dict.fromkeys(found) if (end, v) != ("csv", "")] + [*every]
    several = list(copies(end, to))
    for pairs in share(several, pytestconfig) if len(several) > 2 else several:
        assert wrong(world, end, to, pairs, values) == []


def share(of: Sequence[Any], config: pytest.Config) -> Sequence[Any]:
    """A third of them, another one with the next seed; all with `--every`."""
    return of if config.getoption("every") else of[int(config.getoption("seed")) % 3 :: 3]


def copies(end: str, to: str) -> Iterator[list[Pair]]:
    """The pairs of types that one copy has the columns for. Text of all kinds has one for itself: it has many values."""
    others = [kind for kind, values in SOURCES[end].items() if values is not TEXT]
    pairs = [(kind, target) for kind in others for target in TARGETS[to]]
    for begin in range(0, len(pairs), _AT_ONCE):
        yield pairs[begin : begin + _AT_ONCE]
    for kind in SOURCES[end].keys() - set(others):
        yield [(kind, target) for target in TARGETS[to]]


def wrong(
    world: World, end: str, to: str, pairs: Sequence[Pair], values: Mapping[str, Sequence[str]]
) -> list[tuple[Value, Value]]:
    """What has arrived as something else: the source's types and values, and those of the target."""
    source = world.source(end, pairs, values)
    world.target(to, pairs)
    destination = destination_of(connection=to, table="target", mode="append")
    world.copier(source, destination, on_bad_row="quarantine")
    stored = dict(world.stored(to, len(pairs)))
    aside = {int((row["record"] or json.loads(row["raw"]))["n"]) for row in world.copier.quarantined}
    found = []
    for n, text in world.said(end, len(pairs)).items():
        kind, target = pairs[world.written[n][0]]
        pair = (known_as(kind, end), text), (known_as(target, to), stored.get(n, "NULL"))
        numeric = (to, target) == ("sqlite", "NUMERIC")  # what can be a number is one, and else it is text
        if n not in aside and not same(*pair) and not (numeric and same(pair[0], ("text", pair[1][1]))):
            found.append(pair)
    return found
