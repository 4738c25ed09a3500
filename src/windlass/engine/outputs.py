"""The columns that a copy produces: each made from one of the source's, to fit one of the destination's."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from windlass.connectors.destination import GrowingLoad, Load
from windlass.connectors.matching import Match, alike, called, match_columns
from windlass.connectors.rows import Column
from windlass.connectors.scratch import Scratch
from windlass.connectors.source import Relation
from windlass.engine.faults import Output
from windlass.engine.widening import widened
from windlass.errors import FatalError
from windlass.plan.model import Copy

__all__ = ["outputs_of"]

_TEXT_OF_LENGTH = re.compile(
    r"(?:n?(?:var|bp)?char|character|character varying|text|string)\s*\(\s*(\d+)\s*\)", re.IGNORECASE
)


def outputs_of(copy: Copy, relation: Relation, load: Load, scratch: Scratch) -> list[Output]:
    """The columns of the copy. Raises FatalError when the two ends do not match."""
    target = load.columns(scratch)
    found = relation.columns()
    columns = {column.name: column for column in found}
    if not columns:
        hint = "expected at least one record, with a name for each of its values"
        raise FatalError(f"{relation.name} has no columns", hint=hint)
    _check_names(columns)
    scratch.make_room(relation.name, len(columns))
    matches = match_columns(copy, list(columns), target)
    _check_alike(relation.name, [match.source for match in matches])
    _check_alike(called(copy.destination), [match.name for match in matches])
    outputs = [_output(match, columns[match.source], load, scratch) for match in matches]
    if target is not None and copy.on_type_change == "widen":
        outputs = widened(outputs, [_asked(match, scratch) for match in matches], relation, load, scratch)
    if target is not None:
        new = [o.target for o, match in zip(outputs, matches, strict=True) if match.target is None]
        _grow(load, new, called(copy.destination))
    return outputs


def _grow(load: Load, new: list[Column], destination: str) -> None:
    """Have the destination get the columns that it does not have."""
    if not new:
        return
    if not isinstance(load, GrowingLoad):
        names = ", ".join(repr(column.name) for column in new)
        hint = "`on_new_column: ignore` copies the others"
        raise FatalError(f"{destination} cannot be given columns, such as {names}", hint=hint)
    load.grow(new)


def _check_names(names: Iterable[str]) -> None:
    for name in names:
        if name.lower().startswith("__windlass_"):
            raise FatalError(f"a column is called {name!r}: names that begin with __windlass_ are taken")


def _check_alike(where: str, names: list[str]) -> None:
    """Raise FatalError for names that the scratch database would take for the same."""
    twice = dict.fromkeys(alike(names))
    if len(twice) > 1:
        shown = ", ".join(map(repr, twice))
        hint = "copy them one at a time with `select`, or give them other names in a `query`"
        raise FatalError(f"{where}: the columns {shown} differ only in case", hint=hint)


def _length(kind: str) -> int | None:
    """How many characters a type of text allows, as somebody wrote it: the scratch database has no such limit."""
    found = _TEXT_OF_LENGTH.fullmatch(kind.strip())
    return int(found[1]) if found else None


def _asked(match: Match, scratch: Scratch) -> Column | None:
    """The column of the type that `select` gives."""
    if match.type is None:
        return None
    return Column(match.name, scratch.normal_type(match.type), max_length=_length(match.type))


def _output(match: Match, column: Column, load: Load, scratch: Scratch) -> Output:
    is_asked = match.type is not None
    if match.target is not None:
        return Output(column, match.target, match.rules, is_asked=is_asked)
    if match.type is not None:
        wanted = Column(match.name, scratch.normal_type(match.type), trust="declared")
        stored = replace(load.storable(wanted), max_length=_length(match.type))
        return Output(replace(column, guess=wanted.type), stored, match.rules, is_asked=is_asked)
    trust = column.trust if column.guess is not None else "known"
    wanted = load.storable(Column(match.name, column.guess or column.type, trust=trust))
    is_declared = column.guess is None or wanted.trust == "declared"
    return Output(column, wanted, match.rules, "declared" if is_declared else column.trust)
