"""The columns that a copy produces: each made from one of the source's, to fit one of the destination's."""

from __future__ import annotations

from collections.abc import Iterable

from windlass.connectors.destination import Load
from windlass.connectors.matching import Match, match_columns
from windlass.connectors.rows import Column
from windlass.connectors.scratch import Scratch
from windlass.connectors.source import Relation
from windlass.engine.faults import Output
from windlass.errors import FatalError
from windlass.plan.model import Copy

__all__ = ["outputs_of"]


def outputs_of(copy: Copy, relation: Relation, load: Load, scratch: Scratch) -> list[Output]:
    """The columns of the copy. Raises FatalError when the two ends do not match."""
    target = load.columns(scratch)
    found = relation.columns()
    columns = {column.name: column for column in found}
    if not columns:
        hint = "expected at least one record, with a name for each of its values"
        raise FatalError(f"{relation.name} has no columns", hint=hint)
    _check_names(columns)
    matches = match_columns(copy, list(columns), target)
    _check_alike(relation.name, [match.source for match in matches])
    _check_alike("the destination", [match.name for match in matches])
    return [_output(match, columns[match.source], load, scratch) for match in matches]


def _check_names(names: Iterable[str]) -> None:
    for name in names:
        if name.lower().startswith("__windlass_"):
            raise FatalError(f"a column is called {name!r}: names that begin with __windlass_ are taken")


def _check_alike(where: str, names: list[str]) -> None:
    """Raise FatalError for names that the scratch database would take for the same."""
    lower = [name.lower() for name in names]
    alike = [name for name in dict.fromkeys(names) if lower.count(name.lower()) > 1]
    if len(alike) > 1:
        shown = ", ".join(map(repr, alike))
        hint = "copy them one at a time with `select`, or give them other names in a `query`"
        raise FatalError(f"{where}: the columns {shown} differ only in case", hint=hint)


def _output(match: Match, column: Column, load: Load, scratch: Scratch) -> Output:
    if match.target is not None:
        return Output(column, match.target, match.rules)
    if match.type is not None:
        wanted = Column(match.name, scratch.normal_type(match.type), trust="declared")
        return Output(column, load.storable(wanted), match.rules)
    trust = column.trust if column.guess is not None else "known"
    wanted = load.storable(Column(match.name, column.guess or column.type, trust=trust))
    is_declared = column.guess is None or wanted.trust == "declared"
    return Output(column, wanted, match.rules, "declared" if is_declared else column.trust)
