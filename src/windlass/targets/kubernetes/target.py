"""Renders a project as CronJobs and Jobs."""

from __future__ import annotations

from windlass.targets.kubernetes.checking import check
from windlass.targets.kubernetes.cron_job import objects_of
from windlass.targets.pods.exported import ExportedPipeline
from windlass.targets.pods.settings import Json
from windlass.targets.pods.target import PodTarget
from windlass.targets.refusing import Refusals

__all__ = ["TARGET", "KubernetesTarget"]


class KubernetesTarget(PodTarget):
    """Write manifests: every pipeline of the project as a CronJob, or as a Job if it runs once.

    All files are below kubernetes/: one for each pipeline, and a kustomization. No secret is in them: they refer to Secrets.
    """

    title, folder = "Kubernetes", "kubernetes"

    def check_pipeline(self, pipeline: ExportedPipeline, refusals: Refusals) -> None:
        check(pipeline, refusals)

    def objects_of(self, pipeline: ExportedPipeline) -> list[Json]:
        return objects_of(pipeline)


TARGET = KubernetesTarget()
