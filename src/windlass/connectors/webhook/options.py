"""The keys of a webhook."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from windlass.connectors.options import ConnectionOptions

__all__ = ["NAMES", "Connection"]

NAMES = (
    *("title", "summary", "event", "project", "pipeline", "task", "subject", "incident", "run_id"),
    *("logical_date", "told", "text", "columns", "rows", "link", "since"),
)
"""What its template may name."""


class Connection(ConnectionOptions):
    """Whatever takes JSON over HTTP."""

    method: Literal["POST", "PUT"] = "POST"
    """How it is sent."""

    body: Any = None
    """The JSON that is sent, in any shape. Texts in it are templates, which know `title`, `summary`, `event`, `project`, `pipeline`,
    `task`, `subject`, `incident`, `run_id`, `logical_date`, `told`, `text`, `rows`, `link` and `since`; one that is a single
    expression keeps its type. Default: all of these."""

    def refusal(self) -> str | None:
        unknown = sorted({name for text in _texts(self.body) for name in _names_in(text)} - {*NAMES})
        if unknown:
            return f"`body` names {unknown[0]!r}; a message has {', '.join(NAMES)}"
        return None


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)


def _names_in(text: str) -> set[str]:
    """What a template names; nothing where it cannot be read, which is said when it is used."""
    from jinja2 import TemplateError, meta

    from windlass.templates.sandbox import environment

    try:
        return meta.find_undeclared_variables(environment().parse(text))
    except TemplateError:
        return set()
