"""Templates in pipeline files: what they may say, take and mean, when a file is read, compiled and run."""

from windlass.templates.checking import Names, Uses
from windlass.templates.entries import filled
from windlass.templates.errors import TemplateError
from windlass.templates.evaluating import evaluate, pattern, render, variables
from windlass.templates.reading import RUN_TIME_NAMES, is_template, names_in, tasks_in

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
