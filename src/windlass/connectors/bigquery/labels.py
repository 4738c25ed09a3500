"""What a job is labelled with, so that a bill tells which pipeline it is for.

https://cloud.google.com/bigquery/docs/labels-intro#requirements
"""

from __future__ import annotations

import os
import re

from windlass import logs

__all__ = ["labels"]

_LONGEST = 63


def labels() -> dict[str, str]:
    """The labels of a job of the task that this process executes."""
    known = logs.bound()
    said = {
        "windlass_pipeline": known.get("pipeline"),
        "windlass_task": known.get("task"),
        "windlass_run": os.environ.get("WINDLASS_RUN_ID"),
        "windlass_run_key": os.environ.get("WINDLASS_RUN_KEY"),
    }
    return {"windlass": "1"} | {name: _value(str(value)) for name, value in said.items() if value}


def _value(text: str) -> str:
    """The text with only what a label may have.

    >>> _value("2024-01-02T00:00:00+00:00")
    '2024-01-02t00_00_00_00_00'
    """
    return re.sub(r"[^a-z0-9_-]", "_", text.lower())[:_LONGEST]
