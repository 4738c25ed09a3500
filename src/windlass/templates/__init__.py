"""Templates in pipeline files: what they may say, take and mean, when a file is read, compiled and run."""

from windlass.templates.evaluating import (
    RUN_TIME_NAMES,
    Names,
    TemplateError,
    Uses,
    evaluate,
    filled,
    is_template,
    names_in,
    pattern,
    render,
    tasks_in,
    variables,
)

__all__ = [
    "RUN_TIME_NAMES",
    "Names",
    "TemplateError",
    "Uses",
    "evaluate",
    "filled",
    "is_template",
    "names_in",
    "pattern",
    "render",
    "tasks_in",
    "variables",
]
