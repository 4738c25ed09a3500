"""A Postgres database that keeps any bytes as text (SQL_ASCII): what is not UTF-8 is a bad row, and the others arrive."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from tests.connectors.database import Database
from windlass.connections import Address
from windlass.connectors.postgres.session import Session
from windlass.errors import FatalError
from windlass.plan.model import Source
from windlass.testing import Copier, destination_of, source_of

LATIN = r"\303\251t\351"  # "ét" in UTF-8, and an é of Latin-1 behind it


@pytest.fixture
def ascii_database(postgres: Database) -> Iterator[Address]:
    """A new database whose encoding is SQL_ASCII."""
    name = f"{postgres.address.database}_ascii"
    postgres.run(
        f"CREATE DATABASE {name} ENCODING 'SQL_ASCII' LOCALE_PROVIDER libc LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
    )
    yield replace(postgres.address, database=name)
    postgres.run(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def made(ascii_database: Address, copier: Copier) -> Callable[..., Source]:
    """A table of the database with these values, written as Postgres escapes bytes."""

    def make(*values: str) -> Source:
        session = Session(ascii_database)
        session.execute("CREATE TABLE t (id int, v text, n numeric, w varchar(9))")
        for number, value in enumerate(values, 1):
            session.execute(
                f"INSERT INTO t VALUES ({number}, convert_from('{value}', 'SQL_ASCII'), 1.50, 'x')"
            )
        session.close()
        copier.addresses["a"] = ascii_database
        return source_of(connection="a", table="t")

    return make


@pytest.mark.parametrize("to", ["out.ndjson", "postgres", "sqlite", "duckdb"])
def test_a_row_that_is_not_utf8_is_quarantined(
    copier: Copier, postgres: Database, made: Callable[..., Source], to: str
) -> None:
    copier.addresses["postgres"] = postgres.address
    destination = destination_of(path=to) if "." in to else destination_of(connection=to, table="target")
    outcome = copier(made("plain", LATIN, r"\303\251"), destination, on_bad_row="quarantine")
    assert (outcome.counts.written, outcome.counts.quarantined) == (2, 1)
    [bad] = copier.quarantined
    assert (bad["reason"], bad["column"]) == ("wrong_encoding", None)
    assert bad["message"] == "column 'v' is not UTF-8"
    assert r'"v":"ét\\xe9"' in bad["raw"]
    if to == "out.ndjson":
        rows = [json.loads(line) for line in (copier.folder / to).read_text().splitlines()]
        assert [(row["id"], row["v"], row["n"]) for row in rows] == [(1, "plain", "1.50"), (3, "é", "1.50")]
    if to == "postgres":
        assert postgres.rows("SELECT id, v, n::text, w FROM target ORDER BY id") == [
            (1, "plain", "1.50", "x"),
            (3, "é", "1.50", "x"),
        ]


def test_without_quarantine_the_error_names_the_column(copier: Copier, made: Callable[..., Source]) -> None:
    with pytest.raises(FatalError, match="column 'v' is not UTF-8"):
        copier(made(LATIN), destination_of(path="out.csv"))
