"""A Job: pods until one succeeds, as its `backoffLimit` and `podFailurePolicy` say.

https://kubernetes.io/docs/concepts/workloads/controllers/job/. Waits between pods are left out.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from windlass.errors import UsageError
from windlass.plan.model import Plan
from windlass.plan.schedule import dates_of_start
from windlass.rehearsing.container import Ran, Stage
from windlass.rehearsing.in_pods import exported, rehearsed
from windlass.rehearsing.manifests import Json, Manifests
from windlass.rehearsing.pod import Pod, Volumes
from windlass.rehearsing.rehearsal import Rehearsal, RehearsalRequest

__all__ = ["rehearse"]

_JOB_NAME = "batch.kubernetes.io/job-name"


def rehearse(request: RehearsalRequest) -> Rehearsal:
    """Export a pipeline as a CronJob or a Job, and run that. Implements `Rehearse`."""
    if request.params:
        raise UsageError("a CronJob takes no parameters", hint="leave out --param")
    found = exported(request)
    if request.fired_at is not None:
        _check_tick(found.pipeline.plan, request.fired_at, found.run_id)
    # one container that runs the plan keeps to it by the runner that does so everywhere
    is_whole = found.pipeline.shape == "run"
    return rehearsed(
        request,
        found,
        lambda stage, volumes: _run_job(stage, found.manifests, volumes),
        is_compared=not is_whole,
    )


def _check_tick(plan: Plan, fired_at: str, job: str) -> None:
    """Raise UsageError for a tick that the name of a Job does not stand for: one long ago counts as somebody's own number."""
    now = datetime.now(UTC)
    wanted = dates_of_start(fired_at, plan.schedule, plan.timezone, now)
    if wanted.scheduled and dates_of_start(job, plan.schedule, plan.timezone, now) != wanted:
        raise UsageError(
            f"no Job waits so long: --fired-at {fired_at}", hint="take a tick of the last 60 days"
        )


def _run_job(stage: Stage, manifests: Manifests, volumes: Volumes) -> list[Ran]:
    """Run what a CronJob would start, or the Job itself. What became of each container, in the last pod that had it."""
    owner = manifests.one_of("CronJob", "Job")
    job: Json = owner["spec"]["jobTemplate"]["spec"] if owner["kind"] == "CronJob" else owner["spec"]
    spec: Json = job["template"]["spec"]
    labels = {**job["template"]["metadata"].get("labels", {}), _JOB_NAME: stage.run_id}
    last: dict[str, Ran] = {}
    for number in range(1, job.get("backoffLimit", 6) + 2):
        pod = Pod(stage, spec, labels, volumes.of(f"pod-{number}", spec.get("volumes", ())))
        succeeded = pod.run()
        last |= {ran.name: replace(ran, tries=number) for ran in pod.ran}
        if succeeded or _is_final(job, pod.ran):
            break
    return list(last.values())


def _is_final(job: Json, ran: list[Ran]) -> bool:
    """Whether no other pod is tried after this one."""
    failed = next(one for one in ran if one.code)
    rules = job.get("podFailurePolicy", {}).get("rules", ())
    return any(
        rule["action"] == "FailJob"
        and rule["onExitCodes"]["containerName"] == failed.name
        and failed.code in rule["onExitCodes"]["values"]
        for rule in rules
        if "onExitCodes" in rule
    )
