"""Renders a project as a workflow of CI."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

from msgspec import Struct

from windlass import __version__
from windlass.errors import UsageError
from windlass.images.image import images_of
from windlass.targets import CompiledProject, Needs, TargetWithSecrets
from windlass.targets.ci import cloudbuild, github, gitlab
from windlass.targets.ci.work import Work
from windlass.targets.pods.manifests import manifests

__all__ = ["TARGET", "CiOptions", "CiTarget"]

_HEADING = "The pipelines of {project}, by windlass export ci: export again rather than edit."
_NO_IMAGES = (
    "\nNo images are built: windlass.yaml names no registry (images: {registry: …}), or no task has one."
)
_PROVIDERS: dict[str, tuple[str, Callable[[Work], dict[str, Any]]]] = {
    "github": (github.FILE, github.workflow),
    "gitlab": (gitlab.FILE, gitlab.jobs),
    "cloudbuild": (cloudbuild.FILE, cloudbuild.build),
}


class CiOptions(Struct, frozen=True, kw_only=True):
    """How a project is checked, built and deployed."""

    provider: Literal["github", "gitlab", "cloudbuild"] = "github"
    """Who runs it."""

    branch: str = "main"
    """The branch that is deployed."""

    directory: str = "."
    """The project's folder in the repository."""

    exports: str = ""
    """What to export once images are pushed, with commas between: "kubernetes, airflow --project-path /opt/shop"."""

    install: str = f"windlass[all]=={__version__}"
    """What pip installs."""


class CiTarget:
    """Write a workflow that checks every change, and builds and exports what has changed.

    Changes are validated, tested, and told by windlass diff. On the branch that is deployed, images are pushed, and exports
    become a pull request.
    """

    title = "CI"
    options = CiOptions

    def render(self, project: CompiledProject, options: CiOptions) -> dict[str, str]:
        """The workflow. Raises UsageError for exports that are not for a repository."""
        file, rendered = _PROVIDERS[options.provider]
        work = _work(project, options)
        heading = _HEADING.format(project=work.project) + ("" if work.registry else _NO_IMAGES)
        return {file: manifests(heading, [rendered(work)])}

    def needs(self, project: CompiledProject, _options: CiOptions) -> Needs:
        """No connection and no pool: it tests pipelines, and runs none."""
        return replace(Needs.of(project.plans.values()), connections={}, pools={})


def _work(project: CompiledProject, options: CiOptions) -> Work:
    spec = project.files.spec
    registry = spec.images.registry if spec.images and images_of(project.plans, project.files) else None
    return Work(
        project=spec.project,
        branch=options.branch,
        directory=options.directory,
        requirement=options.install,
        has_tests=any((project.root / "tests").glob("*.y*ml")),
        registry=registry.partition("/")[0] if registry else None,
        platforms=tuple(spec.images.platforms) if spec.images else ("linux/amd64",),
        exports=tuple(_export(text) for text in options.exports.split(",") if text.strip()),
    )


def _export(text: str) -> tuple[str, ...]:
    """The words after `windlass export`. Raises UsageError for what is not a target, or has secrets in it."""
    from windlass.targets.table import TARGETS

    words = tuple(shlex.split(text))
    if isinstance(TARGETS.load(words[0]), TargetWithSecrets):
        raise UsageError(f"an export to {words[0]} has secrets, which are for no repository")
    return words


TARGET = CiTarget()
