"""The files of an export: one for each pipeline, and a kustomization that names them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from windlass.targets.pods.exported import ExportedPipeline
from windlass.targets.pods.manifests import manifests
from windlass.targets.pods.plan_file import is_too_long
from windlass.targets.pods.settings import Json
from windlass.targets.refusing import Refusals

__all__ = ["files_of"]


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
    found: dict[tuple[str, str], None] = {}
    _find_secrets(list(objects), found)
    if found:
        lines += ["It needs the Secrets", *(f"  {name}: {key}" for name, key in found)]
    return "\n".join(lines)


def _find_secrets(value: object, found: dict[tuple[str, str], None]) -> None:
    """Note every key of a Secret that is referred to."""
    if isinstance(value, dict):
        if "secretKeyRef" in value:
            reference: Json = value["secretKeyRef"]
            found[reference["name"], reference["key"]] = None
        value = list(value.values())
    for part in value if isinstance(value, list) else ():
        if isinstance(part, _NESTED):
            _find_secrets(part, found)


_NESTED = (dict, list)
