"""What a task demands of the rows that it moves or looks at, in words."""

from __future__ import annotations

from collections.abc import Iterator

from windlass.plan.model import Action, Check, ColumnRules, Copy, Notify
from windlass.units import duration

__all__ = ["rules_of"]


def rules_of(action: Action) -> tuple[str, ...]:
    """A sentence for each rule, in the order in which they are tried."""
    if isinstance(action, Copy):
        return tuple(_of_copy(action))
    if isinstance(action, Check):
        return tuple(_of_check(action))
    if isinstance(action, Notify) and action.has_rows:
        return (f"when {action.when}",)
    return ()


def _of_copy(copy: Copy) -> Iterator[str]:
    for column, rules in copy.validate.columns.items():
        for text in _of_column(rules):
            yield f"{column} {text}"
    if copy.validate.json_schema is not None:
        yield "rows match a JSON Schema"
    if copy.on_bad_row == "quarantine":
        most = f", {copy.max_bad_rows} at most" if copy.max_bad_rows is not None else ""
        yield f"bad rows are quarantined{most}"
    if copy.incremental is not None:
        yield "only new rows" + (f", by {copy.incremental.cursor}" if copy.incremental.cursor else "")
    if copy.on_new_column != "fail":
        yield f"new columns: {copy.on_new_column}"


def _of_column(rules: ColumnRules) -> Iterator[str]:
    if rules.not_null:
        yield "is not NULL"
    if rules.min is not None:
        yield f"≥ {rules.min}"
    if rules.max is not None:
        yield f"≤ {rules.max}"
    if rules.accepted is not None:
        yield f"is one of {_listed(rules.accepted)}"
    if rules.pattern is not None:
        yield f"matches {rules.pattern}"
    if rules.max_length is not None:
        yield f"has {rules.max_length} characters at most"


def _of_check(check: Check) -> Iterator[str]:
    if check.rows is not None:
        bounds = (("exactly", check.rows.exactly), ("at least", check.rows.min), ("at most", check.rows.max))
        yield "rows: " + " and ".join(f"{word} {bound:,}" for word, bound in bounds if bound is not None)
    for columns in check.unique:
        yield f"{', '.join(columns)} is unique"
    for column in check.not_null:
        yield f"{column} is not NULL"
    for column, values in check.accepted.items():
        yield f"{column} is one of {_listed(values)}"
    if check.freshness is not None:
        yield f"{check.freshness.column} within {duration(check.freshness.within)}"
    yield from check.expressions
    if check.json_schema is not None:
        yield "rows match a JSON Schema"


def _listed(values: tuple[str | int | float | bool, ...]) -> str:
    return ", ".join(map(str, values))
