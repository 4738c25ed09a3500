"""The files of an export: one for each pipeline, and a kustomization that names them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath

from windlass.errors import Code, UsageError, did_you_mean
from windlass.targets import CompiledProject
from windlass.targets.pods.exported import ExportedPipeline, exported_pipelines
from windlass.targets.pods.manifests import manifests
from windlass.targets.pods.plan_file import is_too_long
from windlass.targets.pods.refusing import Refusals
from windlass.targets.pods.settings import Json

__all__ = ["chosen_pipelines", "files_of"]


def chosen_pipelines(project: CompiledProject, wanted: str | None) -> list[ExportedPipeline]:
    """The pipelines of those names, with commas between them; None is all. Raises UsageError for one that is not there."""
    known = {pipeline.plan.pipeline: pipeline for pipeline in exported_pipelines(project)}
    names = list(known) if wanted is None else [name.strip() for name in wanted.split(",")]
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known)
            raise UsageError(f"there is no pipeline {name!r}", hint=hint, code=Code.UNKNOWN_PIPELINE)
    return [known[name] for name in names]


def files_of(
    target: str,
    objects: Mapping[ExportedPipeline, list[Json]],
    refusals: Refusals,
    of_project: Mapping[str, list[Json]] | None = None,
) -> dict[str, str]:
    """The text of every file below the folder of the target. `of_project` has what belongs to no pipeline, by its file.

    Raises SpecError for a plan that no cluster has room for.
    """
    for pipeline, found in objects.items():
        if any(map(is_too_long, found)):
            hint = "make several pipelines of it"
            refusals.add(pipeline.plan.pipeline, ("tasks",), "has no room for a plan of 1 MB", hint)
    refusals.tell()
    by = f"by windlass export {target}"
    texts = {
        f"{pipeline.name}.yaml": manifests(_heading(pipeline, refusals, by, found), found)
        for pipeline, found in objects.items()
    }
    for name, found in (of_project or {}).items():
        texts[name] = manifests(f"Of the whole project, {by}.", found)
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": list(texts),
    }
    texts["kustomization.yaml"] = manifests(f"The pipelines, {by}.", [kustomization])
    return {str(PurePosixPath(target) / name): text for name, text in texts.items()}


def _heading(pipeline: ExportedPipeline, refusals: Refusals, by: str, objects: Iterable[Json]) -> str:
    file = refusals.files.pipelines[pipeline.plan.pipeline].document.file
    lines = [f"{file} for {refusals.target}, {by}: edit that file, and export again."]
    found = dict.fromkeys(_secrets(list(objects)))
    if found:
        lines += ["It needs the Secrets", *(f"  {name}: {key}" for name, key in found)]
    return "\n".join(lines)


def _secrets(value: object) -> Iterator[tuple[str, str]]:
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
