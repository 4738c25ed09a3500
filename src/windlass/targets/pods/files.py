"""The files of an export: one for each pipeline, and a kustomization that names them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from windlass.targets.pods.exported import ExportedPipeline
from windlass.targets.pods.manifests import manifests
from windlass.targets.pods.settings import Json

__all__ = ["texts_of", "with_kustomization"]

_NESTED = (dict, list)


def texts_of(
    title: str,
    target: str,
    objects: Mapping[ExportedPipeline, list[Json]],
    of_project: Mapping[str, list[Json]],
) -> dict[str, str]:
    """The text of every file with objects, by its name: those of each pipeline, and those that belong to none."""
    by = f"by windlass export {target}"
    texts = {
        f"{pipeline.name}.yaml": manifests(_heading(pipeline, title, by, found), found)
        for pipeline, found in objects.items()
    }
    of_all = {name: manifests(f"Of the whole project, {by}.", found) for name, found in of_project.items()}
    return texts | of_all


def with_kustomization(target: str, texts: Mapping[str, str]) -> dict[str, str]:
    """The files below the folder of the target, and a kustomization of them."""
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": list(texts),
    }
    told = manifests(f"The pipelines, by windlass export {target}.", [kustomization])
    return {f"{target}/{name}": text for name, text in {**texts, "kustomization.yaml": told}.items()}


def _heading(pipeline: ExportedPipeline, title: str, by: str, objects: Iterable[Json]) -> str:
    lines = [f"{pipeline.file} for {title}, {by}: edit that file, and export again."]
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
