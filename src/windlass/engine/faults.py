"""What can be wrong with a row: SQL that finds it in the scratch database, and the words for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from windlass.connectors.ends import Interval
from windlass.connectors.json_digits import has_nan, loses_digits
from windlass.connectors.rows import Column, Reason, RowFault, Trust
from windlass.connectors.rules import duckdb_test, kind_of, rules_for
from windlass.connectors.scratch import identifier, literal
from windlass.connectors.source import IntervalOf
from windlass.connectors.widening import is_exact_number
from windlass.engine.casts import ZONED, Cast, cast, zoned_text_to_utc
from windlass.plan.model import ColumnRules

__all__ = ["Fault", "Output", "all_faults", "misfit_test"]

_NUMBERS = ("FLOAT", "DOUBLE")  # which can be NaN


@dataclass(frozen=True)
class Output:
    """One column of the destination: what it is made from, and what it must satisfy."""

    source: Column
    target: Column
    rules: ColumnRules = field(default_factory=ColumnRules)
    trust: Trust = "declared"
    is_asked: bool = False
    """Whether `select` says its type."""

    @property
    def casting(self) -> Cast:
        source, target = self.source, self.target
        may_have_zone = source.type == "VARCHAR" and source.guess in (None, ZONED)
        if may_have_zone and target.in_utc and target.type == "TIMESTAMP":
            return zoned_text_to_utc(self.trust)
        return cast(source.type, target.type, self.trust)

    @property
    def value(self) -> str:
        """SQL that casts the source's column."""
        return self.casting.value_of(identifier(self.source.name))

    def as_data(self, value: str) -> str:
        """SQL for the cast `value` as a JSON Schema sees it: a number or truth value is one also where the destination has
        only text for it, unless `select` asks for text.
        """
        kind = self.source.guess or self.source.type
        is_text = kind not in (*_NUMBERS, "BOOLEAN") and not is_exact_number(kind)
        if self.is_asked or is_text or self.target.type != "VARCHAR":
            return value
        as_it_was = f"TRY_CAST({identifier(self.source.name)} AS {kind})"
        return f"coalesce(to_json({as_it_was}), to_json({value}))"


@dataclass(frozen=True)
class Fault:
    """SQL that is TRUE where something is wrong, and what to say then. `{value}` stands for the value."""

    test: str
    reason: Reason
    message: str
    output: Output | None = None
    value: str = "NULL"
    is_of_sample: bool = False
    """The row speaks against what a sample showed."""

    @property
    def is_misfit(self) -> bool:
        """The value speaks against a type that was only guessed, not against the row."""
        return self.is_of_sample or (
            self.output is not None
            and self.output.trust == "sampled"
            and self.reason is self.output.casting.reason
        )

    @property
    def column(self) -> str | None:
        return self.output.source.name if self.output else None

    def says(self, value: str | None) -> str:
        shown = "NULL" if value is None else repr(value if len(value) <= 80 else value[:77] + "…")
        return self.message.replace("{value}", shown)


def all_faults(
    rows: Sequence[RowFault],
    outputs: Sequence[Output],
    *,
    forbids_nul: bool,
    interval: IntervalOf | None,
) -> list[Fault]:
    """Every fault that a row can have, in the order in which they are looked for.

    The tests speak of the source's columns by their names and of the cast values as `__windlass_v0`, `__windlass_v1`, ….
    """
    faults = [Fault(fault.test, fault.reason, fault.message, is_of_sample=fault.is_misfit) for fault in rows]
    for i, output in enumerate(outputs):
        faults.extend(_of_column(output, f"__windlass_v{i}", forbids_nul=forbids_nul))
        if interval is not None and output.target.name == interval.column:
            faults.append(_outside(output, f"__windlass_v{i}", interval.interval))
    return faults


def misfit_test(output: Output, v: str) -> str:
    """SQL that is true for a value which the column of the destination cannot keep; `v` is the cast one."""
    faults = _of_column(replace(output, rules=ColumnRules()), v, forbids_nul=False)
    return " OR ".join(f"({fault.test})" for fault in faults) or "false"


