"""What becomes of each type and of its odd values, for every pair of ends: measured, and written down.

docs/reference/types.md is what these copies did. `pytest --update-golden` writes it anew; look at what
changed, for it is what users rely on.
"""

from __future__ import annotations

import csv
import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.conftest import ROOT
from tests.connectors.database import Database
from tests.connectors.mysql_database import MysqlDatabase
from windlass.plan.model import Destination, Source
from windlass.testing import Copier, destination_of, source_of

INTRODUCTION = """\
# Types

<!-- Written by tests/connectors/test_types.py (pytest --update-golden) from what copies really did. -->

Nothing changes silently. A value arrives as it was; or in a wider type that holds it; or the row is bad, and
`on_bad_row` says what happens to it. Each table below is one kind of source, with the destinations side by
side, when windlass makes the table or file. A cell has the type there, and the value as it is stored there,
if that is written otherwise than at the source. *In italics*: the row is refused, and why.

Where the destination has a table already, its types decide: a value that its column cannot hold exactly is
refused, whatever the type it had. Types of another kind are cast by their text: `'12'` fits an integer,
`'1.5'` does not, nor a time of day a date. A time without a zone is taken as UTC by a column with one.

From Postgres to Postgres nothing is converted but what differs: every type is the same type, and every value
the same value, types of the server's own included (they must exist at the target). One thing is left out: XML within
an array, a composite type or a domain is what Postgres itself says of it in COPY and pg_dump, without a declaration
that says no more than version 1.0. A column of the type `xml` keeps its text as it is. (The embedded dev service is
built without libxml and holds no XML: what is said here is tested with an installed server, where there is one.)

Columns of Parquet are what DuckDB calls them; so are those of a DuckDB file. A text file has no types: those
of CSV are inferred from the values, those of JSON from the values and what JSON says of them. A column is a
number or a time only if no value of it loses more than its way of writing: `1.50` may become `1.5`, but `007`
stays text. `columns` under `from` says a type instead.

What stands under MySQL is what MariaDB 10.11 calls it; its `JSON` is a `longtext` that takes nothing else. A `datetime` has
no zone: a time with one becomes that of UTC.
"""

Probe = tuple[str, str]
"""A type, and a value of it as text."""

DUCKDB: list[Probe] = [
    ("BOOLEAN", "true"), ("TINYINT", "-128"), ("UTINYINT", "255"), ("SMALLINT", "-32768"), ("USMALLINT", "65535"),
    ("INTEGER", "-2147483648"), ("UINTEGER", "4294967295"), ("BIGINT", "9223372036854775807"),
    ("UBIGINT", "18446744073709551615"), ("HUGEINT", "99999999999999999999999999999999999999"),
    ("HUGEINT", "170141183460469231731687303715884105727"), ("UHUGEINT", "340282366920938463463374607431768211455"),
    ("FLOAT", "0.1"), ("FLOAT", "nan"), ("DOUBLE", "0.30000000000000004"), ("DOUBLE", "-inf"),
    ("DECIMAL(12,2)", "1.50"), ("DECIMAL(38,10)", "1234567890123456789012345678.0123456789"),
    ("DATE", "2020-02-29"), ("DATE", "0044-03-15 (BC)"), ("DATE", "infinity"), ("TIME", "23:59:59.999999"), ("TIME", "24:00:00"),
    ("TIME WITH TIME ZONE", "12:00:00+05:30"),
    ("TIMESTAMP", "2020-02-29 12:34:56.789012"), ("TIMESTAMP", "0044-03-15 (BC) 12:00:00"), ("TIMESTAMP", "infinity"),
    ("TIMESTAMP_S", "2020-02-29 12:34:56"), ("TIMESTAMP_MS", "2020-02-29 12:34:56.789"),
    ("TIMESTAMP_NS", "2020-02-29 12:34:56.789012"), ("TIMESTAMP_NS", "2020-02-29 12:34:56.789012345"),
    ("TIMESTAMP WITH TIME ZONE", "2020-02-29 12:34:56.789012+00"), ("TIMESTAMP WITH TIME ZONE", "infinity"),
    ("INTERVAL", "1 year 2 months 3 days 04:05:06.789"),
    ("VARCHAR", "naïve"), ("VARCHAR", "NUL \x00"), ("BLOB", r"\x00\xFF"), ("UUID", "00000000-0000-4000-8000-0000000000ff"),
    ("JSON", '{"a": [1, null]}'), ("INTEGER[]", "[1, NULL, 3]"), ("STRUCT(a INTEGER, b VARCHAR)", "{'a': 1, 'b': x}"),
    ("MAP(VARCHAR, INTEGER)", "{x=1}"), ("ENUM('sad', 'ok')", "ok"), ("BIT", "0101"),
    ("JSON", '{"a": 12345678901234567890.10}'), ("DECIMAL(38,10)[]", "[1234567890123456789012345678.0123456789]"),
    ("UBIGINT[]", "[18446744073709551615]"), ("DOUBLE[]", "[nan]"), ("DATE", "5874897-12-31"), ("TIMESTAMP", "12345-01-01 00:00:00"),
]  # fmt: skip

