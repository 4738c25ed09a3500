"""Text of SQLite that is not UTF-8 is a bad row with its column, and the other rows arrive."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from windlass.connectors.rows import BadRowError
from windlass.plan.model import Destination
from windlass.testing import Copier, destination_of, source_of

TABLE = """
CREATE TABLE t (id int, a text, b text);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000)
INSERT INTO t SELECT i, 'ä' || i, 'x' FROM n;
UPDATE t SET a = cast(x'ff00' AS text) WHERE id = 2;
UPDATE t SET a = cast(x'e9' AS text), b = cast(x'41eda080' AS text) WHERE id = 25000;
UPDATE t SET b = cast(x'41c3' AS text) WHERE id = 29999;
"""
FILE, SQLITE = (
    destination_of(path="out.ndjson"),
    destination_of(connection="sqlite", table="copied", mode="append"),
)


@pytest.mark.parametrize("destination", [FILE, SQLITE], ids=["file", "sqlite"])
def test_rows_with_such_text_are_quarantined(copier: Copier, destination: Destination) -> None:
    made(copier)
    result = copier(source_of(connection="sqlite", table="t"), destination, on_bad_row="quarantine")
    assert (result.counts.read, result.counts.written) == (30000, 29997)
    found = [(row["reason"], row["message"]) for row in copier.quarantined]
    assert found == [
        ("wrong_encoding", "column 'a' is not UTF-8"),
        ("wrong_encoding", "column 'a' is not UTF-8"),
        ("wrong_encoding", "column 'b' is not UTF-8"),
    ]
    assert r'"a":"\\xff\u0000"' in copier.quarantined[0]["raw"]


def test_without_a_quarantine_the_first_is_named(copier: Copier) -> None:
    made(copier)
    with pytest.raises(BadRowError, match=r"sqlite\.t row 2: column 'a' is not UTF-8"):
        copier(source_of(connection="sqlite", table="t"), FILE)


def made(copier: Copier) -> None:
    with closing(sqlite3.connect(copier.addresses["sqlite"].database)) as file:
        file.executescript(TABLE)
