"""Renders a project as CronJobs and Jobs."""

from __future__ import annotations

from dataclasses import replace

from msgspec import Struct

from windlass.targets import CompiledProject, Needs
from windlass.targets.kubernetes.checking import check
from windlass.targets.kubernetes.cron_job import objects_of
from windlass.targets.pods.checking import check_names
from windlass.targets.pods.files import chosen_pipelines, files_of
from windlass.targets.pods.refusing import Refusals

__all__ = ["TARGET", "KubernetesOptions", "KubernetesTarget"]


class KubernetesOptions(Struct, frozen=True, kw_only=True):
    """How a project becomes manifests."""

    pipelines: str | None = None
    """Only these pipelines, with commas between them. Default: all."""


class KubernetesTarget:
    """Write manifests: every pipeline of the project as a CronJob, or as a Job if it runs once.

    All files are below kubernetes/: one for each pipeline, and a kustomization. No secret is in them: they refer to Secrets.
    """

    title = "Kubernetes"
    options = KubernetesOptions

    def render(self, project: CompiledProject, options: KubernetesOptions) -> dict[str, str]:
        """The manifests. Raises SpecError for what Kubernetes cannot express."""
        chosen = chosen_pipelines(project, options.pipelines)
        refusals = Refusals(self.title, project.files)
        for pipeline in chosen:
            check(pipeline, refusals)
        check_names(chosen, refusals)
        refusals.tell()
        return files_of("kubernetes", {pipeline: objects_of(pipeline) for pipeline in chosen}, refusals)

    def needs(self, project: CompiledProject, options: KubernetesOptions) -> Needs:
        """The connections of the chosen pipelines. Each run sees to the pools itself."""
        chosen = chosen_pipelines(project, options.pipelines)
        return replace(Needs.of(pipeline.plan for pipeline in chosen), pools={})


TARGET = KubernetesTarget()