POSTGRES: list[Probe] = [
    ("boolean", "true"), ("smallint", "-32768"), ("integer", "2147483647"), ("bigint", "9223372036854775807"),
    ("numeric", "1.50"), ("numeric", "NaN"), ("numeric", "12345678901234567890123456789012345678901234567890.5"),
    ("numeric(12,2)", "1.50"), ("numeric(12,2)", "NaN"), ("numeric(60,2)", "1.50"), ("numeric(5,-2)", "1200"),
    ("real", "0.1"), ("double precision", "0.30000000000000004"), ("double precision", "-Infinity"), ("money", "$12.34"),
    ("text", "naïve"), ("character varying(5)", "naïve"), ("character(5)", "ab   "), ("bytea", r"\x00ff"),
    ("date", "2020-02-29"), ("date", "0044-03-15 BC"), ("date", "infinity"), ("date", "5874897-12-31"),
    ("time without time zone", "24:00:00"), ("time with time zone", "12:00:00+05:30"),
    ("timestamp without time zone", "2020-02-29 12:34:56.789012"), ("timestamp without time zone", "0044-03-15 12:00:00 BC"),
    ("timestamp without time zone", "infinity"),
    ("timestamp with time zone", "2020-02-29 12:34:56.789012+00"), ("timestamp with time zone", "-infinity"),
    ("interval", "1 year 2 mons 3 days 04:05:06.789"), ("json", '{"b": 1, "a": 1}'),
    ("jsonb", '{"big": 12345678901234567890.10}'), ("uuid", "00000000-0000-4000-8000-0000000000ff"), ("bit(4)", "0101"),
    ("inet", "10.0.0.1/8"), ("macaddr", "08:00:2b:01:02:03"), ("point", "(1.5,2)"), ("int4range", "[1,5)"),
    ("int4multirange", "{[1,5)}"), ("tsvector", "'cat':1A"),
    ("integer[]", "{1,NULL,3}"), ("integer[]", "[2:3]={1,2}"), ("integer[]", "{{1,2},{3,4}}"), ("text[]", '{a,NULL,"b c"}'),
    ("mood", "ok"), ("positive", "1"), ("pair", "(1,x)"),
]  # fmt: skip

MYSQL: list[Probe] = [
    ("boolean", "1"), ("tinyint", "-128"), ("tinyint unsigned", "255"), ("smallint", "-32768"), ("mediumint unsigned", "16777215"),
    ("int", "-2147483648"), ("int unsigned", "4294967295"), ("bigint", "9223372036854775807"),
    ("bigint unsigned", "18446744073709551615"), ("decimal(12,2)", "1.50"),
    ("decimal(65,30)", "12345678901234567890123456789012345.012345678901234567890123456789"),
    ("float", "0.1"), ("double", "0.30000000000000004"), ("bit(1)", "b'1'"), ("bit(8)", "b'11111111'"), ("year", "2155"),
    ("date", "'2020-02-29'"), ("date", "'0000-00-00'"), ("date", "'2020-05-00'"), ("time(6)", "'23:59:59.999999'"),
    ("time", "'838:59:59'"), ("time", "'-01:00:00'"), ("datetime(6)", "'2020-02-29 12:34:56.789012'"),
    ("timestamp null", "'2038-01-19 03:14:07'"), ("char(5)", "'ab   '"), ("varchar(5) character set latin1", "'naïve'"),
    ("varchar(5) character set utf8mb3", "'日本'"), ("longtext", "'🎉'"), ("enum('a','b')", "'b'"), ("set('x','y')", "'y,x'"),
    ("varbinary(9)", "x'00ff'"), ("json", "'{\"a\": [1, null]}'"),
]  # fmt: skip

