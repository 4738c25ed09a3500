"""A script for Postgres, split into its statements."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass.connectors.postgres.statements import statements


def split(script: str) -> list[str]:
    return [text.strip() for _, text in statements(script)]


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 1",
        "SELECT ';', 'it''s; a', E'\\';'",
        'SELECT "a;b""c" FROM t',
        "SELECT $$a;b$$, $x$ ; $$ ; $x$, $1",
        "SELECT 1 -- not; here\n + 2",
        "SELECT 1 /* not; /* even */ here; */ + 2",
        "CREATE RULE r AS ON INSERT TO t DO (DELETE FROM a; DELETE FROM b)",
        "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN; RETURN 1; END; $$",
        "CREATE FUNCTION f(i int) RETURNS int BEGIN ATOMIC SELECT 1; SELECT CASE WHEN i > 0 THEN 1 END; END",
        "SELECT CASE WHEN a THEN b END",
        "BEGIN",
        "END",
        "SELECT a$b$c, été",
    ],
)
def test_a_statement_is_not_torn_apart(statement: str) -> None:
    assert split(f"-- before;\n{statement};;\n/* ; */ {statement} ; -- after;") == [statement, statement]


def test_a_script_of_comments_has_no_statement() -> None:
    assert split(" ;; -- a;\n /* b; */ ;") == []


@given(
    st.lists(
        st.sampled_from(
            ["SELECT", "';'", "$$", ";", "(", ")", "/*", "*/", "--", "\n", '"', "'", "BEGIN ATOMIC", "END"]
        )
    ).map(" ".join)
)
def test_nothing_is_lost_and_every_statement_is_where_it_is_said_to_be(script: str) -> None:
    end = 0
    for begin, text in statements(script):
        assert begin >= end
        assert script[begin : begin + len(text)] == text
        end = begin + len(text)
