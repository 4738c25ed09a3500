"""What the targets with pods have in common: which pipelines they export, what they check, and which files they write."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any, ClassVar

from msgspec import Struct

from windlass.errors import Problem
from windlass.plan.codec import to_json
from windlass.targets import CompiledProject, Needs
from windlass.targets.choosing import chosen_of, reached_by
from windlass.targets.images import UNTAGGED
from windlass.targets.pods.checking import check_names
from windlass.targets.pods.exported import ExportedPipeline, exported_pipelines
from windlass.targets.pods.files import texts_of, with_kustomization
from windlass.targets.pods.names import object_name
from windlass.targets.pods.network import network_policy
from windlass.targets.pods.plan_file import LONGEST, is_too_long
from windlass.targets.pods.settings import Json
from windlass.targets.refusing import Refusals

__all__ = ["PodOptions", "PodTarget"]


_SURELY = 2  # times as long as the JSON of a plan its ConfigMap is not


class PodOptions(Struct, frozen=True, kw_only=True):
    """How a project becomes manifests."""

    pipelines: str | None = None
    """Only these pipelines, with commas between them. Default: all."""

    network_policy: bool = False
    """Add policies by which nothing reaches the pods of a pipeline but other pods of it."""


class PodTarget(ABC):
    """A target whose files are manifests. They are below a folder, one for each pipeline, with a kustomization."""

    title: ClassVar[str]
    folder: ClassVar[str]
    options: type[PodOptions] = PodOptions
    pods_meet: ClassVar[bool] = False
    """Whether the pods of a pipeline reach each other."""

    @abstractmethod
    def check_pipeline(self, pipeline: ExportedPipeline, refusals: Refusals) -> None:
        """Note what cannot be expressed of it."""

    @abstractmethod
    def objects_of(self, pipeline: ExportedPipeline, options: Any) -> list[Json]:
        """The objects of a pipeline, in the order to apply them in."""

    def objects_of_project(
        self, project: CompiledProject, chosen: Sequence[ExportedPipeline], options: Any
    ) -> dict[str, list[Json]]:
        """What belongs to no pipeline, by its file."""
        return {}

    def files(
        self,
        project: CompiledProject,
        objects: Mapping[ExportedPipeline, list[Json]],
        of_project: Mapping[str, list[Json]],
        options: Any,
    ) -> dict[str, str]:
        """The text of every file."""
        return with_kustomization(self.folder, texts_of(self.title, self.folder, objects, of_project))

    def check(self, project: CompiledProject, options: PodOptions) -> list[Problem]:
        """What cannot be expressed, whatever has become of the images meanwhile."""
        chosen = exported_pipelines(project, chosen_of(project, options.pipelines), UNTAGGED)
        refusals = self._refusals(project, chosen)
        if not refusals.found:
            long = filter(_may_be_long, chosen)
            self._check_room({one: self.objects_of(one, options) for one in long}, refusals)
        return refusals.problems

    def render(self, project: CompiledProject, options: PodOptions) -> dict[str, str]:
        """The manifests. Raises SpecError for what cannot be expressed."""
        chosen = self.chosen(project, chosen_of(project, options.pipelines))
        objects = {one: self._objects_of(one, options) for one in chosen}
        refusals = Refusals(self.title, project.files)
        self._check_room(objects, refusals)
        refusals.tell()
        return self.files(project, objects, self.objects_of_project(project, chosen, options), options)

    def chosen(self, project: CompiledProject, names: Sequence[str]) -> list[ExportedPipeline]:
        """These pipelines. Raises SpecError for what cannot be expressed of them, FatalError for an image that has changed."""
        chosen = exported_pipelines(project, names, project.files.spec.runtimes.kubernetes.tag)
        self._refusals(project, chosen).tell()
        return chosen

    def needs(self, project: CompiledProject, options: PodOptions) -> Needs:
        """The connections of the chosen pipelines. Pools are seen to by each run, or are among the files."""
        chosen = chosen_of(project, options.pipelines)
        return replace(
            Needs.of(reached_by(project, chosen).values()), pipelines=tuple(sorted(chosen)), pools={}
        )

    def is_left(self, project: CompiledProject, path: str, text: str) -> bool:
        """By what the objects in it are a part of, and what those of a pipeline are called."""
        name = project.files.spec.project
        known = {object_name(name, pipeline) for pipeline in project.plans}
        part_of = f'app.kubernetes.io/part-of: "?{object_name(name, name)}"?$'
        return PurePosixPath(path).stem not in known and re.search(part_of, text, re.MULTILINE) is not None

    def _objects_of(self, pipeline: ExportedPipeline, options: PodOptions) -> list[Json]:
        objects = self.objects_of(pipeline, options)
        if options.network_policy:
            objects.append(network_policy(pipeline, among_themselves=self.pods_meet))
        return objects

    def _check_room(self, objects: Mapping[ExportedPipeline, list[Json]], refusals: Refusals) -> None:
        for pipeline, found in objects.items():
            if any(map(is_too_long, found)):
                hint = "make several pipelines of it"
                refusals.add(pipeline.plan.pipeline, ("tasks",), "has no room for a plan of 1 MB", hint)

    def _refusals(self, project: CompiledProject, chosen: Sequence[ExportedPipeline]) -> Refusals:
        refusals = Refusals(self.title, project.files)
        for pipeline in chosen:
            self.check_pipeline(pipeline, refusals)
        check_names(chosen, refusals)
        return refusals


def _may_be_long(pipeline: ExportedPipeline) -> bool:
    """Whether its plan may be too long for a ConfigMap, to find out takes rendering it."""
    return sum(len(to_json(plan)) for plan in pipeline.reached) * _SURELY > LONGEST
