"""Renders a project as CronWorkflows and WorkflowTemplates."""

from __future__ import annotations

from windlass.targets import CompiledProject
from windlass.targets.argo.checking import check
from windlass.targets.argo.template import pools_name
from windlass.targets.argo.workflow import objects_of
from windlass.targets.pods.exported import ExportedPipeline
from windlass.targets.pods.settings import Json, said
from windlass.targets.pods.target import PodTarget
from windlass.targets.refusing import Refusals

__all__ = ["TARGET", "ArgoTarget"]


class ArgoTarget(PodTarget):
    """Write workflows of Argo: every pipeline of the project as a CronWorkflow, or as what is submitted by hand.

    All files are below argo/: one for each pipeline, and a kustomization. No secret is in them: they refer to Secrets.
    """

    title, folder = "Argo", "argo"

    def check_pipeline(self, pipeline: ExportedPipeline, refusals: Refusals) -> None:
        check(pipeline, refusals)

    def objects_of(self, pipeline: ExportedPipeline) -> list[Json]:
        return objects_of(pipeline)

    def objects_of_project(self, project: CompiledProject, pools: dict[str, int]) -> dict[str, list[Json]]:
        """The slots of the pools, which tasks of all pipelines share."""
        spec = project.files.spec
        metadata = said({"name": pools_name(spec.project), "namespace": spec.runtimes.kubernetes.namespace})
        data = {pool: str(slots) for pool, slots in pools.items()}
        slots = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
        return {"pools.yaml": [slots]} if pools else {}


TARGET = ArgoTarget()
