"""Rows that only the server can refuse are in quarantine, in every mode, and all others arrive."""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.connectors.database import Database
from windlass.connectors.rows import BadRowError
from windlass.plan.model import Mode
from windlass.testing import Copier, destination_of, source_of

MODES: tuple[Mode, ...] = ("append", "replace", "merge", "delete_insert")
DAY = (datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 1, 2, tzinfo=UTC))
RAISES = "LANGUAGE plpgsql AS $$ BEGIN IF NEW.v = 'bad' THEN RAISE EXCEPTION 'not this one'; END IF; RETURN NEW; END $$;"


@dataclass(frozen=True)
class Refusal:
    """A table, given as SQL with its columns id, day and v; values of v by id; those that it refuses, and why."""

    sql: str
    values: dict[int, str]
    refused: dict[int, str]


def table(kind: str, constraints: str = "") -> str:
    return f"CREATE TABLE t (id int PRIMARY KEY, day date, v {kind}{constraints});"


def one(value: str, bad: str, reason: str) -> tuple[dict[int, str], dict[int, str]]:
    """Three rows, of which the second is refused."""
    return {1: value, 2: bad, 3: value}, {2: reason}


REFUSALS = {
    "domain": Refusal(f"CREATE DOMAIN pos AS int CHECK (value > 0); {table('pos')}", *one("1", "-1", "check_violation")),
    "domain of text": Refusal(
        f"CREATE DOMAIN short AS text CHECK (length(value) < 4); {table('short')}", *one("abc", "abcd", "check_violation")
    ),
    "enum": Refusal(f"CREATE TYPE mood AS ENUM ('ok'); {table('mood')}", *one("ok", "zz", "type_mismatch")),
    "cidr": Refusal(table("cidr"), *one("10.0.0.0/8", "10.0.0.1/8", "type_mismatch")),
    "name": Refusal(table("name"), *one("short", "x" * 70, "loses_precision")),
    "bits": Refusal(table("bit(3)"), *one("101", "1011", "loses_precision")),
    "jsonb": Refusal(table("jsonb"), *one('{"a": 1}', '{"a": 1, "a": 2}', "loses_precision")),
    "check": Refusal(table("text", " CHECK (v <> 'bad')"), *one("ok", "bad", "check_violation")),
    "check that fails": Refusal(table("int", " CHECK (1 / v > 0)"), *one("1", "0", "refused_by_destination")),
    "generated": Refusal(table("int", ", g int GENERATED ALWAYS AS (1 / v) STORED"), *one("1", "0", "refused_by_destination")),
    "large index row": Refusal(
        f"{table('text')} CREATE INDEX ON t (v)",
        {1: "a", 2: "".join(chr(0x4E00 + i * 7919 % 20000) for i in range(6000)), 3: "b"},
        {2: "refused_by_destination"},
    ),
    "no partition": Refusal(
        "CREATE TABLE t (id int, day date, v int) PARTITION BY RANGE (v); "
        "CREATE TABLE p PARTITION OF t FOR VALUES FROM (0) TO (10)",
        *one("1", "11", "check_violation"),
    ),
    "foreign key": Refusal(
        f"CREATE TABLE c (code text PRIMARY KEY); INSERT INTO c VALUES ('GB'); {table('text', ' REFERENCES c')}",
        *one("GB", "XX", "foreign_key_violation"),
    ),
    "deferred foreign key": Refusal(
        "CREATE TABLE c (code text PRIMARY KEY); INSERT INTO c VALUES ('GB'); "
        f"{table('text', ' REFERENCES c DEFERRABLE INITIALLY DEFERRED')}",
        *one("GB", "XX", "foreign_key_violation"),
    ),
    "deferred unique": Refusal(
        table("text", " UNIQUE DEFERRABLE INITIALLY DEFERRED"), {1: "a", 2: "a", 3: "b"}, {2: "unique_violation"}
    ),
    "citext": Refusal(
        f"CREATE EXTENSION citext; {table('citext', ' UNIQUE')}", {1: "a", 2: "A", 3: "b"}, {2: "unique_violation"}
    ),
    "exclusion": Refusal(
        table("int4range", ", EXCLUDE USING gist (v WITH &&)"),
        {1: "[1,5)", 2: "[4,6)", 3: "[7,8)"},
        {2: "exclusion_violation"},
    ),
    "trigger": Refusal(
        f"{table('text')} CREATE FUNCTION f() RETURNS trigger {RAISES} "
        "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
        *one("ok", "bad", "refused_by_destination"),
    ),
    "trigger that leaves a row out": Refusal(
        f"{table('text')} CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF NEW.v = 'bad' THEN RETURN NULL; END IF; RETURN NEW; END $$; "
        "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
        *one("ok", "bad", "refused_by_destination"),
    ),
    "deferred trigger": Refusal(
        f"{table('text')} CREATE FUNCTION f() RETURNS trigger {RAISES} CREATE CONSTRAINT TRIGGER g AFTER INSERT ON t "
        "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION f()",
        *one("ok", "bad", "refused_by_destination"),
    ),
    "trigger with a code of its own": Refusal(
        f"{table('text')} CREATE FUNCTION f() RETURNS trigger "
        + RAISES.replace("'not this one'", "'not this one' USING ERRCODE = 'UE001'")
        + " CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
        *one("ok", "bad", "refused_by_destination"),
    ),
    "a row that points at a bad one": Refusal(
        table("int", " REFERENCES t, CHECK (id < 9)"),
        {1: "3", 2: "1", 3: "", 4: "10", 10: "1", 5: "6", 6: "5", 7: "4"},
        {10: "check_violation", 4: "foreign_key_violation", 7: "foreign_key_violation"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", REFUSALS)
def test_what_the_server_refuses_is_in_quarantine_and_the_rest_arrives(
    copier: Copier, postgres: Database, name: str, mode: Mode
) -> None:
    refusal = REFUSALS[name]
    postgres.run(refusal.sql)
    copier.addresses["pg"] = postgres.address
    quote = {i: v.replace('"', '""') for i, v in refusal.values.items()}
    lines = [f'{i},2020-01-01,"{v}"' if v else f"{i},2020-01-01," for i, v in quote.items()]
    (copier.folder / "in.csv").write_text("\n".join(["id,day,v", *lines]) + "\n", "utf-8")
    options: dict[str, Any] = {"key": ("id",)} if mode == "merge" else {}
    if mode == "delete_insert":
        options["interval"] = "day"
    counts = copier(
        source_of(path="in.csv"),
        destination_of(connection="pg", table="t", mode=mode, **options),
        on_bad_row="quarantine",
        interval=DAY,
    ).counts
    assert {int(row["record"]["id"]): row["reason"] for row in copier.quarantined} == refusal.refused
    assert [row["line"] for row in copier.quarantined] == [
        list(refusal.values).index(int(row["record"]["id"])) + 2 for row in copier.quarantined
    ]
    assert {n for (n,) in postgres.rows("SELECT id FROM t")} == set(refusal.values) - set(refusal.refused)
    assert (counts.read, counts.quarantined) == (len(refusal.values), len(refusal.refused))


NAMES = {
    "regclass": ("pg_class", "nowhere"), "regtype": ("integer", "int4 int4"), "regproc": ("now", "no_such()"),
    "regprocedure": ("abs(integer)", "abs(json)"), "regoper": ("^@", "+"), "regoperator": ("*(integer,integer)", "*(json,json)"),
    "regrole": ("pg_monitor", "nobody"), "regnamespace": ("pg_catalog", "no_such"), "regconfig": ("simple", "no_such"),
    "regdictionary": ("simple", "a.b.c.d"), "regcollation": ('"C"', "no_such"), "regclass[]": ("{pg_class}", "{pg_class,nowhere}"),
    "known": ("pg_class", "no.such"),
}  # fmt: skip
"""The types whose values name things of the server; a name that it knows, and one that it does not."""


@pytest.mark.parametrize("mode", ["append", "merge"])
def test_a_name_that_the_server_does_not_know_is_a_bad_row(
    copier: Copier, postgres: Database, mode: Mode
) -> None:
    columns = ", ".join(f"v{i} {kind}" for i, kind in enumerate(NAMES))
    postgres.run(f"CREATE DOMAIN known AS regclass; CREATE TABLE t (id int PRIMARY KEY, {columns})")
    copier.addresses["pg"] = postgres.address
    rows = [[good for good, _ in NAMES.values()] for _ in range(len(NAMES) + 1)]
    for i, (_, unknown) in enumerate(NAMES.values()):
        rows[i][i] = unknown
    with (copier.folder / "in.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [["id", *(f"v{i}" for i in range(len(NAMES)))], *([i, *row] for i, row in enumerate(rows))]
        )
    options: dict[str, Any] = {"key": ("id",)} if mode == "merge" else {}
    copier(
        source_of(path="in.csv"),
        destination_of(connection="pg", table="t", mode=mode, **options),
        on_bad_row="quarantine",
    )
    assert [row["line"] for row in copier.quarantined] == [i + 2 for i in range(len(NAMES))]
    assert postgres.rows("SELECT id FROM t") == [(len(NAMES),)]


def test_keys_are_alike_in_a_merge_where_they_are_at_the_destination(
    copier: Copier, postgres: Database
) -> None:
    postgres.run(
        "CREATE EXTENSION citext; CREATE TABLE t (k citext PRIMARY KEY, v int); INSERT INTO t VALUES ('C', 1)"
    )
    copier.addresses["pg"] = postgres.address
    (copier.folder / "in.csv").write_text("k,v\na,1\nB,2\nb,3\nc,4\n")
    destination = destination_of(connection="pg", table="t", mode="merge", key=("k",))
    counts = copier(source_of(path="in.csv"), destination, on_bad_row="quarantine").counts
    assert [row["reason"] for row in copier.quarantined] == ["duplicate_key"] * 2
    assert (counts.inserted, counts.updated, counts.unchanged) == (1, 1, 0)
    assert set(postgres.rows("SELECT k::text, v FROM t")) == {("a", 1), ("C", 4)}


@pytest.mark.parametrize("mode", ["append", "replace", "merge"])
def test_without_a_quarantine_the_line_of_a_refused_value_is_said(
    copier: Copier, postgres: Database, mode: Mode
) -> None:
    postgres.run("CREATE TABLE t (id int PRIMARY KEY, v bit(3)); INSERT INTO t VALUES (9, '111')")
    copier.addresses["pg"] = postgres.address
    (copier.folder / "in.csv").write_text("id,v\n1,101\n2,1011\n")
    options: dict[str, Any] = {"key": ("id",)} if mode == "merge" else {}
    with pytest.raises(BadRowError, match=r"in\.csv:3: column 'v': '1011' does not fit bit\(3\)"):
        copier(source_of(path="in.csv"), destination_of(connection="pg", table="t", mode=mode, **options))
    assert postgres.rows("SELECT id FROM t") == [(9,)]


def test_a_replace_fires_the_triggers_that_an_append_fires(copier: Copier, postgres: Database) -> None:
    postgres.run("""CREATE TABLE t (v text); INSERT INTO t VALUES ('old');
        CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.v := upper(NEW.v); RETURN NEW; END $$;
        CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()""")
    copier.addresses["pg"] = postgres.address
    (copier.folder / "in.csv").write_text("v\na\nb\n")
    copier(source_of(path="in.csv"), destination_of(connection="pg", table="t", mode="replace"))
    assert postgres.rows("SELECT v FROM t ORDER BY v") == [("A",), ("B",)]


@pytest.mark.parametrize("mode", MODES)
def test_row_security_at_the_destination_refuses_rows_and_not_the_load(
    copier: Copier, postgres: Database, mode: Mode
) -> None:
    role = f"app_{postgres.address.database}"
    postgres.run(
        f"{table('text')} ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY mine ON t USING (v <> 'bad'); "
        f"CREATE ROLE {role} LOGIN PASSWORD 'app'; GRANT ALL ON t TO {role}; GRANT ALL ON SCHEMA public TO {role}"
    )
    copier.addresses["pg"] = replace(postgres.address, user=role, password="app")
    (copier.folder / "in.csv").write_text("id,day,v\n1,2020-01-01,ok\n2,2020-01-01,bad\n")
    options: dict[str, Any] = {"key": ("id",)} if mode == "merge" else {}
    if mode == "delete_insert":
        options["interval"] = "day"
    destination = destination_of(connection="pg", table="t", mode=mode, **options)
    try:
        copier(source_of(path="in.csv"), destination, on_bad_row="quarantine", interval=DAY)
        assert [(row["line"], row["reason"]) for row in copier.quarantined] == [(3, "refused_by_destination")]
        assert postgres.rows("SELECT id FROM t") == [(1,)]
    finally:
        postgres.run(f"DROP OWNED BY {role}; DROP ROLE {role}")
