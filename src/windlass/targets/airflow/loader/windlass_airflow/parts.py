"""A copy in parts: one task lists them, one is mapped over them, and one stands for the copy as a whole.

Whatever waits for the copy, an asset that it writes included, waits for the last of these: a mapped task would
set them off with its first part.
"""

from __future__ import annotations

import functools
import json
from typing import Any

from airflow.sdk import BaseOperator

from .bundle import Json
from .lines import NUMBERS, note_assets, numbers
from .names import AirflowSkipException

__all__ = ["LISTS", "Whole", "WholeOfEach", "mapped"]

LISTS = {"split": ("--parts",), "entries": ("--entries",)}
"""What windlass is told that lists what a task is mapped over."""


def mapped(operator: type[BaseOperator], job: Json, arguments: Json) -> Any:
    """The tasks of a copy's parts, one for each that the XCom in `parts` has, by a runtime's own operator."""
    arguments = dict(arguments)
    parts = arguments.pop("parts")
    named = "{{ task.part['part'] or 'all' }}"
    return _part_of(operator).partial(job=job, map_index_template=named, **arguments).expand(part=parts)


@functools.cache
def _part_of(operator: type[BaseOperator]) -> Any:
    class PartOperator(operator):  # type: ignore[misc,valid-type]
        """Copies one part. It is told which one when it runs."""

        custom_operator_name = "copy part"

        def __init__(self, *, job: Json, part: Json, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.job, self.part = job, part

        @property
        def options(self) -> tuple[str, ...]:
            # Kubernetes would fill in `$(NAME)`, which a bound that is text may say
            return "--part", json.dumps(self.part).replace("$", "\\u0024")

    PartOperator.__name__ = operator.__name__.replace("Operator", "PartOperator")
    return PartOperator


class Whole(BaseOperator):
    """Stands for a copy whose parts are done: has its name, its numbers and its assets."""

    job: Json
    _over = "__part"

    def execute(self, context: Any) -> Json:
        pulled = context["ti"].xcom_pull(task_ids=f"{self.task_id}{self._over}")
        done = [one for one in (pulled if isinstance(pulled, list) else [pulled]) if one]
        summary: Json = {
            name: sum(part.get(name, 0) for part in done)
            for name in NUMBERS
            if any(name in part for part in done)
        }
        summary |= {"path": " / ".join(sorted({part["path"] for part in done if part.get("path")}))}
        self.log.info("%s %s", self._counted(done, context), numbers(summary))
        note_assets(context, self.outlets, summary)
        return summary

    def _counted(self, done: list[Any], _: Any) -> str:
        return f"{len(done)} parts"


class WholeOfEach(Whole):
    """Stands for the tasks of all entries."""

    _over = "__each"

    def execute(self, context: Any) -> Json:
        if self._entries(context) is None:
            raise AirflowSkipException("there was nothing to list its entries for")
        return super().execute(context)

    def _entries(self, context: Any) -> Any:
        return context["ti"].xcom_pull(task_ids=f"{self.task_id}__entries")

    def _counted(self, done: list[Any], context: Any) -> str:
        return f"{len(self._entries(context))} entries"
