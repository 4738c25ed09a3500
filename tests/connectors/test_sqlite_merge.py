"""A merge into SQLite quarantines what a constraint refuses, compares keys as the table does, and values exactly."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import pytest

from windlass.errors import FatalError
from windlass.testing import Copier, destination_of, source_of

MERGE = destination_of(connection="sqlite", table="t", mode="merge", key=("k",))


def asked(copier: Copier, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(copier.addresses["sqlite"].database)) as file:
        found = [file.execute(one).fetchall() for one in sql.split(";")]
        file.commit()
        return found[-1]


def test_rows_that_a_constraint_refuses_are_quarantined(copier: Copier) -> None:
    asked(
        copier,
        "CREATE TABLE t (k INTEGER PRIMARY KEY, u TEXT UNIQUE, v INT CHECK (v > 0)); INSERT INTO t VALUES (1, 'a', 1)",
    )
    (copier.folder / "in.csv").write_text("k,u,v\n1,a,2\n2,b,-1\n3,c,3\n4,a,4\n1000,d,5\n")
    counts = copier(source_of(path="in.csv"), MERGE, on_bad_row="quarantine").counts
    assert [(row["line"], row["reason"]) for row in copier.quarantined] == [
        (3, "check_violation"),
        (5, "unique_violation"),
    ]
    assert (counts.written, counts.inserted, counts.updated, counts.unchanged) == (3, 2, 1, 0)
    assert asked(copier, "SELECT * FROM t ORDER BY k") == [(1, "a", 2), (3, "c", 3), (1000, "d", 5)]


def test_keys_are_the_same_as_the_table_compares_them(copier: Copier) -> None:
    asked(copier, "CREATE TABLE t (k TEXT COLLATE NOCASE PRIMARY KEY, v INT); INSERT INTO t VALUES ('c', 1)")
    (copier.folder / "in.csv").write_text("k,v\na,1\nB,2\nb,3\nC,4\n")
    counts = copier(source_of(path="in.csv"), MERGE, on_bad_row="quarantine").counts
    assert [row["reason"] for row in copier.quarantined] == ["duplicate_key"] * 2
    assert (counts.inserted, counts.updated) == (1, 1)
    assert asked(copier, "SELECT * FROM t ORDER BY k") == [("a", 1), ("c", 4)]


def test_a_value_that_differs_only_in_case_is_another_one(copier: Copier) -> None:
    asked(
        copier, "CREATE TABLE t (k INT PRIMARY KEY, v TEXT COLLATE NOCASE); INSERT INTO t VALUES (1, 'abc')"
    )
    (copier.folder / "in.csv").write_text("k,v\n1,ABC\n")
    assert copier(source_of(path="in.csv"), MERGE).counts.updated == 1
    assert asked(copier, "SELECT v FROM t") == [("ABC",)]


def test_a_key_that_the_table_has_twice_still_ends_the_merge(copier: Copier) -> None:
    asked(copier, "CREATE TABLE t (k INT, v INT); INSERT INTO t VALUES (1, 1), (1, 2)")
    (copier.folder / "in.csv").write_text("k,v\n1,3\n2,4\n")
    with pytest.raises(FatalError, match="several rows with the same key"):
        copier(source_of(path="in.csv"), MERGE, on_bad_row="quarantine")
    assert asked(copier, "SELECT v FROM t ORDER BY v") == [(1,), (2,)]
