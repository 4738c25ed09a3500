"""The objects of one pipeline: a WorkflowTemplate, what submits it, and the plan that its pods execute."""

from __future__ import annotations

from windlass.targets.argo.template import ALARM, Templates
from windlass.targets.pods.exported import ExportedPipeline
from windlass.targets.pods.plan_file import config_map, volume
from windlass.targets.pods.schedule import cron_of
from windlass.targets.pods.settings import Json, pod_parts, said

__all__ = ["objects_of"]

_API = "argoproj.io/v1alpha1"
_CONCURRENCY = {"forbid": "Forbid", "allow": "Allow", "replace": "Replace"}
_BY_HAND = "by-hand"  # in place of a tick
# of a pod, what a workflow has no words for, or needs itself
_NOT_OF_WORKFLOWS = ("enableServiceLinks", "automountServiceAccountToken")


def objects_of(pipeline: ExportedPipeline) -> list[Json]:
    """The objects, in the order to apply them in."""
    plan = pipeline.plan
    plan_map = config_map(pipeline.name, plan.project, [pipeline.open_plans[plan.pipeline]])
    template = _object("WorkflowTemplate", _spec(pipeline, plan_map["metadata"]["name"]))
    found = [plan_map, template]
    if plan.schedule == "@once":
        found.append(_object("Workflow", _submitted(pipeline, _BY_HAND)))
    elif plan.schedule != "none":
        found.append(_object("CronWorkflow", _cron(pipeline)))
    return [pipeline.named(one) for one in found]


def _spec(pipeline: ExportedPipeline, plan_map: str) -> Json:
    pods, kubernetes = pipeline.pods, pipeline.said.kubernetes
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
            "arguments": {"parameters": _parameters(_BY_HAND)},
            "onExit": ALARM if pipeline.plan.on_failure else None,
            "activeDeadlineSeconds": None if kubernetes.deadline is None else round(kubernetes.deadline),
            "podGC": {"strategy": "OnWorkflowSuccess"},
            "podMetadata": said({"labels": pipeline.labels | pods.labels, "annotations": pods.annotations}),
            **{key: value for key, value in parts.items() if key not in _NOT_OF_WORKFLOWS},
            "volumes": volumes,
            "volumeClaimTemplates": claims,
            "volumeClaimGC": {"strategy": "OnWorkflowCompletion"} if claims else None,
            "templates": Templates(pipeline).all(),
        }
    )


def _cron(pipeline: ExportedPipeline) -> Json:
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
        "workflowSpec": _submitted(pipeline, "{{workflow.scheduledTime}}"),
    }
    return {key: value for key, value in spec.items() if value is not None}


def _submitted(pipeline: ExportedPipeline, fired_at: str) -> Json:
    """What submits the template, for a tick."""
    (tick, _) = _parameters(fired_at)
    return {"workflowTemplateRef": {"name": pipeline.name}, "arguments": {"parameters": [tick]}}


def _parameters(fired_at: str) -> list[Json]:
    return [{"name": "fired-at", "value": fired_at}, {"name": "params", "value": "{}"}]


def _object(kind: str, spec: Json) -> Json:
    return {"apiVersion": _API, "kind": kind, "spec": spec}
