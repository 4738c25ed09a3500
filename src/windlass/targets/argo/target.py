"""Renders a project as CronWorkflows and WorkflowTemplates."""

from __future__ import annotations

from dataclasses import replace

from msgspec import Struct

from windlass.targets import CompiledProject, Needs
from windlass.targets.argo.checking import check
from windlass.targets.argo.template import pools_name
from windlass.targets.argo.workflow import objects_of
from windlass.targets.pods.checking import check_names
from windlass.targets.pods.files import chosen_pipelines, files_of
from windlass.targets.pods.refusing import Refusals
from windlass.targets.pods.settings import Json, said

__all__ = ["TARGET", "ArgoOptions", "ArgoTarget"]


class ArgoOptions(Struct, frozen=True, kw_only=True):
    """How a project becomes workflows."""

    pipelines: str | None = None
    """Only these pipelines, with commas between them. Default: all."""


class ArgoTarget:
    """Write workflows of Argo: every pipeline of the project as a CronWorkflow, or as what is submitted by hand.

    All files are below argo/: one for each pipeline, and a kustomization. No secret is in them: they refer to Secrets.
    """

    title = "Argo"
    options = ArgoOptions

    def render(self, project: CompiledProject, options: ArgoOptions) -> dict[str, str]:
        """The workflows. Raises SpecError for what Argo cannot express."""
        chosen = chosen_pipelines(project, options.pipelines)
        refusals = Refusals(self.title, project.files)
        for pipeline in chosen:
            check(pipeline, refusals)
        check_names(chosen, refusals)
        refusals.tell()
        pools = Needs.of(pipeline.plan for pipeline in chosen).pools
        of_project = {"pools.yaml": [_pools(project, pools)]} if pools else {}
        return files_of("argo", {p: objects_of(p) for p in chosen}, refusals, of_project)

    def needs(self, project: CompiledProject, options: ArgoOptions) -> Needs:
        """The connections of the chosen pipelines. The slots of pools are among the files."""
        chosen = chosen_pipelines(project, options.pipelines)
        return replace(Needs.of(pipeline.plan for pipeline in chosen), pools={})


def _pools(project: CompiledProject, pools: dict[str, int]) -> Json:
    """The slots of the pools, which tasks of all pipelines share."""
    spec = project.files.spec
    name, namespace = pools_name(spec.project), spec.runtimes.kubernetes.namespace
    metadata = said({"name": name, "namespace": namespace})
    data = {pool: str(slots) for pool, slots in pools.items()}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


TARGET = ArgoTarget()