SQLITE: list[Probe] = [
    ("INTEGER", "9223372036854775807"), ("INTEGER", "'text'"), ("REAL", "0.30000000000000004"), ("REAL", "1e999"),
    ("TEXT", "'naïve'"), ("TEXT", "x'00ff'"), ("BLOB", "x'00ff'"), ("NUMERIC", "1"), ("BOOLEAN", "1"), ("BOOLEAN", "2"),
    ("DECIMAL(12,2)", "1.5"), ("DECIMAL(12,2)", "1.239"), ("DATE", "'2020-02-29'"), ("DATE", "'29.02.2020'"),
    ("DATETIME", "'2020-02-29 12:34:56'"), ("TIMESTAMPTZ", "'2020-02-29 12:34:56+00:00'"), ("JSON", "'{\"a\": 1}'"),
    ("VARCHAR(3)", "'longer'"), ("", "1"),
]  # fmt: skip

CSV = [
    "1", "-0", "007", "+1", "9223372036854775807", "9223372036854775808", "18446744073709551615", "1.5", "1.50",
    "0.30000000000000004", "12345678901234567.25", "1e5", "1e400", "NaN", "true", "T", "yes", "2020-02-29", "2020-02-30",
    "29.02.2020", "02/03/2020", "2020-02-29 12:34:56", "2020-02-29T12:34:56.789012", "2020-02-29 12:34:56.789012345",
    "2020-02-29T12:34:56Z", "2020-02-29 12:34:56+05:30", "12:34:56", "naïve", "{\"a\": 1}",
    "12345678901234567890123456789012345678901234567890",
]  # fmt: skip

JSON = [
    "1", "1.0", "9007199254740993", "18446744073709551615", "123456789012345678901234567890", "0.1",
    "0.30000000000000004", "0.12345678901234567890", "1e400", "true", '"1"', '"007"', '"2020-02-29"', '"naïve"', '"NUL \\u0000"',
    '{"a": 1}', '{"a": 12345678901234567890123}', "[1, null]", '{"a": 0.12345678901234567890}',
]  # fmt: skip

DESTINATIONS = ("Postgres", "MySQL", "SQLite", "DuckDB", "Parquet", "CSV", "JSON")


@dataclass(frozen=True)
class Stored:
    """A value as a destination has it."""

    type: str
    text: str


def test_the_page_says_what_types_become(
    copier: Copier,
    make_postgres: Callable[[str], Database],
    mysql: MysqlDatabase,
    golden: Callable[[str, Path], None],
) -> None:
    source = make_postgres("""CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TYPE pair AS (a int, b text);
        CREATE DOMAIN positive AS int CHECK (VALUE > 0)""")
    target = make_postgres("""CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TYPE pair AS (a int, b text);
        CREATE DOMAIN positive AS int CHECK (VALUE > 0)""")
    copier.addresses.update(x=source.address, pg=target.address, my=mysql.address)
    page = INTRODUCTION
    for title, end, probes in (
        ("From Postgres", make_postgres_source(source), POSTGRES),
        ("From DuckDB and Parquet", make_duckdb_source(copier), DUCKDB),
        ("From MySQL and MariaDB", make_mysql_source(mysql), MYSQL),
        ("From SQLite", make_sqlite_source(copier), SQLITE),
        ("From CSV", make_csv_source(copier), [("", value) for value in CSV]),
        ("From JSON and NDJSON", make_json_source(copier), [("", value) for value in JSON]),
    ):
        page += f"\n## {title}\n\n" + table(
            probes, [becomes(copier, (target, mysql), end, to) for to in DESTINATIONS]
        )
    golden(page, ROOT / "docs" / "reference" / "types.md")


