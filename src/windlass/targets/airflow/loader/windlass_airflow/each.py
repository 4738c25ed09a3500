"""A task of each entry: one task lists them, one is mapped over them, and one stands for all.

Whatever waits for the task waits for the last of these. An entry travels as the text that windlass has written for it.
"""

from __future__ import annotations

import functools
import json
from typing import Any

from airflow.sdk import BaseOperator

from .bundle import Json

__all__ = ["listing", "mapped_each"]


def listing(job: Json) -> Json:
    """What the operator has to know that lists the entries: windlass does that, whatever the task is."""
    head, task = job["plan"]
    digest = job["unit"]["digest"]
    unit = {
        "own": True,
        "command": ["windlass", "exec", job["pipeline"], job["task"]],
        "container": {},
        "digest": digest,
    }
    return {**job, "kind": "entries", "unit": unit, "plan": (head, {**task, "unit": unit})}


def mapped_each(operator: type[BaseOperator], job: Json, arguments: Json) -> Any:
    """The tasks of the entries, one for each that the XCom in `entries` has, by a runtime's own operator."""
    arguments = dict(arguments)
    entries = arguments.pop("entries")
    named = "{{ task.entry_name }}"
    return _each_of(operator).partial(job=job, map_index_template=named, **arguments).expand(entry=entries)


@functools.cache
def _each_of(operator: type[BaseOperator]) -> Any:
    class EachOperator(operator):  # type: ignore[misc,valid-type]
        """Does what the task does, for one entry. It is told which one when it runs."""

        custom_operator_name = "each entry"

        def __init__(self, *, job: Json, entry: str, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.job = {**job, "entry": entry}

        @property
        def entry_name(self) -> str:
            return str(json.loads(self.job["entry"])["name"])

    EachOperator.__name__ = operator.__name__.replace("Operator", "EachOperator")
    return EachOperator
