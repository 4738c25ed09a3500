"""The rows of a copy on their way: selected, cast, checked, and split into good and bad.

Everything that can be said in SQL is done by the scratch database, column by column. A row with a
fault carries a small JSON text that says which column, why, and what value; only such rows are ever
looked at one by one.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from windlass.connectors.protocol import BadRow, Column, Counts, Interval, Reason, Source, Trust
from windlass.connectors.scratch import Scratch, identifier, literal
from windlass.engine.casts import Cast, cast
from windlass.engine.quarantine import Quarantine
from windlass.errors import WindlassError
from windlass.plan.model import ColumnRules, JsonSchema

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["MisfitError", "Output", "RowStream"]

_FAULT, _RECORD, _OUTPUT = "__windlass_fault", "__windlass_record", "__windlass_output"
_MARK = "windlass-fault:"


class MisfitError(Exception):
    """A value did not fit the type that was inferred for its column from a sample."""

    def __init__(self, column: str) -> None:
        super().__init__(column)
        self.column = column


@dataclass(frozen=True)
class Output:
    """One column of the destination: what it is made from, and what it must satisfy."""

    source: Column
    target: Column
    rules: ColumnRules = ColumnRules()
    trust: Trust = "declared"

    @property
    def casting(self) -> Cast:
        return cast(self.source.type, self.target.type, self.trust)


@dataclass(frozen=True)
class _Fault:
    """SQL that is TRUE for a bad value, and what to say of it."""

    test: str
    output: Output
    reason: Reason
    value: str

    def as_sql(self, number: int) -> str:
        value = f"CAST({self.value} AS VARCHAR)"
        return f"WHEN {self.test} THEN json_object('fault', {number}, 'value', {value})"

    def row(self, value: str | None, record: str | None, ordinal: int | None) -> BadRow:
        return BadRow(
            reason=self.reason,
            message=self._message(value),
            column=self.output.source.name,
            value=value,
            record=json.loads(record) if record else None,
            ordinal=ordinal,
        )

    def _message(self, value: str | None) -> str:
        column, rules = self.output.source.name, self.output.rules
        shown = "NULL" if value is None else repr(value if len(value) <= 80 else value[:77] + "…")
        match self.reason:
            case Reason.IS_NULL:
                return f"column {column!r} is NULL"
            case Reason.BELOW_MINIMUM:
                return f"column {column!r}: {shown} is less than {rules.min!r}"
            case Reason.ABOVE_MAXIMUM:
                return f"column {column!r}: {shown} is more than {rules.max!r}"
            case Reason.NOT_ACCEPTED:
                return f"column {column!r}: {shown} is none of the accepted values"
            case Reason.PATTERN_MISMATCH:
                return f"column {column!r}: {shown} does not match {rules.pattern!r}"
            case Reason.TOO_LONG:
                length = self.output.target.max_length or rules.max_length
                return f"column {column!r}: {shown} is longer than {length} characters"
            case Reason.NUL_IN_TEXT:
                return f"column {column!r}: {shown} contains a NUL character, which the destination cannot store"
            case Reason.OUTSIDE_INTERVAL:
                return f"column {column!r}: {shown} is outside the run's data interval"
            case _:
                kind = self.output.target.native or self.output.target.type.lower()
                return f"column {column!r}: {shown} does not fit {kind}"


class RowStream:
    """The rows of one source, made to fit one destination. Implements `Rows`."""

    def __init__(
        self,
        source: Source,
        scratch: Scratch,
        outputs: Sequence[Output],
        quarantine: Quarantine,
        counts: Counts,
        *,
        forbids_nul: bool = False,
        json_schema: JsonSchema | None = None,
        interval: tuple[str, Interval] | None = None,
    ) -> None:
        self.columns = [output.target for output in outputs]
        self._source, self._scratch, self._outputs = source, scratch, outputs
        self._quarantine, self._counts = quarantine, counts
        self._faults = [f for i, o in enumerate(outputs) for f in _faults(o, f"__v{i}", forbids_nul)]
        self._faults += _outside(outputs, interval)
        self._schema_errors = _validator(json_schema)
        self._good_before_bad: list[int] = []  # for each bad row: how many good ones came before it
        self.sets_aside = not quarantine.fail

    def query(self) -> str | None:
        if self._schema_errors is not None:
            return None
        if not self._faults:
            return f"SELECT {self._values(named=True)} FROM {self._source.relation(self._scratch)}"
        good = self._named([f"CASE WHEN {_FAULT} IS NULL THEN __v0 ELSE error({literal(_MARK)} || {_FAULT}) END"])
        return f"SELECT {good} FROM ({self._marked()})"

    def found_bad_row(self, error: WindlassError) -> bool:
        """Whether the error is the one that `query` raises for a bad row. Raises MisfitError for a guess."""
        found = error.message.find(_MARK)
        if found < 0:
            return False
        fault = self._faults[json.JSONDecoder().raw_decode(error.message, found + len(_MARK))[0]["fault"]]
        self._raise_misfit(fault)
        return True

    def batches(self) -> Iterator[pa.RecordBatch]:
        ordinal = 0
        for batch in self._scratch.stream(self._split_query()):
            self._counts.read += batch.num_rows
            good = self._good_part(batch, ordinal)
            ordinal += batch.num_rows
            if good.num_rows:
                yield good

    def refuse(self, row: BadRow, position: int) -> None:
        """`position` counts the good rows; the bad ones before it are added to get its ordinal."""
        row.ordinal = position + bisect_right(self._good_before_bad, position)
        self._quarantine.add([row], self._source)

    # --- SQL ---

    def _values(self, *, named: bool) -> str:
        return ", ".join(
            o.casting.value_of(identifier(o.source.name))
            + f" AS {identifier(o.target.name) if named else f'__v{i}'}"
            for i, o in enumerate(self._outputs)
        )

    def _named(self, replaced: Sequence[str] = ()) -> str:
        values = [*replaced, *(f"__v{i}" for i in range(len(replaced), len(self._outputs)))]
        return ", ".join(
            f"{value} AS {identifier(o.target.name)}" for value, o in zip(values, self._outputs, strict=True)
        )

    def _marked(self) -> str:
        """The source's columns, the cast values, and what is wrong with them."""
        cast_rows = f"SELECT *, {self._values(named=False)} FROM {self._source.relation(self._scratch)}"
        cases = " ".join(fault.as_sql(number) for number, fault in enumerate(self._faults))
        fault = f"CASE {cases} END" if cases else "NULL::VARCHAR"
        return f"SELECT *, {fault} AS {_FAULT} FROM ({cast_rows})"

    def _split_query(self) -> str:
        if not self._faults and self._schema_errors is None:
            return f"SELECT {self._values(named=True)} FROM {self._source.relation(self._scratch)}"
        record = _struct([o.source.name for o in self._outputs], [o.source.name for o in self._outputs])
        needed = "TRUE" if self._schema_errors else f"{_FAULT} IS NOT NULL"
        extra = f"{_FAULT}, CASE WHEN {needed} THEN to_json({record}) END AS {_RECORD}"
        if self._schema_errors:
            output = _struct([o.target.name for o in self._outputs], [f"__v{i}" for i in range(len(self._outputs))])
            extra += f", to_json({output}) AS {_OUTPUT}"
        return f"SELECT {self._named()}, {extra} FROM ({self._marked()})"

    # --- Arrow ---

    def _good_part(self, batch: pa.RecordBatch, first_ordinal: int) -> pa.RecordBatch:
        if _FAULT not in batch.schema.names:
            return batch
        bad = self._bad_rows(batch, first_ordinal)
        good = batch.select([column.name for column in self.columns])
        if not bad:
            return good
        self._quarantine.add(bad, self._source)
        for row in bad:
            self._good_before_bad.append((row.ordinal or 0) - len(self._good_before_bad))
        import pyarrow as pa

        keep = [True] * batch.num_rows
        for row in bad:
            keep[(row.ordinal or 0) - first_ordinal] = False
        return good.filter(pa.array(keep))

    def _bad_rows(self, batch: pa.RecordBatch, first_ordinal: int) -> list[BadRow]:
        faults = batch.column(batch.schema.get_field_index(_FAULT))
        bad: list[BadRow] = []
        if faults.null_count < batch.num_rows:
            records = batch.column(batch.schema.get_field_index(_RECORD))
            for i, text in enumerate(faults.to_pylist()):
                if text is not None:
                    bad.append(self._bad_row(json.loads(text), records[i].as_py(), first_ordinal + i))
        if self._schema_errors is not None:
            known = {row.ordinal for row in bad}
            bad.extend(r for r in self._schema_check(batch, first_ordinal) if r.ordinal not in known)
            bad.sort(key=lambda row: row.ordinal or 0)
        return bad

    def _bad_row(self, found: dict[str, Any], record: str | None, ordinal: int) -> BadRow:
        fault = self._faults[found["fault"]]
        self._raise_misfit(fault)
        return fault.row(found["value"], record, ordinal)

    def _raise_misfit(self, fault: _Fault) -> None:
        if fault.output.trust == "sampled" and fault.reason is fault.output.casting.reason:
            raise MisfitError(fault.output.source.name)

    def _schema_check(self, batch: pa.RecordBatch, first_ordinal: int) -> Iterator[BadRow]:
        assert self._schema_errors is not None
        outputs = batch.column(batch.schema.get_field_index(_OUTPUT)).to_pylist()
        records = batch.column(batch.schema.get_field_index(_RECORD))
        for i, text in enumerate(outputs):
            wrong = self._schema_errors(json.loads(text))
            if wrong:
                message, column = wrong
                record = json.loads(records[i].as_py())
                yield BadRow(Reason.JSON_SCHEMA, message, column, record=record, ordinal=first_ordinal + i)


