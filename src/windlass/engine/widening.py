"""Columns of a destination that get a wider type, because their source's values have outgrown them.

Where the source says its types, the type decides. Where they were found in text, the values do: `7` fits an
`integer`, although numbers in text may be of any size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from windlass.connectors.destination import Load, WideningLoad
from windlass.connectors.rows import Column, MisfitError
from windlass.connectors.scratch import Scratch
from windlass.connectors.source import Relation
from windlass.engine.faults import Output, misfit_test

__all__ = ["widened"]


def widened(
    outputs: Sequence[Output],
    wanted: Sequence[Column | None],
    relation: Relation,
    load: Load,
    scratch: Scratch,
) -> list[Output]:
    """The outputs, each into a column that is as wide as it has to be; the load is told.

    `wanted` has for each the column of the type that somebody asked for; None where that is the source's. Raises
    MisfitError where values are not what a sample of them was.
    """
    if not isinstance(load, WideningLoad):
        return list(outputs)
    wider: dict[int, Output] = {}
    doubtful = set()
    for i, (output, asked) in enumerate(zip(outputs, wanted, strict=True)):
        target = load.wider(output.target, asked or _values(output.source))
        if target is not None:
            wider[i] = replace(output, target=target)
            if asked is None and _is_found_in_text(output.source):
                doubtful.add(i)
    if doubtful and relation.rereadable:
        for i in doubtful - _outgrown(outputs, wider, sorted(doubtful), relation, scratch):
            del wider[i]
    if wider:
        load.widen([output.target for output in wider.values()])
    return [wider.get(i, output) for i, output in enumerate(outputs)]


def _values(source: Column) -> Column:
    """A column of the type that its values have, also where they arrive as text."""
    if source.guess is None:
        return source
    is_number = (
        source.trust != "declared" and source.guess == "DOUBLE"
    )  # any number that is written in digits
    return replace(source, type=source.guess, guess=None, carries="number" if is_number else "")


def _is_found_in_text(source: Column) -> bool:
    return source.trust != "declared" and (source.guess is not None or source.type == "VARCHAR")


def _outgrown(
    outputs: Sequence[Output],
    wider: dict[int, Output],
    doubtful: Sequence[int],
    relation: Relation,
    scratch: Scratch,
) -> set[int]:
    """Which of these columns have a value that only the wider type takes."""
    values, found = [], []
    for i in doubtful:
        values += [f"{outputs[i].value} AS __windlass_v{i}", f"{wider[i].value} AS __windlass_w{i}"]
        refused = f"({misfit_test(outputs[i], f'__windlass_v{i}')})"
        still = f"coalesce({misfit_test(wider[i], f'__windlass_w{i}')}, false)"
        found += [f"bool_or({refused} AND NOT {still})", f"bool_or({refused} AND {still})"]
    rows = f"(SELECT *, {', '.join(values)} FROM {relation.sql()})"
    row = scratch.rows(f"SELECT {', '.join(found)} FROM {rows}")[0]
    for i, neither in zip(doubtful, row[1::2], strict=True):
        if neither and outputs[i].source.trust == "sampled":
            name = outputs[i].source.name
            raise MisfitError(
                f"column {name!r} has values that are not of {wider[i].target.type}, the type of a sample"
            )
    return {i for i, needed in zip(doubtful, row[::2], strict=True) if needed}