def _of_column(output: Output, v: str, *, forbids_nul: bool) -> Iterator[Fault]:
    x, target = identifier(output.source.name), output.target

    def fault(test: str, reason: Reason, message: str) -> Fault:
        return Fault(test, reason, f"column {output.source.name!r}: {message}", output, x)

    does_not_fit = f"{{value}} does not fit {target.native or target.type.lower()}"
    for test, reason in output.casting.faults(x, v):
        yield fault(test, reason, does_not_fit)
    if not target.nullable:
        yield fault(f"{v} IS NULL", Reason.IS_NULL, "it is NULL")
    if forbids_nul and target.type == "VARCHAR":
        message = "{value} contains a NUL character, which the destination cannot store"
        yield fault(f"contains({v}, chr(0))", Reason.NUL_IN_TEXT, message)
    for test, reason, message in _beyond_limits(target, v):
        yield fault(test, reason, message)
    if target.pattern is not None:
        test = f"NOT regexp_full_match({v}, {literal(target.pattern)})"
        yield fault(test, Reason.TYPE_MISMATCH, does_not_fit)
    if target.max_length is not None:
        message = f"{{value}} is longer than {target.max_length} characters"
        yield fault(f"length(CAST({v} AS VARCHAR)) > {target.max_length}", Reason.TOO_LONG, message)
    kind = kind_of(target)
    for rule in rules_for(output.rules, target.name, kind):
        message = "it is NULL" if rule.test == "null" else f"{{value}} {rule.message}"
        yield fault(duckdb_test(rule, v, kind, target.type), rule.reason, message)


def _beyond_limits(target: Column, v: str) -> Iterator[tuple[str, Reason, str]]:
    if target.finite:
        yield f"NOT isfinite({v})", Reason.OUT_OF_RANGE, "{value} has no place in the file's format"
    if target.milliseconds:
        message = "{value} has microseconds, and the destination keeps milliseconds"
        yield f"isfinite({v}) AND epoch_us({v}) % 1000 <> 0", Reason.LOSES_PRECISION, message
    if target.forbids_nan:
        yield f"isnan({v})", Reason.OUT_OF_RANGE, "the destination would store NULL for {value}"
    if target.rounds_json and target.type == "JSON":
        message = "{value} has a number with more digits than the file's format keeps"
        yield loses_digits(f"CAST({v} AS VARCHAR)"), Reason.LOSES_PRECISION, message
    if target.rounds_json and target.type not in _NUMBERS and any(n in target.type for n in _NUMBERS):
        message = "{value} has a number that JSON has no word for"
        yield has_nan(f"CAST(to_json({v}) AS VARCHAR)"), Reason.OUT_OF_RANGE, message
    if target.loses is not None:
        message = f"{{value}} does not fit {target.native or target.type.lower()}"
        yield target.loses.replace("{v}", v), Reason.LOSES_PRECISION, message
    for bound, operator, where in ((target.earliest, "<", "before"), (target.latest, ">", "after")):
        if bound is not None:
            finite = "true" if target.type == "TIME" else f"isfinite({v})"
            test = f"{finite} AND {v} {operator} CAST({literal(bound)} AS {target.type})"
            yield test, Reason.OUT_OF_RANGE, f"{{value}} is {where} what the destination can store"


def _outside(output: Output, v: str, interval: Interval) -> Fault:
    start, end = (f"CAST({literal(moment.isoformat())} AS TIMESTAMPTZ)" for moment in interval)
    moment = f"TRY_CAST({v} AS TIMESTAMPTZ)" if output.target.type == "VARCHAR" else v
    test = f"NOT coalesce({moment} >= {start} AND {moment} < {end}, false)"
    message = f"column {output.source.name!r}: {{value}} is outside the run's data interval"
    return Fault(test, Reason.OUTSIDE_INTERVAL, message, output, v)