def test_parquet_gives_what_duckdb_gives(copier: Copier, postgres: Database) -> None:
    """One table of the page stands for both."""
    copier.addresses["pg"] = postgres.address
    from_duckdb = make_duckdb_source(copier)
    kept = [
        i
        for i, (kind, _) in enumerate(DUCKDB)
        if kind not in ("HUGEINT", "UHUGEINT", "BIT", "MAP(VARCHAR, INTEGER)")
    ]
    names = ", ".join(["n", *(f"c{i}" for i in kept)])
    file = str(copier.folder / "in.parquet")
    with duckdb.connect(str(copier.folder / "in.duckdb"), read_only=True) as connection:
        connection.execute(f"COPY (SELECT {names} FROM t WHERE n IN {tuple(kept)}) TO '{file}'")
    for to in ("Postgres", "CSV", "JSON"):
        one = becomes(copier, (postgres, None), from_duckdb, to)
        other = becomes(copier, (postgres, None), source_of(path="in.parquet"), to)
        same = [i for i in kept if DUCKDB[i][0] not in ("TIMESTAMP_S", "INTERVAL", "TIME WITH TIME ZONE")]
        assert {i: other.get(i) for i in same} == {i: one.get(i) for i in same}


# --- sources: row n has only column n, so that each value stands for itself ---


def make_postgres_source(database: Database) -> Source:
    columns = ", ".join(f"c{i} {kind}" for i, (kind, _) in enumerate(POSTGRES))
    database.run(f"CREATE TABLE t (n int, {columns})")
    for i, (_, value) in enumerate(POSTGRES):
        quoted = value.replace("'", "''")
        database.run(f"INSERT INTO t (n, c{i}) VALUES ({i}, '{quoted}')")
    return source_of(connection="x", table="t")


def make_mysql_source(database: MysqlDatabase) -> Source:
    columns = ", ".join(f"c{i} {kind}" for i, (kind, _) in enumerate(MYSQL))
    database.run(f"CREATE TABLE s (n int, {columns}) CHARACTER SET utf8mb4")
    for i, (_, value) in enumerate(MYSQL):
        database.run(f"INSERT INTO s (n, c{i}) VALUES ({i}, {value})")
    return source_of(connection="my", table="s")


def make_duckdb_source(copier: Copier) -> Source:
    file = copier.folder / "in.duckdb"
    copier.addresses["in"] = copier.addresses["duckdb"].__class__("duckdb", database=str(file))
    with duckdb.connect(str(file)) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        columns = ", ".join(f"c{i} {kind}" for i, (kind, _) in enumerate(DUCKDB))
        connection.execute(f"CREATE TABLE t (n int, {columns})")
        for i, (kind, value) in enumerate(DUCKDB):
            cast = f"$1::{kind}" if not kind.startswith("MAP") else "MAP {'x': 1}"
            cast = "{'a': 1, 'b': 'x'}" if kind.startswith("STRUCT") else cast
            parameters = [value] if "$1" in cast else []
            connection.execute(f"INSERT INTO t (n, c{i}) SELECT {i}, {cast}", parameters)
    return source_of(connection="in", table="t")


def make_sqlite_source(copier: Copier) -> Source:
    copier.addresses["lite"] = copier.addresses["sqlite"].__class__(
        "sqlite", database=str(copier.folder / "in.db")
    )
    connection = sqlite3.connect(copier.folder / "in.db")
    columns = ", ".join(f"c{i} {kind}" for i, (kind, _) in enumerate(SQLITE))
    connection.execute(f"CREATE TABLE t (n INTEGER, {columns})")
    for i, (_, value) in enumerate(SQLITE):
        connection.execute(f"INSERT INTO t (n, c{i}) VALUES ({i}, {value})")
    connection.commit()
    connection.close()
    return source_of(connection="lite", table="t")


