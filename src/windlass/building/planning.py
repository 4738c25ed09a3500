"""What there is to do: each image, whether it has to be built, why, and which pipelines it touches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from windlass.building.bases import digest_in_registry, pinned
from windlass.building.revision import images_since
from windlass.errors import FatalError, UsageError, did_you_mean
from windlass.images import record
from windlass.images.bake import Build
from windlass.images.image import Wanted, images_of, repository_of
from windlass.images.inputs import Inputs, Reader, changes, part_changes
from windlass.images.lock import Lock, Pushed
from windlass.plan.compiler import compile_project
from windlass.runtimes.docker.engine import Engine, engine_of
from windlass.spec import ProjectFiles, load_project

__all__ = ["BuildPlan", "Step", "plan_builds"]

_AT_ONCE = 16


@dataclass(frozen=True)
class Step:
    """One image, and what has to be done for it."""

    build: Build
    pipelines: tuple[str, ...]
    is_current: bool = False
    """Whether the engine, or with `push` the registry, has it as it would be built."""

    why: tuple[str, ...] = ()
    digest: str | None = None
    """What the registry has of it."""


@dataclass(frozen=True)
class BuildPlan:
    """What there is to do for a project."""

    project: Path
    steps: tuple[Step, ...]
    all_builds: tuple[Build, ...]
    """Of the whole project, also of what was not asked for."""

    lock: Lock
    """With the bases that it will have, and the images that the registry has already."""

    push: bool
    platforms: tuple[str, ...]
    """Those that were said."""

    sbom: bool | str = True
    """As `images.sbom` says."""

    unknown: tuple[str, ...] = ()
    """Folders whose image only a run knows: templates say how it is built."""

    @property
    def to_build(self) -> tuple[Step, ...]:
        return tuple(step for step in self.steps if not step.is_current)


def plan_builds(
    project: Path,
    names: Sequence[str] = (),
    *,
    push: bool = False,
    platforms: Sequence[str] = (),
    refresh_bases: bool = False,
    since: str | None = None,
) -> BuildPlan:
    """What there is to do for the images of a project: those of that name, or all. Writes nothing, and does without an
    engine, which then has nothing. Raises WindlassError.
    """
    files = load_project(project)
    found = images_of(compile_project(files), files)
    wanted = [one for one in found if one.image.is_known]
    _check(names, wanted, files, push=push, platforms=platforms)
    engine, lock = _engine(), Lock.of(project)
    reader = Reader(project, files.spec.images, lock.bases)
    lock = _with_bases(engine, lock, reader, wanted, refresh=refresh_bases)
    pinning = Reader(project, files.spec.images, lock.bases)
    builds = {one.name: _build(one, files, pinning.of(one.image, platforms)) for one in wanted}
    asked = [one for one in wanted if not names or one.name in names]
    earlier = images_since(project, since, platforms) if since is not None else None
    compared = {one.name: builds[one.name].inputs for one in asked}
    if earlier is not None:
        now = pinning if refresh_bases else reader  # a base that is pinned only now has not changed
        compared = {one.name: now.of(one.image, platforms) for one in asked}
        asked = [one for one in asked if _differs(compared[one.name], earlier.get(one.name))]
    there = _there(engine, [builds[one.name] for one in asked], lock, push=push)
    reasons = _Reasons(project, lock, earlier, push=push)
    steps = tuple(
        Step(builds[one.name], one.pipelines, is_current=True, digest=there[one.name])
        if one.name in there
        else Step(builds[one.name], one.pipelines, why=reasons.of(one.name, compared[one.name]))
        for one in asked
    )
    unknown = tuple(one.image.folder for one in found if not one.image.is_known)
    images = {name: pushed for name, pushed in lock.images.items() if name in builds}
    lock = replace(lock, images=images).with_images(_in_registry(steps))
    sbom = files.spec.images.sbom if files.spec.images else True
    return BuildPlan(project, steps, tuple(builds.values()), lock, push, tuple(platforms), sbom, unknown)


def _check(
    names: Iterable[str],
    wanted: Sequence[Wanted],
    files: ProjectFiles,
    *,
    push: bool,
    platforms: Sequence[str],
) -> None:
    known = [one.name for one in wanted]
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known) or "no step of a pipeline has a `build`"
            raise UsageError(f"there is no image {name!r}", hint=hint)
    if push and (files.spec.images is None or files.spec.images.registry is None):
        hint = "say `images: {registry: docker.io/acme}` in windlass.yaml"
        raise UsageError("no registry is known to push to", hint=hint)
    if len(platforms) > 1 and not push:
        raise UsageError(
            "an engine has images of one platform; several are pushed to a registry", hint="say --push, too"
        )


def _with_bases(
    engine: Engine | None, lock: Lock, reader: Reader, wanted: Iterable[Wanted], *, refresh: bool
) -> Lock:
    """The lock with the digests of the bases that the images have now, and of no others."""
    bases = {base for one in wanted for base in reader.bases_of(one.image)}
    known = {base: digest for base, digest in lock.bases.items() if base in bases}
    return replace(lock, bases=pinned(engine, bases, known, refresh=refresh))


def _engine() -> Engine | None:
    try:
        return engine_of()
    except FatalError:
        return None


def _build(one: Wanted, files: ProjectFiles, inputs: Inputs) -> Build:
    return Build(one.name, repository_of(one.image, files.spec.project, files.spec.images), inputs)


def _differs(new: Inputs, old: Inputs | None) -> bool:
    return old is None or old.digest != new.digest


def _there(
    engine: Engine | None, builds: Sequence[Build], lock: Lock, *, push: bool
) -> dict[str, str | None]:
    """The images that need not be built, by name, each with the digest that the registry has of it, as far as known."""
    found: dict[str, str | None] = {}
    for build in builds:
        pushed = lock.images.get(build.name)
        if pushed is not None and (pushed.image, pushed.input) == (build.repository, build.inputs.digest):
            found[build.name] = pushed.digest
    if engine is None:
        return found
    others = [build for build in builds if build.name not in found]
    if push:
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            digests = threads.map(lambda build: digest_in_registry(engine, build.reference), others)
            found |= {build.name: d for build, d in zip(others, digests, strict=True) if d is not None}
    else:
        tags = {tag for image in engine.client.images() for tag in image.get("RepoTags") or ()}
        found |= {build.name: None for build in others if tags & _called(build.reference)}
    return found


def _called(reference: str) -> set[str]:
    """What an engine may call an image: Docker leaves out its Hub, Podman puts it in, or that there is no registry."""
    short = reference.removeprefix("docker.io/").removeprefix("library/")
    return {
        reference,
        *(f"{where}{short}" for where in ("", "localhost/", "docker.io/", "docker.io/library/")),
    }


def _in_registry(steps: Iterable[Step]) -> dict[str, Pushed]:
    return {
        step.build.name: Pushed(
            step.build.repository, step.build.inputs.digest, step.digest, step.build.inputs.parts
        )
        for step in steps
        if step.digest is not None
    }


class _Reasons:
    """Says why an image has to be built, from the nearest state of it that is known."""

    def __init__(self, project: Path, lock: Lock, since: Mapping[str, Inputs] | None, *, push: bool) -> None:
        self._where = "registry" if push else "engine"
        self._since = {name: {**i.files, **i.settings} for name, i in (since or {}).items()}
        self._built, self._lock, self._asks_since = record.read(project), lock, since is not None

    def of(self, name: str, inputs: Inputs) -> tuple[str, ...]:
        new = {**inputs.files, **inputs.settings}
        pushed = self._lock.images.get(name)
        states = (self._since,) if self._asks_since else (self._since, self._built)
        for state in states:
            if name in state and (found := tuple(changes(state[name], new, inputs.settings))):
                return found
        if pushed is not None and (found := tuple(part_changes(pushed.parts, inputs))):
            return found
        is_new = name not in self._built and pushed is None
        return ("never built",) if is_new else (f"the {self._where} does not have it",)
