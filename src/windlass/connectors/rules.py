"""What `validate: {columns: …}` says of a value, in one meaning for every path that rows can take.

A rule is about the value that the destination gets. Numbers are compared as numbers, exactly; dates and times
as such, in UTC; text by the code points of its characters. What a rule compares with is brought into a form
here that every database reads alike: nothing is left to their casts, collations and regular expressions.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Literal, TypeAlias

from windlass.connectors.rows import Column, Reason
from windlass.connectors.scratch import literal
from windlass.errors import FatalError
from windlass.plan.model import ColumnRules

__all__ = ["Family", "Kind", "Rule", "duckdb_test", "kind_of", "rules_for"]

Scalar: TypeAlias = str | int | float | bool
Test: TypeAlias = Literal["null", "any", "below", "above", "other", "mismatch", "longer"]

INTEGERS = {
    "TINYINT": (-(2**7), 2**7 - 1),
    "SMALLINT": (-(2**15), 2**15 - 1),
    "INTEGER": (-(2**31), 2**31 - 1),
    "BIGINT": (-(2**63), 2**63 - 1),
    "HUGEINT": (-(2**127), 2**127 - 1),
    "UTINYINT": (0, 2**8 - 1),
    "USMALLINT": (0, 2**16 - 1),
    "UINTEGER": (0, 2**32 - 1),
    "UBIGINT": (0, 2**64 - 1),
    "UHUGEINT": (0, 2**128 - 1),
}
_LARGEST_FLOAT = {"FLOAT": Decimal("3.4028234663852886e38"), "DOUBLE": Decimal("1.7976931348623157e308")}


class Family(StrEnum):
    """Kinds of values that are compared in the same way."""

    INTEGER = "a whole number"
    DECIMAL = "a number"
    FLOAT = "a floating-point number"
    NUMBER = "a number of any size"  # carried as text
    TEXT = "text"
    BOOLEAN = "true or false"
    DATE = "a date"
    TIME = "a time"
    TIMESTAMP = "a date and time"
    TIMESTAMPTZ = "a date and time with a zone"
    UUID = "a UUID"
    OTHER = "of a type without an order"


@dataclass(frozen=True)
class Kind:
    """What the values of a column are: their family, and the least and greatest of its type."""

    family: Family
    low: Decimal | None = None
    high: Decimal | None = None
    scale: int = 0


@dataclass(frozen=True)
class Rule:
    """One thing that makes a value bad. `operands` are text that every database reads as the same value."""

    test: Test
    reason: Reason
    message: str
    operands: tuple[str, ...] = ()


def kind_of(column: Column) -> Kind:
    """The kind of a column, by its DuckDB type and by what text in it stands for."""
    name = column.type
    if column.carries == "number":
        return Kind(Family.NUMBER)
    if column.carries:
        return Kind(Family.OTHER)
    if name in INTEGERS:
        low, high = INTEGERS[name]
        return Kind(Family.INTEGER, Decimal(low), Decimal(high))
    if (found := re.fullmatch(r"DECIMAL\((\d+),(\d+)\)", name)) is not None:
        return decimal_kind(int(found[1]), int(found[2]))
    if name in _LARGEST_FLOAT:
        return Kind(Family.FLOAT, -_LARGEST_FLOAT[name], _LARGEST_FLOAT[name])
    if name.startswith("TIMESTAMP WITH"):
        return Kind(Family.TIMESTAMPTZ)
    if name.startswith("TIMESTAMP"):
        return Kind(Family.TIMESTAMP)
    families = {"VARCHAR": Family.TEXT, "BOOLEAN": Family.BOOLEAN, "DATE": Family.DATE, "TIME": Family.TIME}
    return Kind({**families, "UUID": Family.UUID}.get(name, Family.OTHER))


def decimal_kind(precision: int, scale: int) -> Kind:
    """The kind of a number with so many digits, of which `scale` are behind the point."""
    high = (Decimal(10) ** precision - 1).scaleb(-scale)
    return Kind(Family.DECIMAL, -high, high, scale)


def rules_for(rules: ColumnRules, column: str, kind: Kind) -> list[Rule]:
    """The rules of a column. Raises FatalError for one that makes no sense for values of its kind."""
    return list(_rules_for(rules, column, kind))


def _rules_for(rules: ColumnRules, column: str, kind: Kind) -> Iterator[Rule]:
    if rules.not_null:
        yield Rule("null", Reason.IS_NULL, "is NULL")
    if rules.max_length is not None:
        _require_text(column, "max_length", kind)
        message = f"is longer than {rules.max_length} characters"
        yield Rule("longer", Reason.TOO_LONG, message, (str(rules.max_length),))
    if rules.min is not None:
        test, operands = _bound(column, "min", rules.min, kind)
        if test is not None:
            yield Rule(test, Reason.BELOW_MINIMUM, f"is less than {rules.min!r}", operands)
    if rules.max is not None:
        test, operands = _bound(column, "max", rules.max, kind)
        if test is not None:
            yield Rule(test, Reason.ABOVE_MAXIMUM, f"is more than {rules.max!r}", operands)
    if rules.accepted is not None:
        operands = tuple(dict.fromkeys(_accepted(column, rules.accepted, kind)))
        test = "other" if operands else "any"
        yield Rule(test, Reason.NOT_ACCEPTED, "is not one of the accepted values", operands)
    if rules.pattern is not None:
        _require_text(column, "pattern", kind)
        message = f"does not match {rules.pattern!r}"
        yield Rule("mismatch", Reason.PATTERN_MISMATCH, message, (rules.pattern,))


# --- what values are compared with ------------------------------------------------------------------


def _bound(
    column: str, rule: Literal["min", "max"], written: Scalar, kind: Kind
) -> tuple[Test | None, tuple[str, ...]]:
    """The test for a value beyond a bound; None where no value of the type can be, `any` where each is."""
    is_min = rule == "min"
    test: Test = "below" if is_min else "above"
    if kind.family in (Family.INTEGER, Family.DECIMAL, Family.FLOAT, Family.NUMBER):
        bound = _number(column, rule, written, kind)
        if (
            kind.low is not None
            and kind.high is not None
            and bound.is_finite()
            and kind.family != Family.FLOAT
        ):
            if bound > kind.high:
                return ("any" if is_min else None), ()
            if bound < kind.low:
                return (None if is_min else "any"), ()
        return test, (_number_text(bound, kind, rounding="ROUND_CEILING" if is_min else "ROUND_FLOOR"),)
    if kind.family is Family.TEXT and isinstance(written, str):
        return test, (written,)
    if kind.family in _MOMENTS:
        return test, (_MOMENTS[kind.family](column, rule, written),)
    raise _senseless(column, rule, written, kind)


def _accepted(column: str, values: Iterable[Scalar], kind: Kind) -> Iterator[str]:
    """The accepted values that the type can hold."""
    for value in values:
        if kind.family is Family.TEXT:
            yield str(value).lower() if isinstance(value, bool) else str(value)
        elif kind.family is Family.BOOLEAN and str(value).lower() in ("true", "false"):
            yield str(value).lower()
        elif kind.family is Family.UUID:
            yield _uuid(column, value)
        elif kind.family in _MOMENTS:
            yield _MOMENTS[kind.family](column, "accepted", value)
        elif kind.family in (Family.INTEGER, Family.DECIMAL, Family.FLOAT, Family.NUMBER):
            number = _number(column, "accepted", value, kind)
            if _can_hold(number, kind):
                yield _number_text(number, kind)
        else:
            raise _senseless(column, "accepted", value, kind)


def _number(column: str, rule: str, written: Scalar, kind: Kind) -> Decimal:
    try:
        if isinstance(written, bool):
            raise InvalidOperation
        number = Decimal(repr(written) if isinstance(written, float) else str(written).strip())
    except InvalidOperation:
        raise _senseless(column, rule, written, kind) from None
    if number.is_nan() or (number.is_infinite() and kind.family is not Family.FLOAT):
        raise _senseless(column, rule, written, kind)
    return number


def _can_hold(number: Decimal, kind: Kind) -> bool:
    if kind.family in (Family.NUMBER, Family.FLOAT):
        return True
    assert kind.low is not None
    assert kind.high is not None
    return kind.low <= number <= kind.high and number == _rounded(number, kind.scale, "ROUND_FLOOR")


def _number_text(number: Decimal, kind: Kind, rounding: str = "ROUND_FLOOR") -> str:
    if kind.family is Family.FLOAT:
        assert kind.high is not None
        beyond = abs(number) > kind.high
        return ("-" if number < 0 else "") + "Infinity" if beyond else str(number)
    if kind.family is not Family.NUMBER:
        number = _rounded(number, kind.scale, rounding)
    return f"{number:f}"


def _rounded(number: Decimal, scale: int, rounding: str) -> Decimal:
    from decimal import localcontext

    with localcontext() as context:
        context.prec = 1000
        return number.quantize(Decimal(1).scaleb(-scale), rounding=rounding)


def _uuid(column: str, written: Scalar) -> str:
    try:
        return str(uuid.UUID(str(written)))
    except ValueError:
        raise _senseless(column, "accepted", written, Kind(Family.UUID)) from None


def _date(column: str, rule: str, written: Scalar) -> str:
    try:
        return date.fromisoformat(str(written)).isoformat()
    except ValueError:
        raise _senseless(column, rule, written, Kind(Family.DATE)) from None


def _time(column: str, rule: str, written: Scalar) -> str:
    try:
        moment = time.fromisoformat(str(written))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is not None:
        raise _senseless(column, rule, written, Kind(Family.TIME))
    return moment.isoformat()


def _moment(column: str, rule: str, written: Scalar) -> str:
    """A time without a zone is one in UTC, as in all casts."""
    try:
        moment = datetime.fromisoformat(str(written))
    except ValueError:
        raise _senseless(column, rule, written, Kind(Family.TIMESTAMP)) from None
    return (moment.astimezone(UTC) if moment.tzinfo else moment).replace(tzinfo=None).isoformat(" ")


_MOMENTS: dict[Family, Callable[[str, str, Scalar], str]] = {
    Family.DATE: _date,
    Family.TIME: _time,
    Family.TIMESTAMP: _moment,
    Family.TIMESTAMPTZ: lambda column, rule, written: f"{_moment(column, rule, written)}+00:00",
}


def _require_text(column: str, rule: str, kind: Kind) -> None:
    if kind.family is Family.OTHER:
        raise FatalError(
            f"`{rule}` cannot be checked: {column!r} is {kind.family.value}",
            hint="cast it to text with `select`",
        )


def _senseless(column: str, rule: str, written: Scalar, kind: Kind) -> FatalError:
    hint = "cast the column with `select`, or change the rule"
    if kind.family is Family.TEXT:
        hint = "put the bound in quotes to compare text, or cast the column to a number with `select`"
    return FatalError(
        f"`{rule}: {written!r}` cannot be checked: {column!r} is {kind.family.value}", hint=hint
    )


# --- in the scratch database ------------------------------------------------------------------------


def duckdb_test(rule: Rule, v: str, kind: Kind, name: str) -> str:
    """SQL for DuckDB that is true of a bad value. `name` is the value's type there."""
    if kind.family is Family.NUMBER and rule.test in ("below", "above"):
        return _beyond(v, rule.operands[0], "<" if rule.test == "below" else ">")
    if kind.family is Family.NUMBER and rule.test == "other":
        return " AND ".join(f"({_beyond(v, o, '<')} OR {_beyond(v, o, '>')})" for o in rule.operands)
    operands = [f"CAST({literal(operand)} AS {name})" for operand in rule.operands]
    match rule.test:
        case "null":
            return f"{v} IS NULL"
        case "any":
            return f"{v} IS NOT NULL"
        case "below":
            return f"{v} < {operands[0]}"
        case "above":
            return f"{v} > {operands[0]}"
        case "other":
            return f"{v} NOT IN ({', '.join(operands)})"
        case "mismatch":
            return f"NOT regexp_matches(CAST({v} AS VARCHAR), {literal(rule.operands[0])})"
        case "longer":
            return f"length(CAST({v} AS VARCHAR)) > {rule.operands[0]}"