def make_csv_source(copier: Copier) -> Source:
    with (copier.folder / "in.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["n", *(f"c{i}" for i in range(len(CSV)))])
        for i, value in enumerate(CSV):
            writer.writerow([i, *(value if i == j else "" for j in range(len(CSV)))])
    return source_of(path="in.csv")


def make_json_source(copier: Copier) -> Source:
    lines = (f'{{"n": {i}, "c{i}": {value}}}\n' for i, value in enumerate(JSON))
    (copier.folder / "in.ndjson").write_text("".join(lines), encoding="utf-8")
    return source_of(path="in.ndjson")


# --- destinations ---


def becomes(
    copier: Copier, servers: tuple[Database, MysqlDatabase | None], source: Source, to: str
) -> dict[int, Stored | str]:
    """What each value became, by its row; for one that was refused, the reason. A table that the first copy made takes
    the same from a second one.
    """
    postgres, mysql = servers
    ends: dict[str, tuple[Destination, Callable[[], Iterator[tuple[int, Stored]]]]] = {
        "Postgres": (destination_of(connection="pg", table="t"), lambda: in_postgres(postgres)),
        "MySQL": (destination_of(connection="my", table="t"), lambda: in_mysql(mysql)),
        "SQLite": (
            destination_of(connection="sqlite", table="t"),
            lambda: in_sqlite(copier.folder / "file.db"),
        ),
        "DuckDB": (
            destination_of(connection="duckdb", table="t"),
            lambda: in_duckdb(copier.folder / "file.duckdb"),
        ),
        "Parquet": (destination_of(path="out.parquet"), lambda: in_parquet(copier.folder / "out.parquet")),
        "CSV": (destination_of(path="out.csv"), lambda: in_csv(copier.folder / "out.csv")),
        "JSON": (destination_of(path="out.ndjson"), lambda: in_json(copier.folder / "out.ndjson")),
    }
    end, look = ends[to]
    forget(copier, servers)
    copier(source, end, on_bad_row="quarantine")
    found: dict[int, Stored | str] = {**dict(look()), **refused(copier)}
    if end.connection is not None:
        more = destination_of(connection=end.connection, table="t", mode="append")
        copier(source, more, on_bad_row="quarantine")
        assert sorted(n for n, _ in look()) == sorted([*dict(look())] * 2), f"{to} takes less the second time"
        assert dict(look()) == {n: value for n, value in found.items() if isinstance(value, Stored)}
    return found


def forget(copier: Copier, servers: tuple[Database, MysqlDatabase | None]) -> None:
    """Take away what an earlier copy has made."""
    for server in servers:
        if server is not None:
            server.run("DROP TABLE IF EXISTS t")
    for name in ("file.db", "file.duckdb"):
        (copier.folder / name).unlink(missing_ok=True)


def refused(copier: Copier) -> dict[int, str]:
    """The reason for each row that the last copy has quarantined."""
    return {int((row["record"] or json.loads(row["raw"]))["n"]): row["reason"] for row in copier.quarantined}


def in_postgres(database: Database) -> Iterator[tuple[int, Stored]]:
    types = dict(
        database.rows(
            "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
            "WHERE attrelid = 't'::regclass AND attnum > 0"
        )
    )
    names = [name for name in types if name != "n"]
    database.run(f"ALTER DATABASE {database.address.database} SET TimeZone = 'UTC'")
    for number, *values in database.rows(f"SELECT n, {', '.join(f'{name}::text' for name in names)} FROM t"):
        yield from only(number, names, values, types)


def in_mysql(database: MysqlDatabase | None) -> Iterator[tuple[int, Stored]]:
    assert database is not None
    types = dict(
        database.rows(
            "SELECT COLUMN_NAME, COLUMN_TYPE FROM information_schema.COLUMNS "
            "WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 't' ORDER BY ORDINAL_POSITION"
        )
    )
    names = [name for name in types if name != "n"]
    texts = [
        f"CONCAT('x''', HEX({name}), '''')" if types[name].endswith("blob") else f"CAST({name} AS CHAR)"
        for name in names
    ]
    for number, *values in database.rows(f"SELECT n, {', '.join(texts)} FROM t"):
        yield from only(number, names, values, types)


def in_sqlite(file: Path) -> Iterator[tuple[int, Stored]]:
    connection = sqlite3.connect(file)
    types = {row[1]: row[2] for row in connection.execute("PRAGMA table_info(t)")}
    names = [name for name in types if name != "n"]
    quoted = ", ".join(f"CASE typeof({n}) WHEN 'blob' THEN quote({n}) ELSE {n} END" for n in names)
    rows = connection.execute(f"SELECT n, {quoted} FROM t").fetchall()
    connection.close()
    for number, *values in rows:
        yield from only(number, names, [None if v is None else str(v) for v in values], types)


def in_duckdb(file: Path) -> Iterator[tuple[int, Stored]]:
    with duckdb.connect(str(file), read_only=True) as connection:
        yield from by_duckdb(connection, "t")


def in_parquet(file: Path) -> Iterator[tuple[int, Stored]]:
    with duckdb.connect() as connection:
        yield from by_duckdb(connection, f"'{file}'")


def by_duckdb(connection: Any, table: str) -> Iterator[tuple[int, Stored]]:
    connection.execute("SET TimeZone = 'UTC'")
    types = {row[0]: row[1] for row in connection.execute(f"DESCRIBE SELECT * FROM {table}").fetchall()}
    names = [name for name in types if name != "n"]
    texts = ", ".join(f"CAST({name} AS VARCHAR)" for name in names)
    for number, *values in connection.execute(f"SELECT n, {texts} FROM {table}").fetchall():
        yield from only(number, names, values, types)


def in_csv(file: Path) -> Iterator[tuple[int, Stored]]:
    with file.open(encoding="utf-8", newline="") as lines:
        header, *rows = csv.reader(lines)
    for row in rows:
        yield from only(int(row[0]), header[1:], [value or None for value in row[1:]], {})


def in_json(file: Path) -> Iterator[tuple[int, Stored]]:
    for line in file.read_text("utf-8").split("\n")[:-1]:
        record = json.loads(line, parse_float=lambda text: Number(f"\x01{text}\x01"))
        number = int(record.pop("n"))
        kinds = {name: json_kind(value) for name, value in record.items()}
        values = [None if value is None else as_json(value) for value in record.values()]
        yield from only(number, list(record), values, kinds)


class Number(str):
    """A fraction as it is written."""


def json_kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, str):
        return "number" if isinstance(value, Number) else "string"
    return "object" if isinstance(value, dict) else "array" if isinstance(value, list) else "number"


