"""How BuildKit is told of images: a bake file (https://docs.docker.com/build/bake/), and a tree with the files of their
folders that it is given.

The tree has just what the digests were made of, with times that go by contents and two modes: what is not an input cannot
get into an image, be it a file that nobody names or the time of a checkout.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from windlass.errors import naming
from windlass.files import write_file
from windlass.images.dockerfile import stage_of
from windlass.images.inputs import Inputs, content_of

__all__ = ["EPOCH", "FILE", "Build", "bake_file", "labels_of", "laid_out", "place_of"]

FILE = "docker-bake.json"
EPOCH = 315_532_800  # 1980: the first year that a zip file, and so a wheel, can say
_OCI = "org.opencontainers.image"


@dataclass(frozen=True)
class Build:
    """An image to be built, and what it will be called."""

    name: str
    repository: str
    inputs: Inputs

    @property
    def reference(self) -> str:
        return f"{self.repository}:{self.inputs.tag}"


def bake_file(builds: Iterable[Build], *, below: str = ".", platforms: bool = True) -> str:
    """The bake file of images whose folders are below a folder. Without `platforms` they are built for that of the engine."""
    targets = {build.name: _target(build, below, platforms=platforms) for build in builds}
    document = {"group": {"default": {"targets": list(targets)}}, "target": targets}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def labels_of(build: Build) -> dict[str, str]:
    """What every image says of itself."""
    based_on = list(build.inputs.bases.items())
    labels = {f"{_OCI}.title": build.repository.rpartition("/")[2], f"{_OCI}.version": build.inputs.tag}
    if len(based_on) == 1:
        labels |= {f"{_OCI}.base.name": based_on[0][0], f"{_OCI}.base.digest": based_on[0][1]}
    return labels | {"windlass.input": build.inputs.digest}


def _target(build: Build, below: str, *, platforms: bool) -> dict[str, Any]:
    inputs, image = build.inputs, build.inputs.image
    place = place_of(build, below)
    contexts = {stage_of(name): str(place / folder) for name, folder in image.libraries}
    contexts |= {name: f"docker-image://{name}@{digest}" for name, digest in inputs.bases.items()}
    said: dict[str, Any] = {
        "context": str(place / image.context),
        "contexts": contexts,
        **({"dockerfile": image.dockerfile} if inputs.is_own else {"dockerfile-inline": inputs.dockerfile}),
        "target": inputs.target,
        "args": dict(image.args),
        "platforms": inputs.settings["platforms"].split(", ") if platforms or image.platform else None,
        "tags": [build.reference],
        "labels": labels_of(build),
    }
    return {key: _literal(value) for key, value in said.items() if value}


def place_of(build: Build, below: str) -> PurePosixPath:
    """What the folders of an image are below, where images are laid out below a folder: that of the project has the project
    as its folder, and is not given what others are made of.
    """
    is_apart = build.inputs.image.of_project is not None and below != "."
    return PurePosixPath(f"{below}-itself" if is_apart else below)


def _literal(value: Any) -> Any:
    """The value, in which bake finds nothing to fill in."""
    if isinstance(value, str):
        return value.replace("${", "$${").replace("%{", "%%{")
    if isinstance(value, dict):
        return {name: _literal(one) for name, one in value.items()}
    return [_literal(one) for one in value]


def laid_out(builds: Sequence[Build], project: Path, into: Path) -> None:
    """Copy the files of images below a new folder, where they are below the project."""
    for below, some in _by_place(builds, str(into)).items():
        _laid_out(some, project, Path(below))


def _by_place(builds: Sequence[Build], below: str) -> dict[str, list[Build]]:
    found: dict[str, list[Build]] = {}
    for build in builds:
        found.setdefault(str(place_of(build, below)), []).append(build)
    return found


def _laid_out(builds: Sequence[Build], project: Path, into: Path) -> None:
    files: Mapping[str, str] = {path: kind for build in builds for path, kind in build.inputs.files.items()}
    made = {path: content for build in builds for path, content in build.inputs.made.items()}
    folders = {folder for build in builds for folder in _folders(build)}
    for folder in folders:
        (into / folder).mkdir(parents=True, exist_ok=True)
    for path, content in files.items():
        if path in made:
            write_file(into / path, made[path])
            _set_time(into / path, content)
        else:
            _copy(project / path, into / path, content)
    for path in {path for build in builds for path in _around(build)} - files.keys():
        if (project / path).is_file():
            _copy(project / path, into / path, content_of(project / path))
    for place, _, _ in os.walk(into, topdown=False):
        os.utime(place, (EPOCH, EPOCH))


def _folders(build: Build) -> tuple[str, ...]:
    return (build.inputs.image.context, *dict(build.inputs.image.libraries).values())


def _around(build: Build) -> Iterable[str]:
    """What the builder reads and may not be in the image: the Dockerfile, and what leaves files out."""
    image = build.inputs.image
    if image.of_project is not None:  # it is given what it names, all of that, and nothing else
        yield image.dockerfile
        return
    for name in (image.dockerfile, f"{image.dockerfile}.dockerignore", ".dockerignore"):
        yield str(PurePosixPath(image.context) / name)
    for _, folder in image.libraries:
        yield str(PurePosixPath(folder) / ".dockerignore")


def _copy(source: Path, target: Path, content: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_symlink():
        target.symlink_to(source.readlink())
    else:
        is_program = source.stat().st_mode & 0o100
        with naming(target):
            shutil.copyfile(source, target)
        target.chmod(0o755 if is_program else 0o644)
    _set_time(target, content)


def _set_time(file: Path, content: str) -> None:
    time = _time_of(content)
    os.utime(file, ns=(time, time), follow_symlinks=False)


def _time_of(content: str) -> int:
    """A time for a file, in nanoseconds: of the years after 1980, and another one for another content.

    BuildKit takes a file of the same size and time as the last time for the same, and does not look into it.
    """
    number = int(content.rpartition(" ")[2][:14], 16)
    return EPOCH * 10**9 + number % (1 << 56)
