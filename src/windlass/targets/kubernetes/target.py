"""Renders a project as CronJobs and Jobs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from windlass.targets import CompiledProject
from windlass.targets.kubernetes.chart import Values, chart_of, with_values
from windlass.targets.kubernetes.checking import check
from windlass.targets.kubernetes.cron_job import objects_of
from windlass.targets.pods.exported import ExportedPipeline
from windlass.targets.pods.files import texts_of
from windlass.targets.pods.settings import Json
from windlass.targets.pods.target import PodOptions, PodTarget
from windlass.targets.refusing import Refusals

__all__ = ["TARGET", "KubernetesOptions", "KubernetesTarget"]


class KubernetesOptions(PodOptions, frozen=True, kw_only=True):
    """How a project becomes manifests."""

    form: Literal["yaml", "helm"] = "yaml"
    """Manifests, which are a base for Kustomize as well; or a Helm chart, with values for images, schedules and resources."""


class KubernetesTarget(PodTarget):
    """Write manifests: every pipeline of the project as a CronJob, or as a Job if it runs once.

    All files are below kubernetes/, or helm/: one for each pipeline, and a kustomization, or what makes a chart of them. No secret
    is in them: they refer to Secrets.
    """

    title, folder = "Kubernetes", "kubernetes"
    options = KubernetesOptions
    rehearsal = "windlass.rehearsing.kubernetes:rehearse"

    def check_pipeline(self, pipeline: ExportedPipeline, refusals: Refusals) -> None:
        check(pipeline, refusals)

    def objects_of(self, pipeline: ExportedPipeline, options: KubernetesOptions) -> list[Json]:
        return objects_of(pipeline)

    def files(
        self,
        project: CompiledProject,
        objects: Mapping[ExportedPipeline, list[Json]],
        of_project: Mapping[str, list[Json]],
        options: KubernetesOptions,
    ) -> dict[str, str]:
        if options.form == "yaml":
            return super().files(project, objects, of_project, options)
        values = Values()
        texts = texts_of(self.title, self.folder, with_values(objects, values), of_project)
        chart = chart_of(project.files.spec.project, texts, values)
        return {f"helm/{name}": text for name, text in chart.items()}


TARGET = KubernetesTarget()