def _faults(output: Output, v: str, forbids_nul: bool) -> Iterator[_Fault]:
    """Everything that can be wrong with one column, cheapest and most telling first."""
    x = identifier(output.source.name)
    rules, target = output.rules, output.target
    if test := output.casting.is_bad(x, v):
        yield _Fault(test, output, output.casting.reason, x)
    if rules.not_null or not target.nullable:
        yield _Fault(f"{v} IS NULL", output, Reason.IS_NULL, x)
    if forbids_nul and target.type == "VARCHAR":
        yield _Fault(f"contains({v}, chr(0))", output, Reason.NUL_IN_TEXT, x)
    if target.pattern is not None:
        yield _Fault(f"NOT regexp_full_match({v}, {literal(target.pattern)})", output, Reason.TYPE_MISMATCH, x)
    for length in (target.max_length, rules.max_length):
        if length is not None:
            yield _Fault(f"length(CAST({v} AS VARCHAR)) > {length}", output, Reason.TOO_LONG, x)
    if rules.min is not None:
        yield _Fault(f"{v} < CAST({literal(rules.min)} AS {target.type})", output, Reason.BELOW_MINIMUM, x)
    if rules.max is not None:
        yield _Fault(f"{v} > CAST({literal(rules.max)} AS {target.type})", output, Reason.ABOVE_MAXIMUM, x)
    if rules.accepted is not None:
        accepted = ", ".join(f"CAST({literal(value)} AS {target.type})" for value in rules.accepted)
        yield _Fault(f"{v} NOT IN ({accepted})" if accepted else f"{v} IS NOT NULL", output, Reason.NOT_ACCEPTED, x)
    if rules.pattern is not None:
        matches = f"regexp_matches(CAST({v} AS VARCHAR), {literal(rules.pattern)})"
        yield _Fault(f"NOT {matches}", output, Reason.PATTERN_MISMATCH, x)


def _outside(outputs: Sequence[Output], interval: tuple[str, Interval] | None) -> Iterator[_Fault]:
    """The fault of a row that does not belong to the slice that is being replaced."""
    if interval is None:
        return
    column, (start, end) = interval
    for i, output in enumerate(outputs):
        if output.target.name == column:
            within = f"__v{i} >= {literal(start.isoformat())} AND __v{i} < {literal(end.isoformat())}"
            yield _Fault(f"NOT coalesce({within}, false)", output, Reason.OUTSIDE_INTERVAL, f"__v{i}")


def _struct(names: Sequence[str], values: Sequence[str]) -> str:
    quoted = [value if value.startswith("__v") else identifier(value) for value in values]
    fields = ", ".join(f"{identifier(name)} := {value}" for name, value in zip(names, quoted, strict=True))
    return f"struct_pack({fields})"


def _validator(schema: JsonSchema | None) -> Callable[[Any], tuple[str, str | None] | None] | None:
    """A function that says what is wrong with a row, and in which column, by JSON Schema."""
    if schema is None:
        return None
    from windlass.connectors.json_schema import compiled

    return compiled(schema)
