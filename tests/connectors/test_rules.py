"""A rule of `validate` means the same on every path: the same rows are good, and the same are bad.

What is expected is worked out in Python, by none of the code that is tested.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.connectors.database import Database
from windlass.errors import FatalError
from windlass.plan.model import ColumnRules, Destination, SelectColumn, Source, Validate
from windlass.testing import Copier, destination_of, source_of

Good = Callable[[Any], bool]


@dataclass(frozen=True)
class Case:
    """Values of a type, and rules for them, each with what Python says of a value."""

    postgres: str
    duckdb: str
    values: list[str]
    rules: list[tuple[ColumnRules, Good]]
    read: Callable[[str], Any]


def rule(**keys: Any) -> ColumnRules:
    return ColumnRules(**keys)


def size(count: int) -> Good:
    return lambda value: len(str(value)) <= count


NUMBER_RULES: list[tuple[ColumnRules, Good]] = [
    (rule(min=2), lambda v: v >= 2),
    (rule(min=1.5), lambda v: v >= Decimal("1.5")),
    (rule(max=1.5), lambda v: v <= Decimal("1.5")),
    (rule(max=2.5), lambda v: v <= Decimal("2.5")),
    (rule(min="1.505", max=10), lambda v: Decimal("1.505") <= v <= 10),
    (rule(max=-1e30), lambda v: False),
    (rule(max=1e30), lambda v: v <= Decimal("1e30")),
    (rule(accepted=(1, 2.5, "3", 10, 1e30)), lambda v: v in (1, Decimal("2.5"), 3, 10, Decimal("1e30"))),
    (rule(accepted=()), lambda v: False),
]
LONG = ["1.50", "100000000000000000000000000000000000000000000.5", "0.00000000000000000000000001"]
CASES = {
    "integer": Case("integer", "INTEGER", ["1", "2", "3", "-5", "10", "2147483647"], NUMBER_RULES, Decimal),
    "bigint": Case(
        "bigint",
        "BIGINT",
        ["1", "2", "9007199254740993", "-9223372036854775808", "10", "100"],
        [
            *NUMBER_RULES,
            (rule(min=9007199254740993), lambda v: v >= 9007199254740993),
            (rule(pattern="^1"), lambda v: str(v).startswith("1")),
            (rule(max_length=2), size(2)),
        ],
        Decimal,
    ),
    "numeric(12,2)": Case(
        "numeric(12,2)",
        "DECIMAL(12,2)",
        ["1.50", "1.51", "-0.01", "9999999999.99", "2.00", "2.50", "10.00"],
        [*NUMBER_RULES, (rule(max=1.505), lambda v: v <= Decimal("1.505"))],
        Decimal,
    ),
    "numeric": Case(
        "numeric",
        "",
        [
            "10",
            "9",
            "2.5",
            "-7",
            "0.1",
            "12345678901234567.1",
            "12345678901234567.2",
            "-12345678901234567.2",
            *LONG,
        ],
        [
            *NUMBER_RULES,
            (rule(min=9.5), lambda v: v >= Decimal("9.5")),
            (rule(max="12345678901234567.15"), lambda v: v <= Decimal("12345678901234567.15")),
            (rule(min="-12345678901234567.15"), lambda v: v >= Decimal("-12345678901234567.15")),
            (rule(min=0), lambda v: v >= 0),
            (rule(accepted=("12345678901234567.1",)), lambda v: v == Decimal("12345678901234567.1")),
        ],
        Decimal,
    ),
    "double precision": Case(
        "double precision",
        "DOUBLE",
        ["0.1", "0.30000000000000004", "1e+300", "-1", "0", "2.5"],
        [
            (rule(min=0.1), lambda v: v >= 0.1),
            (rule(max=0.3), lambda v: v <= 0.3),
            (rule(max="1e400"), lambda v: True),
            (rule(accepted=(0.1, 0, "2.5")), lambda v: v in (0.1, 0, 2.5)),
        ],
        float,
    ),
    "real": Case("real", "FLOAT", ["0.1", "16777216", "-1"], [(rule(max=0.1), lambda v: v <= 0.1)], float),
    "text": Case(
        "text",
        "VARCHAR",
        [
            "a",
            "B",
            "ä",
            "Z",
            "z",
            "e\u0301",
            "é",
            "a ",
            "👨‍👩‍👧",
            "10",
            "9",
            "ab",
            "a\nb",
            "\u00a0",
            "Ω",
            "_",
        ],
        [
            (rule(min="a"), lambda v: v >= "a"),
            (rule(max="z"), lambda v: v <= "z"),
            (rule(accepted=("a", "é", 10, True)), lambda v: v in ("a", "é", "10", "true")),
            (rule(max_length=1), size(1)),
            (rule(max_length=2), size(2)),
            (rule(pattern=r"^\w$"), lambda v: re.search(r"^\w\Z", v, re.ASCII) is not None),
            (rule(pattern=r"^\d+$"), lambda v: re.search(r"^\d+\Z", v, re.ASCII) is not None),
            (rule(pattern="(?i)^A"), lambda v: v.startswith(("a", "A"))),
            (rule(pattern="^.$"), lambda v: len(v) == 1 and v != "\n"),
            (rule(pattern=r"\s"), lambda v: re.search(r"[\t\n\f\r ]", v) is not None),
            (rule(pattern=r"a$"), lambda v: v.endswith("a")),
        ],
        str,
    ),
    "citext": Case(
        "citext",
        "",
        ["a", "A", "b", "ä"],
        [(rule(accepted=("a",)), lambda v: v == "a"), (rule(max="a"), lambda v: v <= "a")],
        str,
    ),
    "name": Case("name", "", ["a", "B", "ab"], [(rule(min="a", max_length=1), lambda v: v == "a")], str),
    "character(5)": Case(
        "character(5)",
        "",
        ["ab", "abc", "abcd"],
        [(rule(max_length=3), size(3)), (rule(accepted=("ab",)), lambda v: v == "ab")],
        str,
    ),
    "date": Case(
        "date",
        "DATE",
        ["2020-01-01", "2020-06-01", "1969-12-31"],
        [
            (rule(min="2020-01-01"), lambda v: v >= date(2020, 1, 1)),
            (rule(accepted=("2020-06-01",)), lambda v: v == date(2020, 6, 1)),
            (rule(pattern="-01$"), lambda v: v.day == 1),
        ],
        date.fromisoformat,
    ),
    "timestamp(3)": Case(
        "timestamp(3)",
        "",
        ["2020-01-01 00:00:00", "2020-01-01 00:00:00.001", "2019-12-31 23:59:59.999"],
        [(rule(max="2020-01-01T00:00:00.0004"), lambda v: v <= datetime(2020, 1, 1, 0, 0, 0, 400))],
        datetime.fromisoformat,
    ),
    "timestamptz": Case(
        "timestamptz",
        "TIMESTAMPTZ",
        ["2020-01-01 00:00:00+00", "2020-01-01 01:00:00+02", "2020-01-01 00:00:00-01"],
        [
            (rule(min="2020-01-01"), lambda v: v >= datetime.fromisoformat("2020-01-01T00:00:00+00:00")),
            (rule(max="2020-01-01T02:00+02:00"), lambda v: v <= datetime.fromisoformat("2020-01-01T00:00Z")),
        ],
        datetime.fromisoformat,
    ),
    "boolean": Case(
        "boolean", "BOOLEAN", ["true", "false"], [(rule(accepted=(True,)), lambda v: v == "true")], str
    ),
    "uuid": Case(
        "uuid",
        "UUID",
        ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12"],
        [(rule(accepted=("A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",)), lambda v: v.endswith("11"))],
        str,
    ),
}


@pytest.mark.one_of(2)
@pytest.mark.parametrize("name", CASES)
def test_a_rule_means_the_same_on_every_path(copier: Copier, postgres: Database, name: str) -> None:
    """Each rule has a column of its own, and each row one value in one of them: NULL breaks none."""
    case = CASES[name]
    columns = {f"v{i}": rules for i, (rules, _) in enumerate(case.rules)}
    rows = [(i, value) for i in range(len(columns)) for value in case.values]
    good = [n for n, (i, value) in enumerate(rows) if case.rules[i][1](case.read(value))]
    copier.addresses["pg"] = postgres.address
    for what, source, destination, options in _ends(case, list(columns), rows, copier.folder, postgres):
        copier(source, destination, validate=Validate(columns=columns, **options), on_bad_row="quarantine")
        assert [row[0] for row in _loaded(destination, copier, postgres)] == good, what
        bad = sorted(row["record"]["id"] for row in copier.quarantined)
        assert bad == [n for n in range(len(rows)) if n not in good], what


def _ends(
    case: Case, names: list[str], rows: list[tuple[int, str]], folder: Path, postgres: Database
) -> Iterator[tuple[str, Source, Destination, dict[str, Any]]]:
    """Every way for the values to go, each to a new, empty destination."""
    if case.postgres == "citext":
        postgres.run("CREATE EXTENSION citext")
    table = f"(id int, {', '.join(f'{name} {case.postgres}' for name in names)})"
    made = [f"CREATE TABLE {name} {table}" for name in ("source", *(f"target_{i}" for i in range(4)))]
    for number, (i, value) in enumerate(rows):
        literal = value.replace("'", "''")
        made.append(f"INSERT INTO source (id, {names[i]}) VALUES ({number}, '{literal}')")
    postgres.run("; ".join(made))
    nothing = dict.fromkeys(names)
    records = [{"id": n, **nothing, names[i]: value} for n, (i, value) in enumerate(rows)]
    lines = "".join(json.dumps(record) + "\n" for record in records)
    (folder / "in.ndjson").write_text(lines, encoding="utf-8")
    from_postgres, from_file = source_of(connection="pg", table="source"), source_of(path="in.ndjson")
    scratch: dict[str, Any] = {"json_schema": {}}  # which nothing but the scratch database can look at
    yield "postgres → postgres", from_postgres, destination_of(connection="pg", table="target_0"), {}
    yield "postgres → new table", from_postgres, destination_of(connection="pg", table="made"), {}
    yield "through scratch", from_postgres, destination_of(connection="pg", table="target_1"), scratch
    yield "ndjson → postgres", from_file, destination_of(connection="pg", table="target_2"), {}
    if case.duckdb:
        table = f"(id int, {', '.join(f'{name} {case.duckdb}' for name in names)})"
        with duckdb.connect(folder / "file.duckdb") as file:
            file.execute(f"CREATE TABLE target {table}; CREATE TABLE everything {table}")
            places = ", ".join("?" * (len(names) + 1))
            values = [list(record.values()) for record in records]
            file.executemany(f"INSERT INTO everything VALUES ({places})", values)
        to_duckdb = destination_of(connection="duckdb", table="target")
        yield "postgres → duckdb", from_postgres, to_duckdb, {}
        with duckdb.connect(folder / "file.duckdb") as file:
            file.execute("DELETE FROM target")
        yield "ndjson → duckdb", from_file, to_duckdb, {}
        from_duckdb = source_of(connection="duckdb", query="SELECT * FROM everything")
        yield "duckdb → postgres", from_duckdb, destination_of(connection="pg", table="target_3"), {}
        yield "duckdb → parquet", from_duckdb, destination_of(path="out.parquet"), {}


def _loaded(destination: Destination, copier: Copier, postgres: Database) -> list[Any]:
    if destination.path:
        return (
            duckdb.connect()
            .execute(f"SELECT id FROM '{copier.folder / destination.path}' ORDER BY 1")
            .fetchall()
        )
    if destination.connection == "duckdb":
        with duckdb.connect(copier.addresses["duckdb"].database) as file:
            return file.execute("SELECT id FROM target ORDER BY 1").fetchall()
    return postgres.rows(f"SELECT id FROM {destination.table} ORDER BY 1")


@pytest.mark.parametrize("asked", [False, True])
def test_a_schema_sees_a_number_also_where_the_destination_has_only_text(
    asked: bool, copier: Copier, postgres: Database
) -> None:
    """Unless `select` makes text of it."""
    copier.addresses["pg"] = postgres.address
    columns = ("n bigint", "d double precision", "x numeric(30,2)", "b boolean", "s text")
    postgres.run(f"CREATE TABLE s ({', '.join(columns)}); INSERT INTO s VALUES (3, 0.5, 12.34, true, '7')")
    postgres.run("CREATE TABLE t (n text, d text, x text, b text, s text)")
    (copier.folder / "in.ndjson").write_text('{"n": 3, "d": 0.5, "x": 12.34, "b": true, "s": "7"}\n')
    kinds = {"n": "integer", "d": "number", "x": "number", "b": "boolean", "s": "string"}
    schema = {"properties": {name: {"type": "string" if asked else kind} for name, kind in kinds.items()}}
    select = tuple(SelectColumn(name=name, source=name, type="text") for name in kinds) if asked else ()
    for source in (source_of(connection="pg", table="s"), source_of(path="in.ndjson")):
        copier(
            source, destination_of(connection="pg", table="t", mode="replace"),
            validate=Validate(json_schema=schema), select=select,
        )  # fmt: skip
        assert postgres.rows("SELECT n, d, x, b::bool, s FROM t") == [("3", "0.5", "12.34", True, "7")]


def test_a_rule_is_about_the_value_that_the_destination_gets(copier: Copier, postgres: Database) -> None:
    """Text that becomes a number is compared as one: '10' is more than '9'."""
    copier.addresses["pg"] = postgres.address
    postgres.run("CREATE TABLE s (v text); INSERT INTO s VALUES ('9'), ('10'); CREATE TABLE t (v int)")
    validate = Validate(columns={"v": rule(min=10)})
    result = copier(
        source_of(connection="pg", table="s"),
        destination_of(connection="pg", table="t"),
        validate=validate,
        on_bad_row="quarantine",
    )
    assert (result.path, postgres.rows("SELECT * FROM t")) == ("copy-binary", [(10,)])


SENSELESS = {
    "a number for text": ("text", rule(min=5), "in quotes to compare text"),
    "text for a number": ("integer", rule(max="x"), "'v' is a whole number"),
    "an accepted word among numbers": ("numeric(5,2)", rule(accepted=("x",)), "'v' is a number"),
    "a number for a date": ("date", rule(min=2020), "'v' is a date"),
    "no date": ("timestamp", rule(min="01/02/2020"), "'v' is a date and time"),
    "an order of truth": ("boolean", rule(min="false"), "'v' is true or false"),
    "a pattern for bytes": ("bytea", rule(pattern="a"), "of a type without an order"),
    "a pattern for documents": ("jsonb", rule(pattern="a"), "cast it to text"),
    "the length of an array": ("int[]", rule(max_length=3), "cast it to text"),
    "a bound for money": ("money", rule(min=0), "of a type without an order"),
}


@pytest.mark.parametrize("what", SENSELESS)
@pytest.mark.parametrize("through_scratch", [False, True])
def test_a_rule_that_makes_no_sense_for_the_column_is_refused(
    copier: Copier, postgres: Database, what: str, *, through_scratch: bool
) -> None:
    kind, rules, expected = SENSELESS[what]
    copier.addresses["pg"] = postgres.address
    postgres.run(f"CREATE TABLE s (v {kind}); CREATE TABLE t (v {kind})")
    options: dict[str, Any] = {"json_schema": {}} if through_scratch else {}
    with pytest.raises(FatalError, match="cannot be checked: 'v' is") as refusal:
        copier(
            source_of(connection="pg", table="s"),
            destination_of(connection="pg", table="t"),
            validate=Validate(columns={"v": rules}, **options),
        )
    assert expected in str(refusal.value)
