"""The rows of a copy on their way: selected, cast, checked, and split into good and bad.

Everything that can be said in SQL is done by the scratch database, column by column. A row with a
fault carries a small JSON text that says which fault and what value; only such rows are ever looked at
one by one.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from windlass.connectors.rows import BadRow, Counts, MisfitError, Reason, record_of
from windlass.connectors.scratch import Scratch, as_arrow, identifier, literal
from windlass.connectors.source import IntervalOf, Relation
from windlass.engine.faults import Fault, Output, all_faults
from windlass.engine.quarantine import Quarantine
from windlass.errors import WindlassError
from windlass.plan.model import JsonSchema

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["RowStream"]

_FAULT, _RECORD, _OUTPUT = "__windlass_fault", "__windlass_record", "__windlass_output"
_MARK = "windlass-fault:"


class RowStream:
    """The rows of one relation, made to fit one destination. Implements `Rows`."""

    def __init__(
        self,
        relation: Relation,
        scratch: Scratch,
        outputs: Sequence[Output],
        quarantine: Quarantine,
        counts: Counts,
        *,
        forbids_nul: bool = False,
        json_schema: JsonSchema | None = None,
        interval: IntervalOf | None = None,
    ) -> None:
        self.columns = [output.target for output in outputs]
        self.quarantines = not quarantine.fail
        self._relation, self._scratch, self._outputs = relation, scratch, outputs
        self._quarantine, self._counts = quarantine, counts
        self._faults = all_faults(relation.faults(), outputs, forbids_nul=forbids_nul, interval=interval)
        self._schema_error = _validator(json_schema)
        self._good_before_bad: list[int] = []  # for each bad row: how many good ones came before it

    def query(self) -> str | None:
        """SQL for the good rows if all are good; it fails at the first bad one. None when there is none."""
        if self._schema_error is not None:
            return None
        if not self._faults:
            return self._unchecked()
        first = f"CASE WHEN {_FAULT} IS NULL THEN __windlass_v0 ELSE error({literal(_MARK)} || {_FAULT}) END"
        others = [f"__windlass_v{i}" for i in range(1, len(self._outputs))]
        return f"SELECT {self._named([first, *others])} FROM ({self._checked()})"

    def found_bad_row(self, error: WindlassError) -> bool:
        """Whether the error is that of `query` for a bad row. Raises MisfitError if only a guess was wrong."""
        found = error.message.find(_MARK)
        if found < 0:
            return False
        details, _ = json.JSONDecoder().raw_decode(error.message, found + len(_MARK))
        self._raise_misfit(self._faults[details["fault"]], details["value"])
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
        row.ordinal = position + bisect_right(self._good_before_bad, position)
        self._quarantine.add([row])

    # --- SQL ---

    def _unchecked(self) -> str:
        values = self._named([output.value for output in self._outputs])
        return f"SELECT {values} FROM {self._relation.sql()}"

    def _checked(self) -> str:
        """The source's columns, the cast values, and the first fault of each row as JSON."""
        values = ", ".join(f"{output.value} AS __windlass_v{i}" for i, output in enumerate(self._outputs))
        cases = " ".join(
            f"WHEN {fault.test} THEN json_object('fault', {i}, 'value', CAST({fault.value} AS VARCHAR))"
            for i, fault in enumerate(self._faults)
        )
        fault = f"CASE {cases} END" if cases else "NULL::JSON"
        relation = self._relation.sql()
        return f"SELECT *, CAST({fault} AS VARCHAR) AS {_FAULT} FROM (SELECT *, {values} FROM {relation})"

    def _split_query(self) -> str:
        if not self._faults and self._schema_error is None:
            values = [as_arrow(output.target.type, output.value) for output in self._outputs]
            return f"SELECT {self._named(values)} FROM {self._relation.sql()}"
        values = [f"__windlass_v{i}" for i in range(len(self._outputs))]
        sources = [output.source.name for output in self._outputs]
        record = self._relation.record() or f"to_json({_struct(sources, map(identifier, sources))})"
        wanted = f"{_FAULT} IS NOT NULL" if self._schema_error is None else "TRUE"
        travelling = [as_arrow(o.target.type, v) for o, v in zip(self._outputs, values, strict=True)]
        columns = f"{self._named(travelling)}, {_FAULT}, CASE WHEN {wanted} THEN {record} END AS {_RECORD}"
        if self._schema_error is not None:
            seen = [output.as_data(value) for output, value in zip(self._outputs, values, strict=True)]
            output = _struct([output.target.name for output in self._outputs], seen)
            columns += f", to_json({output}) AS {_OUTPUT}"
        return f"SELECT {columns} FROM ({self._checked()})"

    def _named(self, values: Sequence[str]) -> str:
        names = [identifier(output.target.name) for output in self._outputs]
        return ", ".join(f"{value} AS {name}" for value, name in zip(values, names, strict=True))

    # --- Arrow ---

    def _good_part(self, batch: pa.RecordBatch, first_ordinal: int) -> pa.RecordBatch:
        if _FAULT not in batch.schema.names:
            return batch
        bad = self._bad_rows(batch, first_ordinal)
        good = batch.select([column.name for column in self.columns])
        if not bad:
            return good
        import pyarrow as pa

        self._quarantine.add(bad.values())
        for ordinal in bad:
            self._good_before_bad.append(ordinal - len(self._good_before_bad))
        keep = [first_ordinal + i not in bad for i in range(batch.num_rows)]
        return good.filter(pa.array(keep))

    def _bad_rows(self, batch: pa.RecordBatch, first_ordinal: int) -> dict[int, BadRow]:
        """The bad rows of a batch by their ordinals, in order."""
        faults, records = batch[_FAULT], batch[_RECORD]
        bad: dict[int, BadRow] = {}
        if faults.null_count < batch.num_rows:
            for i, text in enumerate(faults.to_pylist()):
                if text is not None:
                    bad[first_ordinal + i] = self._bad_row(
                        json.loads(text), records[i].as_py(), first_ordinal + i
                    )
        if self._schema_error is not None:
            for i, text in enumerate(batch[_OUTPUT].to_pylist()):
                wrong = self._schema_error(json.loads(text))
                if wrong is not None and first_ordinal + i not in bad:
                    bad[first_ordinal + i] = BadRow(
                        Reason.JSON_SCHEMA, *wrong, ordinal=first_ordinal + i, **_kept(records[i].as_py())
                    )
        return dict(sorted(bad.items()))

    def _bad_row(self, found: dict[str, Any], record: str | None, ordinal: int) -> BadRow:
        fault, value = self._faults[found["fault"]], found["value"]
        self._raise_misfit(fault, value)
        if fault.output is None:  # read as an object, the record would not be the same any more
            return BadRow(fault.reason, fault.says(value), raw=record, ordinal=ordinal)
        return BadRow(fault.reason, fault.says(value), fault.column, value, ordinal=ordinal, **_kept(record))

    def _raise_misfit(self, fault: Fault, value: str | None) -> None:
        if fault.is_misfit:
            raise MisfitError(fault.says(value) + (", the type of a sample" if fault.output else ""))


def _kept(record: str | None) -> dict[str, Any]:
    """A record as the quarantine keeps it: as text if it is too deep to be taken apart."""
    if record is None:
        return {}
    try:
        return {"record": record_of(record)}
    except RecursionError:
        return {"raw": record}


def _struct(names: Sequence[str], values: Iterable[str]) -> str:
    fields = ", ".join(f"{identifier(name)} := {value}" for name, value in zip(names, values, strict=True))
    return f"struct_pack({fields})"


def _validator(schema: JsonSchema | None) -> Callable[[Any], tuple[str, str | None] | None] | None:
    """A function that says what is wrong with a row, and in which column, by JSON Schema."""
    if schema is None:
        return None
    from windlass.connectors.json_schema import compiled

    return compiled(schema)
