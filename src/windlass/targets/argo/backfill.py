"""The runs of a range of dates as workflows, one an interval, in the order of their dates."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from windlass.targets.argo.workflow import FIRED_AT, PARAMS, workflow_of
from windlass.targets.pods.exported import ExportedPipeline
from windlass.targets.pods.names import dns_name
from windlass.targets.pods.settings import Json

__all__ = ["backfill_of"]


def backfill_of(
    pipeline: ExportedPipeline,
    account: str | None,
    starts: Sequence[datetime],
    params: Mapping[str, object],
    parallel: int,
) -> list[Json]:
    """The plan, and a workflow for each time at which the scheduler would have started one.

    They wait for each other at a mutex, which Argo hands on in the order in which they were made: with more than one, as
    many go on at once.
    """
    plan_map, spec = workflow_of(pipeline, account)
    workflows = [
        _workflow(pipeline, spec, start, params, f"{pipeline.name}-backfill-{number % parallel}")
        for number, start in enumerate(starts)
    ]
    return [plan_map, *workflows]


def _workflow(
    pipeline: ExportedPipeline, spec: Json, start: datetime, params: Mapping[str, object], mutex: str
) -> Json:
    given = {FIRED_AT: start.isoformat(), PARAMS: json.dumps(dict(params), sort_keys=True)}
    own = {
        "arguments": {"parameters": [{"name": name, "value": value} for name, value in given.items()]},
        "synchronization": {"mutexes": [{"name": mutex}]},
    }
    # of a date it is the same workflow, however often it is applied
    name = dns_name(f"{pipeline.name}-{start:%Y%m%dt%H%M}")
    one = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"name": name}}
    return pipeline.named({**one, "spec": spec | own})
