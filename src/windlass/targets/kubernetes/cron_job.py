"""The objects of one pipeline: a CronJob, or a Job for one that runs once, and the plan that its pods execute."""

from __future__ import annotations

import math

from windlass.errors import ExitCode
from windlass.plan.model import Plan, Task
from windlass.plan.unit import WORKSPACE
from windlass.targets.pods.container import Containers, check_of
from windlass.targets.pods.environment import given_to_run, variables
from windlass.targets.pods.exported import ExportedPipeline
from windlass.targets.pods.names import dns_name
from windlass.targets.pods.plan_file import PLAN, config_map, volume
from windlass.targets.pods.schedule import NEVER, cron_of
from windlass.targets.pods.settings import Json, pod_parts, said

__all__ = ["objects_of"]

_CONCURRENCY = {"forbid": "Forbid", "allow": "Allow", "replace": "Replace"}
_LOST = 2  # how often a pod is replaced whose run never came to its end
_JOB_NAME = "metadata.labels['batch.kubernetes.io/job-name']"
# what windlass says when another try would come to the same end; of RETRYABLE a run has tried all that it may
_FINAL_OF_TASK = (ExitCode.FAILED, ExitCode.USAGE)
_FINAL_OF_RUN = (*_FINAL_OF_TASK, ExitCode.RETRYABLE)


def objects_of(pipeline: ExportedPipeline) -> list[Json]:
    """The objects, in the order to apply them in."""
    containers = pipeline.containers(_run_variables(pipeline.plan))
    spec = _of_run(pipeline, containers) if pipeline.shape == "run" else _of_tasks(pipeline, containers)
    plans = [pipeline.plan] if pipeline.shape == "tasks" else pipeline.open_plans_reached
    plan_map = config_map(pipeline.name, pipeline.plan.project, plans)
    has_plan = any(
        mount["name"] == "plan"
        for container in (*spec["initContainers"], *spec["containers"])
        for mount in container["volumeMounts"]
    )
    volumes = [volume(plan_map["metadata"]["name"])] if has_plan else []
    if any(map(containers.is_scripted, pipeline.plan.tasks)) and pipeline.shape == "tasks":
        volumes.append({"name": "scripts", "emptyDir": {}})
    pod = said({"restartPolicy": "Never", **pod_parts(pipeline.pods, volumes=volumes), **spec})
    owner = _cron_job(pipeline, pod) if pipeline.plan.schedule != "@once" else _job(pipeline, pod)
    return [pipeline.named(plan_map), owner] if has_plan else [owner]


# --- pods ----------------------------------------------------------------------------------------


def _of_run(pipeline: ExportedPipeline, containers: Containers) -> Json:
    """One container that runs the plan."""
    plan = pipeline.plan
    command = ["windlass", "run", plan.pipeline, "--plan", PLAN, "--workspace", WORKSPACE]
    command += ["--runtime", "process", "--no-dev", *_when(plan)]
    given = given_to_run(pipeline.reached, containers.secret)
    return {"initContainers": [], "containers": [containers.of_run(command, given)]}


def _of_tasks(pipeline: ExportedPipeline, containers: Containers) -> Json:
    """A container for each task, in an order in which each comes after what it needs; services beside them."""
    scripts = containers.of_scripts(pipeline.plan.tasks)
    *before, last = [_container(task, containers) for task in _in_turn(pipeline.plan)]
    return {"initContainers": [*([scripts] if scripts else []), *before], "containers": [last]}


def _container(task: Task, containers: Containers) -> Json:
    """The container of a task; one that is a service is waited for by the others, and ends with them."""
    container = containers.of_task(task)
    if task.kind != "service" or task.unit is None:
        return container
    probe = check_of(task.unit, containers.services[task.name])
    return container | {"restartPolicy": "Always", "startupProbe": probe}


def _in_turn(plan: Plan) -> list[Task]:
    """The tasks, and each service in front of the first that uses it."""
    started: dict[str, Task] = {}

    def start(task: Task) -> None:
        for name in task.uses:
            if name not in started:
                start(plan.task(name))
        started[task.name] = task

    for task in plan.tasks:
        if task.kind != "service":
            start(task)
    return list(started.values())


