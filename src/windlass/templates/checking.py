"""Whether a template takes names that there are."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime

from msgspec import Struct, field

from windlass.errors import Code, did_you_mean, near_word
from windlass.templates.errors import TemplateError
from windlass.templates.reading import EACH, RUN_TIME_NAMES, Segment, analysed

__all__ = ["Names", "Uses", "check"]

_DATES = ("logical_date", "data_interval_start", "data_interval_end")
_SERVICE_ATTRIBUTES = ("url", "host", "port")
_TASK_ATTRIBUTES = ("path",)


class Names(Struct, frozen=True):
    """The names a template of one pipeline may use."""

    params: Mapping[str, object]
    services: frozenset[str]
    tasks: frozenset[str]
    params_at_run: bool = False
    """Whether params are left open too, for a scheduler that knows them only when a run begins."""

    near: Callable[[str, Collection[str]], str | None] = did_you_mean
    """Finds what may have been meant instead of an unknown name."""

    each: bool = False
    """Whether there is an entry of `for_each`, which only a run knows."""

    @property
    def at_compile_time(self) -> frozenset[str]:
        return frozenset() if self.params_at_run else frozenset({"params"})


class Uses(Struct):
    """Which services and tasks the templates of one task were seen to name."""

    services: set[str] = field(default_factory=set)
    tasks: set[str] = field(default_factory=set)


def check(segments: Sequence[Segment], names: Names, uses: Uses) -> None:
    """Raise TemplateError for the names that nobody has."""
    analyses = [analysed(segment.text) for segment in segments if segment.is_expression]
    known = {*RUN_TIME_NAMES, "params", "services", "tasks", *([EACH] if names.each else [])}
    wrong = [
        TemplateError(
            f"unknown template name {name!r}", _meant(name, names, known), Code.UNKNOWN_TEMPLATE_NAME
        )
        for name in sorted({name for analysis in analyses for name in analysis.undeclared} - known)
    ]
    for base, path in (named for analysis in analyses for named in analysis.paths):
        try:
            _check_attribute(base, path, names, uses)
        except TemplateError as exc:
            wrong.append(exc)
    for bare in dict.fromkeys(analysis.bare for analysis in analyses if analysis.bare):
        wrong.append(TemplateError(f"{bare!r} needs a name and an attribute, such as {bare}.NAME.path"))
    if wrong:
        raise TemplateError(str(wrong[0]), wrong[0].hint, wrong[0].code, wrong[1:])


def _meant(name: str, names: Names, known: Collection[str]) -> str | None:
    return "it is an entry of `for_each`, which is not there" if name == EACH else names.near(name, known)


def _check_attribute(base: str, path: tuple[str, ...], names: Names, uses: Uses) -> None:
    if base == "params" and path[0] not in names.params:
        hint = names.near(path[0], names.params)
        raise TemplateError(f"unknown parameter {path[0]!r}", hint, Code.UNKNOWN_PARAMETER)
    if base in _DATES and path[0] and not hasattr(datetime, path[0]):
        hint = names.near(path[0], dir(datetime))
        raise TemplateError(f"{base} has no attribute {path[0]!r}", hint, Code.UNKNOWN_TEMPLATE_NAME)
    if base == "services":
        if path[0] not in names.services:
            hint = names.near(path[0], names.services)
            raise TemplateError(f"unknown service {path[0]!r}", hint, Code.UNKNOWN_TEMPLATE_NAME)
        _check_last(path, _SERVICE_ATTRIBUTES, "a service")
        uses.services.add(path[0])
    if base == "tasks":
        if path[0] not in names.tasks:
            hint = names.near(path[0], names.tasks)
            raise TemplateError(f"unknown task {path[0]!r}", hint, Code.UNKNOWN_TEMPLATE_NAME)
        _check_last(path, _TASK_ATTRIBUTES, "a task")
        uses.tasks.add(path[0])


def _check_last(path: tuple[str, ...], known: tuple[str, ...], owner: str) -> None:
    if len(path) < 2 or path[1] not in known:
        got = f", not {path[1]!r}" if len(path) > 1 else ""
        hint = near_word(path[1], known) if got else None
        raise TemplateError(f"{owner} has {', '.join(known)}{got}", hint, Code.UNKNOWN_TEMPLATE_NAME)