def _beyond(v: str, bound: str, operator: Literal["<", ">"]) -> str:
    """SQL that compares text that says a number with a bound, whatever their digits.

    Doubles decide wherever they differ. Where they do not, the digits of both are compared, written one under
    the other. (Only a number with an exponent and more digits than a double has is then taken for equal.)
    """
    whole, _, fraction = bound.lstrip("-").partition(".")
    whole, fraction = whole.lstrip("0"), fraction.rstrip("0")
    x = f"regexp_extract({v}, '^\\s*[+-]?0*(\\d*)(\\.(\\d*?)0*)?\\s*$', ['whole', 'point', 'fraction'])"
    wide = f"CAST(greatest(length(x.whole), {len(whole)}) AS INTEGER)"
    long = f"CAST(greatest(length(x.fraction), {len(fraction)}) AS INTEGER)"
    found = f"lpad(x.whole, {wide}, '0') || rpad(x.fraction, {long}, '0')"
    wanted = f"lpad({literal(whole)}, {wide}, '0') || rpad({literal(fraction)}, {long}, '0')"
    turned = {"<": ">", ">": "<"}[operator]
    digits = (
        f"list_transform([{x}], lambda x: CASE WHEN starts_with(ltrim({v}), '-') "
        f"THEN {found} {turned} {wanted} ELSE {found} {operator} {wanted} END)[1]"
    )
    as_double, edge = f"TRY_CAST({v} AS DOUBLE)", f"CAST({literal(bound)} AS DOUBLE)"
    return (
        f"CASE WHEN {as_double} <> {edge} THEN {as_double} {operator} {edge} "
        f"WHEN contains(lower({v}), 'e') OR {v} IS NULL THEN false ELSE {digits} END"
    )
