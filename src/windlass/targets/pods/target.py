"""What the targets with pods have in common: which pipelines they export, what they check, and which files they write."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from msgspec import Struct

from windlass.errors import Code, Problem, UsageError, did_you_mean
from windlass.targets import CompiledProject, Needs
from windlass.targets.images import UNTAGGED
from windlass.targets.pods.checking import check_names
from windlass.targets.pods.exported import ExportedPipeline, exported_pipelines
from windlass.targets.pods.files import files_of
from windlass.targets.pods.settings import Json
from windlass.targets.refusing import Refusals

__all__ = ["PodOptions", "PodTarget"]


class PodOptions(Struct, frozen=True, kw_only=True):
    """How a project becomes manifests."""

    pipelines: str | None = None
    """Only these pipelines, with commas between them. Default: all."""


class PodTarget(ABC):
    """A target whose files are manifests. They are below a folder, one for each pipeline, with a kustomization."""

    title: ClassVar[str]
    folder: ClassVar[str]
    options = PodOptions

    @abstractmethod
    def check_pipeline(self, pipeline: ExportedPipeline, refusals: Refusals) -> None:
        """Note what cannot be expressed of it."""

    @abstractmethod
    def objects_of(self, pipeline: ExportedPipeline) -> list[Json]:
        """The objects of a pipeline, in the order to apply them in."""

    def objects_of_project(self, project: CompiledProject, pools: dict[str, int]) -> dict[str, list[Json]]:
        """What belongs to no pipeline, by its file."""
        return {}

    def check(self, project: CompiledProject, options: PodOptions) -> list[Problem]:
        """What cannot be expressed, whatever has become of the images meanwhile."""
        chosen = exported_pipelines(project, _chosen(project, options), UNTAGGED)
        return self._refusals(project, chosen).problems

    def render(self, project: CompiledProject, options: PodOptions) -> dict[str, str]:
        """The manifests. Raises SpecError for what cannot be expressed."""
        tag = project.files.spec.runtimes.kubernetes.tag
        chosen = exported_pipelines(project, _chosen(project, options), tag)
        refusals = self._refusals(project, chosen)
        refusals.tell()
        pools = Needs.of(pipeline.plan for pipeline in chosen).pools
        of_project = self.objects_of_project(project, pools)
        return files_of(self.folder, {one: self.objects_of(one) for one in chosen}, refusals, of_project)

    def needs(self, project: CompiledProject, options: PodOptions) -> Needs:
        """The connections of the chosen pipelines. Pools are seen to by each run, or are among the files."""
        return replace(Needs.of(project.plans[name] for name in _chosen(project, options)), pools={})

    def _refusals(self, project: CompiledProject, chosen: Sequence[ExportedPipeline]) -> Refusals:
        refusals = Refusals(self.title, project.files)
        for pipeline in chosen:
            self.check_pipeline(pipeline, refusals)
        check_names(chosen, refusals)
        return refusals


def _chosen(project: CompiledProject, options: PodOptions) -> list[str]:
    """The names of the pipelines. Raises UsageError for one that is not there."""
    if options.pipelines is None:
        return list(project.plans)
    names = [name.strip() for name in options.pipelines.split(",")]
    for name in names:
        if name not in project.plans:
            hint = did_you_mean(name, project.plans)
            raise UsageError(f"there is no pipeline {name!r}", hint=hint, code=Code.UNKNOWN_PIPELINE)
    return names
