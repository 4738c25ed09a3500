"""Which images the plans of a project need: a folder with how it is built, however many tasks want that."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path, PurePosixPath

from windlass import registry
from windlass.plan.model import Plan
from windlass.plan.unit import Unit
from windlass.spec import ProjectFiles
from windlass.spec.project import Images, Project
from windlass.templates import is_template

__all__ = [
    "Image",
    "OfProject",
    "Wanted",
    "image_of",
    "images_of",
    "project_image",
    "project_repository",
    "repository_of",
]


_PROJECT = "project"
_ALWAYS = ("files", "excel", "json-schema")


@dataclass(frozen=True)
class OfProject:
    """What there is in the image of a project."""

    name: str
    """Of the project."""

    extras: tuple[str, ...]
    """Of windlass."""

    files: tuple[str, ...]
    """Files and folders, relative to the project."""


@dataclass(frozen=True)
class Image:
    """How an image is built out of a folder of the project. The paths are relative to the project."""

    folder: str
    """Of the step."""

    context: str
    dockerfile: str
    """Relative to `context`."""

    program: str = ""
    """What it runs, where that decides which Dockerfile is generated."""

    target: str | None = None
    args: tuple[tuple[str, str], ...] = ()
    libraries: tuple[tuple[str, str], ...] = ()
    """Name and folder of each."""

    platform: str | None = None
    of_project: OfProject | None = None
    """Of the image of the project itself."""

    @property
    def name(self) -> str:
        """What it is called: by its folder, and its target. Two images may have one name, and differ by their tags."""
        if self.of_project is not None:
            return _PROJECT
        parts = PurePosixPath(self.folder).parts
        parts = parts[1:] if parts[:1] == ("steps",) and len(parts) > 1 else parts
        return _as_name("-".join((*parts, self.target or ""))) or "step"

    @property
    def is_known(self) -> bool:
        """Whether it is the same in every run: none of what it is built by is a template."""
        return not any(
            map(is_template, (self.folder, self.target or "", self.platform or "", *dict(self.args).values()))
        )


@dataclass(frozen=True)
class Wanted:
    """An image that pipelines want, and the name that no other image of the project has."""

    name: str
    image: Image
    pipelines: tuple[str, ...]


def project_image(spec: Project) -> Image | None:
    """The image of the project itself; None where it says that it has none."""
    said = spec.images.of_project if spec.images is not None else None
    if said is None:
        return None
    extras = _extras(frozenset(connection.type for connection in spec.connections.values()))
    of_project = OfProject(spec.project, extras, tuple(map(_plain, said.files)))
    return Image(folder=".", context=".", dockerfile="Dockerfile", of_project=of_project)


@lru_cache(1)  # it is asked for each task of a project
def _extras(types: frozenset[str]) -> tuple[str, ...]:
    """The extras of windlass that connections of these types need."""
    needed = {registry.require(kind).extra for kind in types}
    extras = {name for name in needed if name is not None and re.fullmatch(r"[a-z][a-z-]*", name)}
    return tuple(sorted(extras.union(_ALWAYS)))


def image_of(unit: Unit, project: Path, spec: Project) -> Image | None:
    """The image that is built for a unit; None for one that has an image already, or runs in one of nobody's."""
    container = unit.container
    if container.of_project:
        return project_image(spec)
    if unit.own or unit.build is None or container.image is not None:
        return None
    context = container.context or unit.build
    image = Image(
        folder=unit.build,
        context=_plain(context),
        dockerfile=_plain(container.dockerfile),
        target=container.target,
        args=tuple(sorted(container.args.items())),
        libraries=tuple(sorted(container.libraries.items())),
        platform=container.platform,
    )
    if (project / context / container.dockerfile).is_file():
        return image
    return replace(image, program=unit.command[0] if unit.command else "")


def repository_of(image: Image, project: str, images: Images | None) -> str:
    """Where the image is in a registry, without a tag; also an engine has it under that name."""
    if image.of_project is not None:
        return project_repository(project, images)
    return "/".join(filter(None, (_registry(images), f"{project.lower()}-{image.name}")))


def project_repository(project: str, images: Images | None) -> str:
    """The same of the image of the project itself, which has windlass in it."""
    return "/".join(filter(None, (_registry(images), project.lower())))


def _registry(images: Images | None) -> str:
    return (images.registry or "").rstrip("/") if images else ""


def images_of(plans: Mapping[str, Plan], files: ProjectFiles) -> list[Wanted]:
    """The images of a project, by name."""
    wanted: dict[Image, set[str]] = {}
    for pipeline, plan in plans.items():
        for task in plan.tasks:
            image = image_of(task.unit, files.root, files.spec) if task.unit is not None else None
            if image is not None:
                wanted.setdefault(image, set()).add(pipeline)
    names = _names(wanted)
    found = [Wanted(names[image], image, tuple(sorted(pipelines))) for image, pipelines in wanted.items()]
    return sorted(found, key=lambda one: one.name)


def _names(images: Iterable[Image]) -> dict[Image, str]:
    """A name for each: its own, and where several have that, one that says which it is."""
    known = [image.name for image in images if image.is_known]
    return {
        image: image.name
        if image.is_known and known.count(image.name) == 1
        else f"{image.name}-{_told_apart(image)}"
        for image in images
    }


def _told_apart(image: Image) -> str:
    said = [image.context, image.dockerfile, image.program, image.args, image.libraries, image.platform]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:6]


def _plain(path: str) -> str:
    return str(PurePosixPath(path))


def _as_name(text: str) -> str:
    """Text as a part of the name of an image: small letters and digits, and `-` between them."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
