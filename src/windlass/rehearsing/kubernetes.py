"""A Job: pods until one succeeds, as its `backoffLimit` and `podFailurePolicy` say.

https://kubernetes.io/docs/concepts/workloads/controllers/job/. Waits between pods are left out.
"""

from __future__ import annotations

from dataclasses import replace

from windlass.rehearsing.container import Ran, Stage
from windlass.rehearsing.manifests import Json, Manifests
from windlass.rehearsing.pod import Pod, Volumes

__all__ = ["run_job"]

_JOB_NAME = "batch.kubernetes.io/job-name"


def run_job(stage: Stage, manifests: Manifests, volumes: Volumes) -> list[Ran]:
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