def as_json(value: Any) -> str:
    if isinstance(value, str):
        return value.strip("\x01")
    return re.sub(r'"\\u0001(.*?)\\u0001"', r"\1", json.dumps(value, ensure_ascii=False))


def only(
    number: int, names: list[str], values: list[Any], types: dict[str, str]
) -> Iterator[tuple[int, Stored]]:
    """The one value of a row; none at all would be a loss."""
    present = {name: value for name, value in zip(names, values, strict=True) if value is not None}
    assert list(present) == [f"c{number}"], f"row {number} of {len(names)} has {present}"
    [(name, value)] = present.items()
    yield number, Stored(types.get(name, ""), value)


# --- the page ---


def table(probes: list[Probe], columns: list[dict[int, Stored | str]]) -> str:
    typed = any(kind for kind, _ in probes)
    head = ["type", "value", *DESTINATIONS] if typed else ["value", *DESTINATIONS]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for i, (kind, value) in enumerate(probes):
        first = [code(kind or "(none)"), code(value)] if typed else [code(value)]
        lines.append("| " + " | ".join(first + [cell(column[i], value) for column in columns]) + " |")
    return "\n".join(lines) + "\n"


def cell(stored: Stored | str, value: str) -> str:
    if isinstance(stored, str):
        return f"*{stored}*"
    same = stored.text in (value, value.strip("'\""))
    parts = [code(stored.type)] if stored.type else []
    if not same:
        parts.append(code(stored.text))
    return " ".join(parts) or "as it is"


def code(text: str) -> str:
    shown = text.replace("\x00", "␀").replace("|", "\\|")
    return f"`{shown}`"


@pytest.mark.parametrize(
    "probes", [DUCKDB, POSTGRES, MYSQL, SQLITE], ids=["duckdb", "postgres", "mysql", "sqlite"]
)
def test_no_value_is_probed_twice(probes: list[Probe]) -> None:
    assert len(set(probes)) == len(probes)
