"""A merge into DuckDB quarantines what a constraint refuses; all other rows are merged."""

from __future__ import annotations

import duckdb
import pytest

from windlass.testing import Copier, destination_of, source_of

MERGE = destination_of(connection="duckdb", table="t", mode="merge", key=("k",))


@pytest.mark.parametrize("bad", ["2,b,-1", "2,z,1"], ids=["check", "unique"])
def test_rows_that_a_constraint_refuses_are_quarantined(copier: Copier, bad: str) -> None:
    file = copier.addresses["duckdb"].database
    with duckdb.connect(file) as database:
        database.execute("CREATE TABLE t (k INTEGER PRIMARY KEY, u VARCHAR UNIQUE, v INTEGER CHECK (v > 0))")
        database.execute("INSERT INTO t VALUES (1, 'a', 1), (9, 'z', 1)")
    (copier.folder / "in.csv").write_text(f"k,u,v\n1,a,2\n{bad}\n3,c,3\n")
    counts = copier(source_of(path="in.csv"), MERGE, on_bad_row="quarantine").counts
    reason = "check_violation" if bad.endswith("-1") else "unique_violation"
    assert [(row["line"], row["reason"]) for row in copier.quarantined] == [(3, reason)]
    assert (counts.inserted, counts.updated, counts.unchanged) == (1, 1, 0)
    with duckdb.connect(file) as database:
        assert database.sql("FROM t ORDER BY k").fetchall() == [(1, "a", 2), (3, "c", 3), (9, "z", 1)]