def _run_variables(plan: Plan) -> list[Json]:
    """How a container knows its run: by its Job, whose name a CronJob makes of the time when it was to start."""
    run = [{"name": "WINDLASS_RUN_ID", "valueFrom": {"fieldRef": {"fieldPath": _JOB_NAME}}}]
    if plan.schedule == "@once" and plan.start is not None:
        return [*run, *variables({"WINDLASS_LOGICAL_DATE": plan.start.isoformat()})]
    return [*run, *variables({"WINDLASS_FIRED_AT": "$(WINDLASS_RUN_ID)"})]


def _when(plan: Plan) -> list[str]:
    if plan.schedule == "@once" and plan.start is not None:
        return ["--logical-date", "$(WINDLASS_LOGICAL_DATE)"]
    return ["--fired-at", "$(WINDLASS_FIRED_AT)"]


# --- jobs ----------------------------------------------------------------------------------------


def _cron_job(pipeline: ExportedPipeline, pod: Json) -> Json:
    plan, kubernetes = pipeline.plan, pipeline.said.kubernetes
    is_by_hand = plan.schedule == "none"
    deadline = kubernetes.starting_deadline
    spec = {
        "schedule": NEVER if is_by_hand else cron_of(plan.schedule),
        "timeZone": "Etc/UTC" if plan.timezone == "UTC" else plan.timezone,
        "concurrencyPolicy": _CONCURRENCY[plan.concurrency],
        "startingDeadlineSeconds": None if deadline is None else round(deadline),
        "suspend": True if is_by_hand or kubernetes.suspend else None,
        "successfulJobsHistoryLimit": kubernetes.keep_succeeded,
        "failedJobsHistoryLimit": kubernetes.keep_failed,
        "jobTemplate": {"metadata": {"labels": pipeline.labels}, "spec": _job_spec(pipeline, pod)},
    }
    spec = {name: value for name, value in spec.items() if value is not None}
    return pipeline.named({"apiVersion": "batch/v1", "kind": "CronJob", "spec": spec})


def _job(pipeline: ExportedPipeline, pod: Json) -> Json:
    job = {"apiVersion": "batch/v1", "kind": "Job", "spec": _job_spec(pipeline, pod)}
    return pipeline.named(job)


def _job_spec(pipeline: ExportedPipeline, pod: Json) -> Json:
    kubernetes, plan = pipeline.said.kubernetes, pipeline.plan
    timeouts = [task.timeout for task in plan.tasks if task.kind != "service"]
    if pipeline.shape == "tasks" and None not in timeouts:  # of each try, which is a pod
        pod = {"activeDeadlineSeconds": round(sum(filter(None, timeouts))), **pod}
    retries = max((task.retry.retries for task in plan.tasks), default=0)
    # the run that one container executes sees to its `timeout` itself, and can still tell of it
    limit = kubernetes.deadline or (plan.timeout if pipeline.shape == "tasks" else None)
    restarts = kubernetes.restarts
    if restarts is None:
        restarts = _LOST if pipeline.shape == "run" else retries
    spec = {
        "backoffLimit": restarts,
        "activeDeadlineSeconds": None if limit is None else math.ceil(limit),
        "podFailurePolicy": {"rules": _rules(pipeline)},
        "template": {
            "metadata": said(
                {"labels": pipeline.labels | pipeline.pods.labels, "annotations": pipeline.pods.annotations}
            ),
            "spec": pod,
        },
    }
    return {name: value for name, value in spec.items() if value is not None}


def _rules(pipeline: ExportedPipeline) -> list[Json]:
    """A pod that the cluster has put out counts for nothing; one that cannot succeed is not started again."""
    rules: list[Json] = [
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
    ]
    if pipeline.shape == "run":
        return [*rules, _final("run", _FINAL_OF_RUN)]
    own = [task for task in pipeline.plan.tasks if task.unit is not None and task.unit.own]
    return [*rules, *(_final(dns_name(task.name), _FINAL_OF_TASK) for task in own)]


def _final(container: str, codes: tuple[ExitCode, ...]) -> Json:
    found = {"containerName": container, "operator": "In", "values": [int(code) for code in codes]}
    return {"action": "FailJob", "onExitCodes": found}
