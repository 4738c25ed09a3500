"""Templates: sandboxed Jinja with Airflow's names, evaluated as far as compile time allows.

`params` is known when a pipeline is compiled, the other names only when it runs. So an expression
that needs only `params` is replaced by its value, and the rest stays behind as a template that every
target can express. A value that happens to contain `{{` becomes an expression that gives it: whatever string
a plan holds, rendering it once more gives what was meant.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from windlass.errors import FatalError
from windlass.templates.budget import within_budget
from windlass.templates.checking import Names, Uses, check
from windlass.templates.errors import TemplateError
from windlass.templates.reading import Segment, analysed, is_template, segments_of
from windlass.templates.values import as_part, as_text, protected, value_of

__all__ = ["evaluate", "pattern", "render", "variables"]


def evaluate(text: str, names: Names, uses: Uses) -> object:
    """Evaluate what `params` allows. Text that is one single expression keeps its value's type.

    What was evaluated is returned as text in which nothing is left to render; what was not, as a
    template. Raises TemplateError.
    """
    if not is_template(text):
        return text
    segments = segments_of(text)
    check(segments, names, uses)
    with within_budget():
        if len(segments) == 1 and segments[0].is_expression and not _is_open(segments[0], names):
            return protected(_scalar(value_of(segments[0].text, {"params": names.params})))
        return "".join(_partly(segment, names) for segment in segments)


def _partly(segment: Segment, names: Names) -> str:
    """The segment as text of a plan: an expression that needs more than `params` stays one."""
    if not segment.is_expression:
        return segment.text
    if _is_open(segment, names):
        return "{{" + segment.text + "}}"
    return as_part(value_of(segment.text, {"params": names.params}))


def _is_open(expression: Segment, names: Names) -> bool:
    """Whether it needs run-time names."""
    return bool(analysed(expression.text).undeclared - names.at_compile_time)


def _scalar(value: object) -> object:
    return value if isinstance(value, str | int | float | None) else str(value)


def render(text: str, known: Mapping[str, object]) -> str:
    """Render a string of a plan with the run's `variables`. Raises FatalError."""
    if not is_template(text):
        return text
    try:
        return _render(text, known)
    except TemplateError as exc:
        raise FatalError(f"cannot render {text!r}: {exc}", hint=exc.hint, code=exc.code) from exc


def _render(text: str, known: Mapping[str, object]) -> str:
    """The text with its expressions evaluated; what stands between them stays as it is."""
    with within_budget():
        parts = (as_text(value_of(s.text, known)) if s.is_expression else s.text for s in segments_of(text))
        return "".join(parts)


def variables(
    *,
    run_id: str,
    logical_date: datetime,
    interval: tuple[datetime, datetime],
    params: Mapping[str, object],
    services: Mapping[str, Mapping[str, object]],
    paths: Mapping[str, str],
) -> dict[str, object]:
    """What the templates of a task may use. Same names, same meaning, same format as in Airflow.

    `paths` are templates themselves, of the task in the plan. Raises FatalError.
    """
    tasks: dict[str, dict[str, str]] = {}
    known = {
        "ds": logical_date.strftime("%Y-%m-%d"),
        "ts": logical_date.isoformat(),
        "logical_date": logical_date,
        "data_interval_start": interval[0],
        "data_interval_end": interval[1],
        "run_id": run_id,
        "params": params,
        "services": services,
        "tasks": tasks,
    }
    for name, path in paths.items():
        tasks[name] = {"path": render(path, known)}
    return known


def pattern(text: str, known: Mapping[str, object]) -> str:
    """A string of a plan with a `*` for each part that takes more than the `known` names."""
    if not is_template(text):
        return text
    with within_budget():
        return "".join(_known_part(s.text, known) if s.is_expression else s.text for s in segments_of(text))


def _known_part(expression: str, known: Mapping[str, object]) -> str:
    try:
        is_known = analysed(expression).undeclared <= known.keys()
        return as_text(value_of(expression, known)) if is_known else "*"
    except TemplateError:  # such as the path of a task that has none
        return "*"
