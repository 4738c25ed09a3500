"""Which column of a source goes into which column of a destination: by name, and by `select`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from windlass.connectors.rows import Column
from windlass.errors import Code, FatalError, did_you_mean
from windlass.plan.model import ColumnRules, Copy, Destination

__all__ = ["Match", "alike", "called", "match_columns"]


@dataclass(frozen=True)
class Match:
    """A column that is copied: its name at the source, the type that `select` gives it, and where it goes."""

    source: str
    name: str
    type: str | None
    target: Column | None
    """None where the destination gets the column only now."""

    rules: ColumnRules


def alike(names: Sequence[str]) -> list[str]:
    """Those of the names that DuckDB takes for the same as another one: they differ only in case, or not at all.

    >>> alike(["id", "name", "Name"])
    ['name', 'Name']
    """
    counts = Counter(name.lower() for name in names)
    return [name for name in names if counts[name.lower()] > 1]


def called(destination: Destination) -> str:
    """What messages call a destination: by its table, file, or whatever else has the rows."""
    name = destination.path or destination.rows_in
    return f"the destination {name!r}" if name is not None else "the destination"


def match_columns(copy: Copy, source: Sequence[str], target: Sequence[Column] | None) -> list[Match]:
    """The columns to copy. `target` is what the destination has, None when it will be made.

    A column that the destination generates is left to it. Raises FatalError for a name that either end
    does not have, for a value that the destination needs and nobody brings, and for an unused rule.
    """
    rules = dict(copy.validate.columns)
    matches = []
    for origin, name, kind in _picked(copy, source):
        column = None if target is None else _find(name, target, copy)
        if column is None and target is not None and copy.on_new_column == "ignore":
            continue
        if column is None or not column.generated:
            wanted = column.name if column else name
            matches.append(Match(origin, wanted, kind, column, rules.pop(wanted, ColumnRules())))
    _check_unused_rules(rules, matches)
    _check_required(matches, target or (), copy)
    if copy.on_missing_column == "fail":
        _check_missing(matches, target or ())
    return matches


def _picked(copy: Copy, source: Sequence[str]) -> Iterable[tuple[str, str, str | None]]:
    if not copy.select:
        return [(name, name, None) for name in source]
    for column in copy.select:
        if column.source not in source:
            hint = did_you_mean(column.source, source)
            raise FatalError(
                f"`select` names {column.source!r}, which the source does not have",
                hint=hint,
                code=Code.NO_COLUMN,
            )
    return [(column.source, column.name, column.type) for column in copy.select]


def _find(name: str, target: Sequence[Column], copy: Copy) -> Column | None:
    """The column of that name; failing that, the only one that differs just in case. None where it may be new."""
    for column in target:
        if column.name == name:
            return column
    found = [column for column in target if column.name.lower() == name.lower()]
    if len(found) == 1:
        return found[0]
    if copy.on_new_column == "add" or (copy.on_new_column == "ignore" and not copy.select):
        return None
    hint = did_you_mean(name, [column.name for column in target]) or ""
    raise FatalError(
        f"{called(copy.destination)} has no column {name!r}",
        hint=f"{hint} (pick columns with `select`, or have it added: `on_new_column: add`)".strip(),
        code=Code.NO_COLUMN,
    )


def _check_required(matches: Sequence[Match], target: Sequence[Column], copy: Copy) -> None:
    given = {match.name for match in matches}
    missing = [column.name for column in target if column.required and column.name not in given]
    if missing:
        names = ", ".join(map(repr, missing))
        where = called(copy.destination)
        raise FatalError(f"{where} needs a value for {names}, and the source has no such column")


def _check_missing(matches: Sequence[Match], target: Sequence[Column]) -> None:
    given = {match.name for match in matches}
    missing = [c.name for c in target if not c.generated and c.name not in given]
    if missing:
        names = ", ".join(map(repr, missing))
        hint = "it may have lost or renamed them; `on_missing_column: null` loads without them"
        raise FatalError(f"the source has no column {names}", hint=hint, code=Code.NO_COLUMN)


def _check_unused_rules(rules: dict[str, ColumnRules], matches: Sequence[Match]) -> None:
    for name in rules:
        hint = did_you_mean(name, [match.name for match in matches])
        raise FatalError(
            f"`validate` names a column {name!r} that is not copied", hint=hint, code=Code.NO_COLUMN
        )
