"""Casts: a value arrives as what it was, or is found to be bad. What is right is worked out in Python.

DuckDB is a library, so this is offline: the SQL of a cast is looked at where it will run.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any, TypeAlias

import duckdb
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from windlass.connectors.rows import Reason, Trust
from windlass.engine.casts import cast

Outcome: TypeAlias = tuple[Any, Reason | None]

# Bits; of those without a sign, less than 0
INTEGERS = {
    "TINYINT": 8,
    "SMALLINT": 16,
    "INTEGER": 32,
    "BIGINT": 64,
    "HUGEINT": 128,
    "UTINYINT": -8,
    "USMALLINT": -16,
    "UINTEGER": -32,
    "UBIGINT": -64,
    "UHUGEINT": -128,
}


def holds(kind: str, number: int) -> bool:
    low, high = limits(kind)
    return low <= number <= high


def limits(kind: str) -> tuple[int, int]:
    bits = INTEGERS[kind]
    return (0, (1 << -bits) - 1) if bits < 0 else (-(1 << bits - 1), (1 << bits - 1) - 1)


@pytest.fixture(scope="module", autouse=True)
def database() -> Iterator[None]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        _databases.append(connection)
        yield
        _databases.clear()


_databases: list[duckdb.DuckDBPyConnection] = []


def outcomes(source: str, target: str, values: Sequence[Any], trust: Trust = "declared") -> list[Outcome]:
    """What each value becomes, and the reason for which it is bad, of the tests in their order."""
    casting = cast(source, target, trust)
    tests = casting.faults("x", "v")
    [connection] = _databases
    found = []
    for value in values:
        sql = f"SELECT v{''.join(f', {test}' for test, _ in tests)} FROM (SELECT x, {casting.value_of('x')} AS v FROM t)"
        row = connection.execute(f"WITH t AS (SELECT CAST(? AS {source}) AS x) {sql}", [value]).fetchone()
        assert row is not None
        reasons = [reason for (_, reason), is_bad in zip(tests, row[1:], strict=True) if is_bad]
        found.append((row[0], reasons[0] if reasons else None))
    return found


def outcome(source: str, target: str, value: Any, trust: Trust = "declared") -> Outcome:
    return outcomes(source, target, [value], trust)[0]


# --- integers ---------------------------------------------------------------------------------------


@st.composite
def integers_of_a_type(draw: st.DrawFn) -> tuple[str, int]:
    kind = draw(st.sampled_from(sorted(INTEGERS)))
    low, high = limits(kind)
    around = {limit + more for other in INTEGERS for limit in limits(other) for more in (-1, 0, 1)}
    edges = sorted(edge for edge in around if low <= edge <= high)
    return kind, draw(st.integers(low, high) | st.sampled_from(edges))


@given(integers_of_a_type(), st.sampled_from(sorted(INTEGERS)))
def test_an_integer_fits_a_type_that_has_room_for_it(typed: tuple[str, int], target: str) -> None:
    source, number = typed
    expected = (number, None) if holds(target, number) else (None, Reason.OUT_OF_RANGE)
    assert outcome(source, target, str(number)) == expected


@given(integers_of_a_type())
def test_an_integer_becomes_a_double_only_if_that_is_the_same_number(typed: tuple[str, int]) -> None:
    source, number = typed
    value, reason = outcome(source, "DOUBLE", str(number))
    if reason is None:
        assert int(value) == number
    else:
        assert abs(number) > 2**53  # of which a double has some, too, but DuckDB does not know all of them


@given(integers_of_a_type())
def test_only_zero_and_one_are_a_truth(typed: tuple[str, int]) -> None:
    source, number = typed
    value, reason = outcome(source, "BOOLEAN", str(number))
    assert (reason is None) == (number in (0, 1))
    assert reason is not None or value == bool(number)


# --- text -------------------------------------------------------------------------------------------

SPACES = st.sampled_from(["", " ", "  "])
SIGNS = st.sampled_from(["", "+", "-"])
DIGITS = st.text("0123456789", max_size=42)


@st.composite
def written_numbers(draw: st.DrawFn) -> str:
    """Numbers as people and programs write them, and what only looks like one."""
    digits, fraction = draw(DIGITS), draw(st.none() | DIGITS)
    point = "" if fraction is None else f".{fraction}"
    exponent = draw(st.sampled_from(["", "", "", "e2", "E-3", "e+1", "e", "x"]))
    return f"{draw(SPACES)}{draw(SIGNS)}{digits}{point}{exponent}{draw(SPACES)}"


@given(written_numbers(), st.sampled_from(sorted(INTEGERS)))
@example("007", "BIGINT")
@example("1.0", "BIGINT")
@example("-0 ", "UBIGINT")
@example("1.5", "BIGINT")
@example("9223372036854775808", "BIGINT")
def test_text_is_an_integer_if_it_is_written_as_one(text: str, target: str) -> None:
    is_integer = re.fullmatch(r"\s*[+-]?[0-9]+\s*", text) is not None
    value, reason = outcome("VARCHAR", target, text)
    assert (reason is None) == (is_integer and holds(target, int(text)))
    if reason is None:
        assert value == int(text)
    elif is_integer:
        assert reason is Reason.OUT_OF_RANGE


def exactly(text: str) -> Decimal | None:
    """The number that the text is, if it is one."""
    if re.fullmatch(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*", text) is None:
        return None
    return Decimal(text.strip())


@given(written_numbers(), st.sampled_from([(4, 0), (12, 2), (18, 6), (38, 10)]))
@example("1.005", (12, 2))
@example("1.10000", (4, 0))
@example("1e2", (12, 2))
@example("1e-13", (12, 2))
@example(".0099999999995e2", (4, 0))
def test_text_that_becomes_a_decimal_keeps_every_digit(text: str, digits: tuple[int, int]) -> None:
    value, reason = outcome("VARCHAR", f"DECIMAL({digits[0]},{digits[1]})", text)
    if reason is None:
        assert value == exactly(text)
    elif (number := exactly(text)) is not None and "e" not in text.lower():
        places = len(text.strip().partition(".")[2].rstrip("0"))
        assert places > digits[1] or abs(number) >= 10 ** (digits[0] - digits[1])


@given(written_numbers() | st.floats().map(repr))
@example("1e400")
@example("nan")
@example("0.10000000000000001")
@example("9007199254740993")
@example("1e-400")
@example("2.5e-324")
def test_text_that_becomes_a_double_keeps_its_digits(text: str) -> None:
    """Those of the shortest text of the double, or of the long one that some programs write."""
    value, reason = outcome("VARCHAR", "DOUBLE", text)
    number = exactly(text)
    if reason is None and number is not None:
        assert number in (Decimal(repr(value)), Decimal(f"{value:.17g}"))
    elif reason is None:
        assert math.isnan(value) or (math.isinf(value) and "inf" in text)
    elif number is not None and re.search(r"\d", text):
        nearest = float(text)
        assert math.isinf(nearest) or number not in (Decimal(repr(nearest)), Decimal(f"{nearest:.17g}"))


@given(st.dates() | st.datetimes())
def test_text_with_a_time_in_it_is_no_date(moment: date | datetime) -> None:
    value, reason = outcome("VARCHAR", "DATE", moment.isoformat())
    if isinstance(moment, datetime):
        assert reason is Reason.TYPE_MISMATCH
    else:
        assert (value, reason) == (moment, None)


@given(st.datetimes(), st.sampled_from([0, 3, 6, 9]))
@example(datetime(2020, 1, 2, 3, 4, 5, 678_900), 9)
def test_text_becomes_a_timestamp_that_has_all_of_it(moment: datetime, places: int) -> None:
    text = (
        f"{moment:%Y-%m-%d %H:%M:%S}".rjust(19, "0")
        + f".{moment.microsecond:06}000"[: places + 1 if places else 0]
    )
    kept = moment.replace(microsecond=int(f"{moment.microsecond:06}"[:places].ljust(6, "0")) if places else 0)
    assert outcome("VARCHAR", "TIMESTAMP", text) == (kept, None)
    assert (
        outcome("VARCHAR", "TIMESTAMP", f"{moment:%Y-%m-%d %H:%M:%S}".rjust(19, "0") + ".0000001")[1]
        is not None
    )


NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


@given(JSON, st.integers(0, 40))
def test_text_that_is_json_stays_what_it_says_and_other_text_is_none(value: object, cut: int) -> None:
    text = json.dumps(value, ensure_ascii=False)
    kept, reason = outcome("VARCHAR", "JSON", text)
    assert (json.loads(kept), reason) == (value, None)
    broken = text[: len(text) - cut]
    try:
        json.loads(broken)
    except ValueError:
        assert outcome("VARCHAR", "JSON", broken) == (None, Reason.TYPE_MISMATCH)


@pytest.mark.parametrize("text", ["1e2", "1.5E-1", "12.50e0", "10e-1", "-2.5e+3", "150e-2"])
def test_a_decimal_with_an_exponent_is_taken_if_no_digit_is_lost(text: str) -> None:
    assert outcome("VARCHAR", "DECIMAL(12,2)", text) == (Decimal(text), None)


# --- by a round trip --------------------------------------------------------------------------------


@given(st.floats(), st.sampled_from(["BIGINT", "INTEGER", "FLOAT", "DECIMAL(12,2)"]))
@example(1.5, "BIGINT")
@example(2.0**63, "BIGINT")
@example(0.1, "FLOAT")
@example(-0.0, "BIGINT")
def test_a_double_that_is_not_the_same_number_elsewhere_is_bad(number: float, target: str) -> None:
    value, reason = outcome("DOUBLE", target, number)
    if reason is None:
        same = math.isnan(number) and math.isnan(value)
        assert same or value == number or Fraction(value) == Fraction(number) or float(value) == number
    else:
        assert not (
            math.isfinite(number)
            and number.is_integer()
            and target != "FLOAT"
            and holds_whole(number, target)
        )


def holds_whole(number: float, target: str) -> bool:
    return holds(target, int(number)) if target in INTEGERS else abs(number) < 10**10


@given(st.datetimes())
def test_a_time_of_day_is_never_cut_off(moment: datetime) -> None:
    value, reason = outcome("TIMESTAMP", "DATE", moment)
    is_midnight = moment.time() == datetime.min.time()
    assert (value == moment.date(), reason) == (True, None if is_midnight else Reason.LOSES_PRECISION)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("FLOAT", "DOUBLE"),
        ("DATE", "TIMESTAMP"),
        ("DECIMAL(10,2)", "DECIMAL(12,2)"),
        ("TIMESTAMP_MS", "TIMESTAMP"),
    ],
)
def test_what_always_fits_is_not_looked_at(source: str, target: str) -> None:
    assert cast(source, target).faults("x", "v") == []


# --- guesses ----------------------------------------------------------------------------------------


@given(written_numbers(), st.sampled_from(["BIGINT", "DOUBLE"]))
@example("007", "BIGINT")
@example("12e4", "BIGINT")
@example("0x1F", "BIGINT")
@example("1_000", "BIGINT")
@example("1_000", "DOUBLE")
@example("-9223372036854775808", "BIGINT")
@example("0", "BIGINT")
def test_a_guessed_type_takes_no_text_that_is_written_otherwise(text: str, target: str) -> None:
    value, reason = outcome("VARCHAR", target, text, "sampled")
    if target == "BIGINT":
        is_as_written = re.fullmatch(r"0|-?[1-9][0-9]*", text) is not None and holds("BIGINT", int(text))
        assert (reason is None) == is_as_written
        assert reason is not None or value == int(text)
    elif reason is None:
        assert value == float(text)
        assert "_" not in text


@pytest.mark.parametrize("target", ["BIGINT", "DOUBLE", "DATE", "TIMESTAMP", "BOOLEAN"])
def test_a_type_that_every_value_was_looked_at_for_is_not_tested_again(target: str) -> None:
    assert cast("VARCHAR", target, "known").faults("x", "v") == []


@pytest.mark.parametrize(
    "target", [*INTEGERS, "DOUBLE", "DECIMAL(12,2)", "DATE", "TIMESTAMP", "JSON", "BLOB", "BOOLEAN"]
)
def test_null_is_never_bad(target: str) -> None:
    assert outcome("VARCHAR", target, None) == (None, None)
    assert outcome("VARCHAR", target, None, "sampled") == (None, None)
