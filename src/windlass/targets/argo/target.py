"""Renders a project as CronWorkflows and WorkflowTemplates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from windlass.errors import UsageError
from windlass.targets import CompiledProject, Needs
from windlass.targets.argo.backfill import backfill_of
from windlass.targets.argo.checking import check
from windlass.targets.argo.rights import account_of, rights
from windlass.targets.argo.template import pools_name
from windlass.targets.argo.workflow import objects_of
from windlass.targets.pods.exported import ExportedPipeline
from windlass.targets.pods.manifests import manifests
from windlass.targets.pods.settings import Json, said
from windlass.targets.pods.target import PodOptions, PodTarget
from windlass.targets.refusing import Refusals

__all__ = ["TARGET", "ArgoOptions", "ArgoTarget"]


class ArgoOptions(PodOptions, frozen=True, kw_only=True):
    """How a project becomes workflows."""

    rbac: bool = False
    """Add an account for the pods, and a role for it with no more than Argo needs of them."""


class ArgoTarget(PodTarget):
    """Write workflows of Argo: every pipeline of the project as a CronWorkflow, or as what is submitted by hand.

    All files are below argo/: one for each pipeline, and a kustomization. No secret is in them: they refer to Secrets.
    """

    title, folder = "Argo", "argo"
    options = ArgoOptions
    rehearsal = "windlass.rehearsing.argo:rehearse"
    pods_meet = True

    def check_pipeline(self, pipeline: ExportedPipeline, refusals: Refusals) -> None:
        check(pipeline, refusals)

    def objects_of(self, pipeline: ExportedPipeline, options: ArgoOptions) -> list[Json]:
        return objects_of(pipeline, account_of(pipeline.project.project) if options.rbac else None)

    def backfill(
        self,
        project: CompiledProject,
        options: ArgoOptions,
        pipeline: str,
        starts: Sequence[datetime],
        params: Mapping[str, object],
        parallel: int,
    ) -> str:
        (chosen,) = self.chosen(project, [pipeline])
        account = account_of(chosen.project.project) if options.rbac else None
        told = f"{chosen.file} for {len(starts)} dates, by windlass backfill: kubectl apply --filename"
        return manifests(told, backfill_of(chosen, account, starts, params, parallel))

    def objects_of_project(
        self, project: CompiledProject, chosen: Sequence[ExportedPipeline], options: ArgoOptions
    ) -> dict[str, list[Json]]:
        """The slots of the pools, which tasks of all pipelines share; and what pods may do."""
        spec, namespace = project.files.spec, project.files.spec.runtimes.kubernetes.namespace
        found: dict[str, list[Json]] = {}
        if pools := Needs.of(plan for pipeline in chosen for plan in pipeline.reached).pools:
            metadata = said({"name": pools_name(spec.project), "namespace": namespace})
            data = {pool: str(slots) for pool, slots in pools.items()}
            found["pools.yaml"] = [
                {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
            ]
        if options.rbac:
            if namespace is None:
                hint = "say it in windlass.yaml: runtimes: {kubernetes: {namespace: …}}"
                raise UsageError("a role is bound to accounts of a namespace, and none is said", hint=hint)
            own = (pipeline.pods.service_account for pipeline in chosen)
            found["rbac.yaml"] = rights(spec.project, namespace, filter(None, own))
        return found


TARGET = ArgoTarget()
