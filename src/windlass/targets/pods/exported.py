"""What every target with pods knows of a pipeline that it exports."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from windlass.images.image import project_repository
from windlass.plan.model import Plan, Task
from windlass.spec.pipeline import Pipeline
from windlass.spec.project import Project
from windlass.spec.runtimes import PodSettings
from windlass.targets import CompiledProject
from windlass.targets.choosing import with_triggered
from windlass.targets.images import UNTAGGED, with_images
from windlass.targets.pods.container import Containers, services_of
from windlass.targets.pods.environment import connections_secret
from windlass.targets.pods.names import object_name
from windlass.targets.pods.settings import Json, merged, said
from windlass.targets.pods.shape import Shape, shape_of

__all__ = ["ExportedPipeline", "exported_pipelines"]


@dataclass(frozen=True, eq=False)
class ExportedPipeline:
    """A pipeline, as it is exported: its plan with the names of images, what its file says, and its project."""

    plan: Plan
    file: str
    """Where it is written, below the project."""

    said: Pipeline
    project: Project
    root: Path
    plans: Mapping[str, Plan]
    """Of the whole project, with the names of images."""

    open_plans: Mapping[str, Plan]
    """Those in which parameters are still templates."""

    image: str
    """Of the project."""

    others: Mapping[str, ExportedPipeline]
    """All of the project, by their names."""

    @cached_property
    def name(self) -> str:
        """What its objects are called."""
        return object_name(self.plan.project, self.plan.pipeline)

    @cached_property
    def shape(self) -> Shape:
        return shape_of(self.plan, self.plans)

    @cached_property
    def reached(self) -> list[Plan]:
        """Its plan, and those of all pipelines that a run of it starts."""
        return with_triggered(self.plan, self.plans)

    @property
    def open_plans_reached(self) -> list[Plan]:
        """The same, with their parameters still templates."""
        return [self.open_plans[plan.pipeline] for plan in self.reached]

    @cached_property
    def pods(self) -> PodSettings:
        return merged(self.project.runtimes.kubernetes.pods, self.said.kubernetes)

    @property
    def labels(self) -> dict[str, str]:
        """What its objects are found by."""
        return {
            "app.kubernetes.io/name": self.name,
            "app.kubernetes.io/part-of": object_name(self.plan.project, self.plan.project),
            "app.kubernetes.io/managed-by": "windlass",
        }

    def named(self, one: Json) -> Json:
        """The object, with what it is called and found by, unless it says so itself."""
        metadata = {
            "name": self.name,
            "namespace": self.project.runtimes.kubernetes.namespace,
            "labels": self.labels,
            "annotations": said({"kubernetes.io/description": self.plan.description or None}),
            **one.get("metadata", {}),
        }
        first = {"apiVersion": one["apiVersion"], "kind": one["kind"], "metadata": said(metadata)}
        return first | {key: value for key, value in one.items() if key not in first}

    def containers(self, run: list[Json]) -> Containers:
        """Its containers, which know by these variables which run they belong to."""
        return Containers(
            plan=self.plan,
            image=self.image,
            pods=self.pods,
            tasks=self.said.tasks,
            secret=connections_secret(self.project),
            run=run,
            entrypoints={task.name: self.entrypoint(task) for task in self.plan.tasks},
            services=services_of(self.plan),
        )

    def entrypoint(self, task: Task) -> list[str] | None:
        """The ENTRYPOINT of a command's image; None where nobody knows."""
        known, unit = self.said.tasks[task.name].kubernetes.entrypoint, task.unit
        if known is not None or unit is None:
            return known
        if unit.build is None:
            return [] if unit.container.image is None or unit.container.of_project else None
        dockerfile = self.root / (unit.container.context or unit.build) / unit.container.dockerfile
        return None if dockerfile.is_file() and _HAS_ENTRYPOINT.search(dockerfile.read_text("utf-8")) else []


_HAS_ENTRYPOINT = re.compile(r"^\s*ENTRYPOINT\b", re.MULTILINE | re.IGNORECASE)


def exported_pipelines(
    project: CompiledProject, chosen: Iterable[str], tag: str | None
) -> list[ExportedPipeline]:
    """These pipelines of a project. Without a tag raises FatalError for an image that has changed since it was pushed."""
    files = project.files
    plans = with_images(project.plans, files, tag)
    open_plans = with_images(project.open_plans, files, tag)
    image = _project_image(files.spec, plans.values())
    known: dict[str, ExportedPipeline] = {}
    for name in plans:
        known[name] = ExportedPipeline(
            plan=plans[name],
            file=files.pipelines[name].document.file,
            said=files.pipelines[name].spec,
            project=files.spec,
            root=files.root,
            plans=plans,
            open_plans=open_plans,
            image=image,
            others=known,
        )
    return [known[name] for name in chosen]


def _project_image(project: Project, plans: Iterable[Plan]) -> str:
    """The image of the project: as the plans name it, else by the tag that it is given."""
    for plan in plans:
        for task in plan.tasks:
            if task.unit is not None and task.unit.container.of_project and task.unit.container.image:
                return task.unit.container.image
    name = project_repository(project.project, project.images)
    return f"{name}:{project.runtimes.kubernetes.tag or UNTAGGED}"
