"""What a task finds around it: its run, its services, its connections; and its templates filled in."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from .bundle import Json

__all__ = ["HANDED_ON", "filled", "is_scheduled", "observed", "run_environment", "traced", "utc"]

HANDED_ON = "windlass_handed_on__"  # how the id begins of a run that got its logical date from another
_SINGLE = re.compile(
    r"\{\{(?![-+])((?:(?!\}\}|\{\{).)*)(?<![-+])\}\}", re.DOTALL
)  # text that is one expression

_CR = "\0r"  # stands for a carriage return, of which Jinja would make a line feed; no text has a NUL
# `{%` and `{#` are text, as shells have them: what begins a statement or a comment has a character that no text has
_ONLY_EXPRESSIONS = {
    "block_start_string": "\0{%",
    "block_end_string": "%}\0",
    "comment_start_string": "\0{#",
    "comment_end_string": "#}\0",
}


def run_environment(job: Json, context: Mapping[str, Any]) -> dict[str, str]:
    """What every step finds in its environment, in every language and under every scheduler."""
    run = context["dag_run"]
    logical = utc(run.logical_date or run.run_after)
    found = {
        "WINDLASS_RUN_ID": run.run_id,
        "WINDLASS_RUN_KEY": logical if is_scheduled(run) else run.run_id,
        "WINDLASS_LOGICAL_DATE": logical,
        "WINDLASS_ATTEMPT": str(context["ti"].try_number),
        "WINDLASS_SERVICES": json.dumps(_services(job, context)),
        "WINDLASS_PARAMS": json.dumps({name: context["params"].get(name) for name in job["params"]}),
    }
    if job.get("entry"):
        found["WINDLASS_ENTRY"] = job["entry"]
    if job.get("messages"):
        found["WINDLASS_MESSAGES"] = json.dumps(job["messages"])
    # a run that was handed its date has another interval in Airflow; without one, windlass works it out
    if run.data_interval_start is not None and not _is_handed_on(run):
        found["WINDLASS_DATA_INTERVAL_START"] = utc(run.data_interval_start)
        found["WINDLASS_DATA_INTERVAL_END"] = utc(run.data_interval_end)
    return found


def traced() -> dict[str, str]:
    """The trace that the worker is part of. Nothing in it is secret."""
    return {name: os.environ[name] for name in ("TRACEPARENT", "TRACESTATE") if os.environ.get(name)}


def observed() -> dict[str, str]:
    """Where the worker says that traces, metrics and lineage go; headers and keys among it are secret."""
    return {name: value for name, value in os.environ.items() if name.startswith(("OTEL_", "OPENLINEAGE_"))}


def is_scheduled(run: Any) -> bool:
    """Whether the run stands for its logical date, so that another run for that date is the same one."""
    return run.logical_date is not None and (
        str(getattr(run.run_type, "value", run.run_type)) in ("scheduled", "backfill") or _is_handed_on(run)
    )


def _is_handed_on(run: Any) -> bool:
    """Whether the run got its logical date from the scheduled run that triggered it."""
    return run.logical_date is not None and run.run_id.startswith(HANDED_ON)


def _moment(moment: datetime) -> datetime:
    """A plain `datetime`: Airflow's own kind is written differently."""
    return datetime.fromisoformat(moment.isoformat()).astimezone(UTC)


def utc(moment: datetime) -> str:
    return _moment(moment).isoformat()


def _services(job: Json, context: Mapping[str, Any]) -> Json:
    """Where the services are that the task uses: what their start task handed over."""
    pulled = {name: context["ti"].xcom_pull(task_ids=name) or {} for name in job["uses"]}
    return {name: result.get("address", {}) for name, result in pulled.items()}


def filled(value: Any, job: Json, context: Mapping[str, Any], environment: Any) -> Any:
    """The value with every template in it filled in, with windlass's names; a single expression keeps its type."""
    known = _names(job, context)
    jinja = environment.overlay(
        **_ONLY_EXPRESSIONS, keep_trailing_newline=True, finalize=lambda v: "" if v is None else v
    )

    def fill(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: fill(item) for key, item in value.items()}
        if isinstance(value, list):
            return [fill(item) for item in value]
        if not isinstance(value, str) or "{{" not in value:
            return value
        if single := _SINGLE.fullmatch(value):
            return jinja.compile_expression(single[1], undefined_to_none=False)(**known)
        return jinja.from_string(value.replace("\r", _CR)).render(known).replace(_CR, "\r")

    known["tasks"] = {}
    for name, path in job["paths"].items():  # each comes after those that it is made of
        known["tasks"][name] = {"path": fill(path)}
    return fill(value)


def _names(job: Json, context: Mapping[str, Any]) -> Json:
    run = context["dag_run"]
    logical = _moment(run.logical_date or run.run_after)
    each = {"each": json.loads(job["entry"])["value"]} if job.get("entry") else {}
    return {
        **each,
        "ds": logical.strftime("%Y-%m-%d"),
        "ts": logical.isoformat(),
        "logical_date": logical,
        "data_interval_start": _moment(run.data_interval_start or logical),
        "data_interval_end": _moment(run.data_interval_end or logical),
        "run_id": run.run_id,
        "params": context["params"],
        "services": _services(job, context),
    }
