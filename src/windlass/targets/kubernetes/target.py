"""Renders a project as manifests: a file for each pipeline, and a kustomization that names them."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from windlass.errors import Code, UsageError, did_you_mean
from windlass.targets import CompiledProject
from windlass.targets.kubernetes.checking import check, check_names
from windlass.targets.kubernetes.cron_job import objects_of
from windlass.targets.pods.exported import ExportedPipeline, exported_pipelines
from windlass.targets.pods.manifests import manifests
from windlass.targets.pods.plan_file import is_too_long
from windlass.targets.pods.refusing import Refusals
from windlass.targets.pods.settings import Json

__all__ = ["TARGET", "KubernetesOptions", "KubernetesTarget"]

_FOLDER = "kubernetes"
_HEADING = """\
{file} for Kubernetes, by windlass export kubernetes: edit that file, and export again.
{needs}
"""


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
        chosen = _chosen(exported_pipelines(project), options.pipelines)
        refusals = Refusals("Kubernetes", project.files)
        for pipeline in chosen:
            check(pipeline, refusals)
        check_names(chosen, refusals)
        refusals.tell()
        objects = {pipeline: objects_of(pipeline) for pipeline in chosen}
        for pipeline, (first, *_) in objects.items():
            if is_too_long(first):
                hint = "make several pipelines of it"
                refusals.add(pipeline.plan.pipeline, ("tasks",), "has no room for a plan of 1 MB", hint)
        refusals.tell()
        texts = {
            f"{pipeline.name}.yaml": manifests(_heading(pipeline, project, found), found)
            for pipeline, found in objects.items()
        }
        kustomization = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "resources": list(texts),
        }
        texts["kustomization.yaml"] = manifests(
            "The pipelines, by windlass export kubernetes.", [kustomization]
        )
        return {f"{_FOLDER}/{name}": text for name, text in texts.items()}


def _chosen(pipelines: Iterable[ExportedPipeline], wanted: str | None) -> list[ExportedPipeline]:
    known = {pipeline.plan.pipeline: pipeline for pipeline in pipelines}
    names = list(known) if wanted is None else [name.strip() for name in wanted.split(",")]
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known)
            raise UsageError(f"there is no pipeline {name!r}", hint=hint, code=Code.UNKNOWN_PIPELINE)
    return [known[name] for name in names]


def _heading(pipeline: ExportedPipeline, project: CompiledProject, objects: list[Json]) -> str:
    file = project.files.pipelines[pipeline.plan.pipeline].document.file
    found = dict.fromkeys(_secrets(objects))
    needs = "It needs the Secrets" + "".join(f"\n  {name}: {key}" for name, key in found) if found else ""
    return _HEADING.format(file=file, needs=needs).rstrip()


def _secrets(value: object) -> Iterable[tuple[str, str]]:
    """Every key of a Secret that is referred to."""
    if isinstance(value, dict):
        if "secretKeyRef" in value:
            reference: Json = value["secretKeyRef"]
            yield reference["name"], reference["key"]
        for part in value.values():
            yield from _secrets(part)
    elif isinstance(value, list):
        for part in value:
            yield from _secrets(part)


TARGET = KubernetesTarget()
