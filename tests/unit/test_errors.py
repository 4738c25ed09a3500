"""The tree of exceptions, and how problems are shown."""

from __future__ import annotations

import errno

from windlass.errors import (
    Code,
    FatalError,
    Problem,
    RetryableError,
    SpecError,
    UsageError,
    as_error,
    did_you_mean,
)


def test_a_problem_shows_where_what_and_what_may_have_been_meant() -> None:
    problem = Problem(
        "orders.yaml",
        14,
        7,
        "unknown key 'tabel'",
        "      tabel: orders",
        "did you mean 'table'?",
        code=Code.UNKNOWN_KEY,
        width=5,
    )
    assert str(SpecError([problem])) == (
        "orders.yaml:14:7: error[W0103]: unknown key 'tabel'\n"
        "  14 |       tabel: orders\n"
        "     |       ^^^^^ did you mean 'table'?"
    )


def test_an_error_says_what_it_comes_from_and_what_to_do() -> None:
    try:
        try:
            raise RetryableError("the server is away")
        except RetryableError as exc:
            raise FatalError("the dev service did not start", hint="look at its log") from exc
    except FatalError as exc:
        error = exc
    assert str(error) == (
        "the dev service did not start\n  caused by: the server is away\n  hint: look at its log"
    )


def test_what_a_message_says_already_is_no_cause() -> None:
    error = FatalError("a.sql: no such table")
    error.__cause__ = FatalError("no such table")
    assert str(error) == "a.sql: no such table"
    error.__cause__ = error  # as where an error is explained, and stays what it is
    assert str(error) == "a.sql: no such table"


def test_each_class_has_a_code_and_an_error_may_have_its_own() -> None:
    assert [kind("x").code for kind in (UsageError, FatalError, RetryableError)] == [
        "W0001",
        "W0002",
        "W0003",
    ]
    assert FatalError("x", code=Code.NO_TABLE).code == "W0403"
    assert (as_error(OSError(28, "full")).code, as_error(OSError(13, "no")).code) == ("W0006", "W0005")
    assert as_error(ZeroDivisionError("x")).code == "W0004"


def test_a_near_name_is_suggested_and_few_names_are_listed() -> None:
    assert did_you_mean("tabel", ["table", "query"]) == "did you mean 'table'?"
    assert did_you_mean("zzz", ["table", "query"]) == "known: query, table"
    assert did_you_mean("zzz", map(str, range(100))) is None


def test_what_may_pass_is_tried_again() -> None:
    for number in (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.EIO, errno.ESTALE):
        assert isinstance(as_error(OSError(number, "no")), RetryableError)
    for number in (errno.EACCES, errno.ENOENT, errno.EROFS):
        assert isinstance(as_error(OSError(number, "no")), FatalError)
