"""Pipelines that start pipelines."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import BaseOperator

from .bundle import Json
from .run import HANDED_ON, filled, is_scheduled

__all__ = ["make"]

_LONGEST_RUN_ID = 250
_POKE_EVERY = 5


class WindlassTriggerOperator(TriggerDagRunOperator):
    """Starts the run of another pipeline: always the same run, however often it is tried or cleared."""

    template_fields = ()

    job: Json

    def execute(self, context: Any) -> None:
        run = context["dag_run"]
        self.trigger_run_id = _triggered_run_id(self.job, run)
        self.logical_date = run.logical_date if is_scheduled(run) else None
        given = filled(self.job["action"]["params"], self.job, context, self.get_template_env())
        wanted = self.job["expects"]
        self.conf = {name: _like(wanted.get(name), value) for name, value in given.items()}
        super().execute(context)


def _triggered_run_id(job: Json, run: Any) -> str:
    """The id of the run that a task starts: it says by whom, and has the length that Airflow allows."""
    prefix = HANDED_ON if is_scheduled(run) else "windlass_triggered__"
    name = f"{prefix}{job['pipeline']}.{job['task']}__"
    digest = hashlib.sha256(run.run_id.encode()).hexdigest()[:16]
    return name + (run.run_id if len(name) + len(run.run_id) <= _LONGEST_RUN_ID else digest)


def _like(default: Any, value: Any) -> Any:
    """The value of a parameter as its default's type; text for another type means what YAML would make of it."""
    if isinstance(value, str) and not isinstance(default, str):
        with suppress(ValueError):
            value = json.loads(value.lower())
    return float(value) if isinstance(default, float) and type(value) is int else value


def make(role: str, job: Json, common: Json) -> BaseOperator:
    """The operator of a `trigger`; it has no other role than `task`."""
    assert role == "task"
    action = job["action"]
    return WindlassTriggerOperator(
        trigger_dag_id=action["pipeline"],
        wait_for_completion=action.get("wait", True),
        reset_dag_run=True,
        poke_interval=_POKE_EVERY,
        **common,
    )
