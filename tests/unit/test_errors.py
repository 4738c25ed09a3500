"""The tree of exceptions, and how problems are shown."""

from __future__ import annotations

from windlass.errors import Problem, SpecError, did_you_mean


def test_a_problem_shows_where_what_and_what_may_have_been_meant() -> None:
    problem = Problem(
        "orders.yaml", 14, 7, "unknown key 'tabel'", "      tabel: orders", "did you mean 'table'?"
    )
    assert str(SpecError([problem])) == (
        "orders.yaml:14:7: unknown key 'tabel'\n"
        "  14 |       tabel: orders\n"
        "     |       ^ did you mean 'table'?"
    )


def test_a_near_name_is_suggested_and_few_names_are_listed() -> None:
    assert did_you_mean("tabel", ["table", "query"]) == "did you mean 'table'?"
    assert did_you_mean("zzz", ["table", "query"]) == "known: query, table"
    assert did_you_mean("zzz", map(str, range(100))) is None
