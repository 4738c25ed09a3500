"""The objects of one pipeline: its workflow, in what submits it, and the plan that its pods execute."""

from __future__ import annotations

import math

from windlass.targets.argo.belonging import Belonging
from windlass.targets.argo.template import ALARM, Templates
from windlass.targets.pods.exported import ExportedPipeline
from windlass.targets.pods.plan_file import config_map, volume
from windlass.targets.pods.schedule import cron_of
from windlass.targets.pods.settings import Json, pod_parts, said

__all__ = ["FIRED_AT", "PARAMS", "objects_of", "workflow_of"]

_API = "argoproj.io/v1alpha1"
_CONCURRENCY = {"forbid": "Forbid", "allow": "Allow", "replace": "Replace"}
FIRED_AT, PARAMS = "fired-at", "params"  # what a run is submitted with
_BY_HAND = "by-hand"  # in place of a tick
# of a pod, what a workflow has no words for, or needs itself
_NOT_OF_WORKFLOWS = ("enableServiceLinks", "automountServiceAccountToken")


def objects_of(pipeline: ExportedPipeline, account: str | None = None) -> list[Json]:
    """The objects, in the order to apply them in. `account` is that of pods for which the project names none."""
    plan = pipeline.plan
    plan_map, spec = workflow_of(pipeline, account)
    if plan.schedule == "none":
        owner = _object("WorkflowTemplate", spec)
    elif plan.schedule == "@once":
        owner = _object("Workflow", spec)
    else:  # it has all in itself: one that refers to a template is found wrong when it is there before that is
        owner = _object("CronWorkflow", _cron(pipeline, spec))
    return [plan_map, pipeline.named(owner)]


def workflow_of(pipeline: ExportedPipeline, account: str | None) -> tuple[Json, Json]:
    """The ConfigMap with the plan, and the spec of a workflow that goes by it."""
    plan = pipeline.plan
    plan_map = config_map(pipeline.name, plan.project, pipeline.open_plans_reached)
    spec = _spec(pipeline, plan_map["metadata"]["name"])
    if account is not None:
        spec.setdefault("serviceAccountName", account)
    return pipeline.named(plan_map), spec


def _spec(pipeline: ExportedPipeline, plan_map: str) -> Json:
    pods, kubernetes = pipeline.pods, pipeline.said.kubernetes
    limit = kubernetes.deadline or pipeline.plan.timeout
    parts = pod_parts(pods, volumes=[volume(plan_map)])
    volumes = parts.pop("volumes")
    claims = []
    if pods.workspace is None:  # pods of one run share nothing else
        volumes = [one for one in volumes if one["name"] != "workspace"]
        resources = {"requests": {"storage": kubernetes.workspace_size}}
        spec = {"accessModes": ["ReadWriteOnce"], "resources": resources}
        claims.append({"metadata": {"name": "workspace"}, "spec": spec})
    return said(
        {
            "entrypoint": "main",
            "arguments": {"parameters": _parameters(pipeline)},
            "onExit": ALARM if pipeline.plan.on_failure else None,
            "activeDeadlineSeconds": None if limit is None else math.ceil(limit),
            "podGC": {"strategy": "OnWorkflowSuccess"},
            "podMetadata": said({"labels": pipeline.labels | pods.labels, "annotations": pods.annotations}),
            **{key: value for key, value in parts.items() if key not in _NOT_OF_WORKFLOWS},
            "volumes": volumes,
            "volumeClaimTemplates": claims,
            "volumeClaimGC": {"strategy": "OnWorkflowCompletion"} if claims else None,
            "templates": Templates(pipeline, Belonging.to_workflow(pipeline.plan)).all(),
        }
    )


def _cron(pipeline: ExportedPipeline, workflow: Json) -> Json:
    plan, kubernetes = pipeline.plan, pipeline.said.kubernetes
    deadline = kubernetes.starting_deadline
    spec = {
        "schedules": [cron_of(plan.schedule)],
        "timezone": "Etc/UTC" if plan.timezone == "UTC" else plan.timezone,
        "concurrencyPolicy": _CONCURRENCY[plan.concurrency],
        "startingDeadlineSeconds": None if deadline is None else round(deadline),
        "suspend": kubernetes.suspend or None,
        "successfulJobsHistoryLimit": kubernetes.keep_succeeded,
        "failedJobsHistoryLimit": kubernetes.keep_failed,
        "workflowMetadata": {"labels": pipeline.labels},
        "workflowSpec": workflow,
    }
    return {key: value for key, value in spec.items() if value is not None}


def _parameters(pipeline: ExportedPipeline) -> list[Json]:
    """What a run is submitted with: the tick that it is for, and its parameters as a JSON object."""
    is_cron = pipeline.plan.schedule not in ("none", "@once")
    fired_at = "{{workflow.scheduledTime}}" if is_cron else _BY_HAND
    return [{"name": FIRED_AT, "value": fired_at}, {"name": PARAMS, "value": "{}"}]


def _object(kind: str, spec: Json) -> Json:
    return {"apiVersion": _API, "kind": kind, "spec": spec}
