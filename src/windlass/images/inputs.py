"""All that an image is made of: files, and settings. The same on any machine and in any checkout: of a file its path
below the project, its content and whether it may be executed count, and neither times nor owners.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

from windlass.errors import Code, FatalError
from windlass.images.dockerfile import bases, with_libraries
from windlass.images.generating import generated
from windlass.images.ignoring import files_of, patterns_of
from windlass.images.image import Image, OfProject
from windlass.images.of_project import dockerfile_of_project, paths_of_project
from windlass.images.wheel import own_wheel
from windlass.spec.project import Images

__all__ = ["Inputs", "Reader", "changes", "content_of", "part_changes"]

_FORMAT = "windlass image 1"
_DOCKERFILE = "the Dockerfile"
_SHOWN = 12  # digits
_USUAL = "Dockerfile"


@dataclass(frozen=True)
class Inputs:
    """What one image is made of."""

    image: Image
    files: Mapping[str, str]
    """Kind and digest of each, by its path below the project."""

    settings: Mapping[str, str]
    dockerfile: str
    """The text by which it is built."""

    is_own: bool
    """Whether that is the file of the folder as it is."""

    target: str | None
    """The stage of it that is built."""

    bases: Mapping[str, str]
    """The digest of each base that has one."""

    made: Mapping[str, bytes] = field(default_factory=dict)
    """What is in no file of the project, by the path that it will have there."""

    @cached_property
    def digest(self) -> str:
        said = json.dumps([_FORMAT, sorted(self.settings.items()), sorted(self.files.items())])
        return hashlib.sha256(said.encode()).hexdigest()

    @property
    def tag(self) -> str:
        return f"in-{self.digest[:_SHOWN]}"

    @property
    def parts(self) -> dict[str, str]:
        """The same in few lines: a digest for each folder, and the settings."""
        folders = dict.fromkeys((self.image.context, *dict(self.image.libraries).values()))
        if self.image.of_project is not None:  # its context is the whole project, of which it has little
            folders = dict.fromkeys(PurePosixPath(path).parts[0] for path in self.files)
        made = {
            folder: _short(sorted((p, f) for p, f in self.files.items() if _is_below(p, folder)))
            for folder in folders
        }
        return {**self.settings, **made}


class Reader:
    """Reads what images of a project are made of, each file once."""

    def __init__(self, project: Path, images: Images | None, bases: Mapping[str, str]) -> None:
        self._project, self._said, self._bases = project, images or Images(), bases
        self._files: dict[str, str] = {}
        self._folders: dict[tuple[str, str], list[str]] = {}

    def of(self, image: Image, platforms: Iterable[str] = ()) -> Inputs:
        """What an image is made of. Raises FatalError for what is not there."""
        text, is_own = self._dockerfile(image)
        libraries = dict(image.libraries)
        completed, target = with_libraries(text, libraries, image.target)
        args = dict(image.args)
        pinned = {name: self._bases[name] for name in bases(completed, args) if name in self._bases}
        wanted = [image.platform] if image.platform else sorted(platforms or self._said.platforms)
        paths = self._of_project(image.of_project) if image.of_project else self._of_step(image)
        settings = {
            _DOCKERFILE: _short(completed),
            "context": image.context,
            "platforms": ", ".join(wanted),
            **({"target": target} if target else {}),
            **{f"arg {name}": value for name, value in args.items()},
            **{f"library {name}": folder for name, folder in libraries.items()},
            **{f"base {name}": digest for name, digest in pinned.items()},
        }
        files = {path: self._file(path) for path in sorted(set(paths))}
        made = self._made(image)
        files |= {path: _content(content) for path, content in made.items()}
        is_its_own = is_own and completed == text
        return Inputs(image, files, settings, completed, is_its_own, target, pinned, made)

    def bases_of(self, image: Image) -> list[str]:
        """The images that it is based on."""
        return bases(self._dockerfile(image)[0], dict(image.args))

    def _dockerfile(self, image: Image) -> tuple[str, bool]:
        file = self._project / image.context / image.dockerfile
        if not file.parent.is_dir():
            raise FatalError(f"there is no folder {file.parent} for the step", code=Code.NO_IMAGE)
        if file.is_file():
            return file.read_text(encoding="utf-8", errors="surrogateescape"), True
        if file.name != _USUAL:
            raise FatalError(f"there is no {file}", hint="`dockerfile` says so", code=Code.NO_IMAGE)
        if image.of_project is not None:
            own = own_wheel()
            return dockerfile_of_project(self._project, image.of_project, self._said.python, own), False
        return generated(image, self._project, self._said), False

    def _made(self, image: Image) -> dict[str, bytes]:
        wheel = own_wheel() if image.of_project is not None else None
        return {wheel.name: wheel.content} if wheel is not None else {}

    def _of_step(self, image: Image) -> Iterator[str]:
        yield from self._folder(image.context, image.dockerfile)
        for _, folder in image.libraries:
            yield from self._folder(folder, _USUAL)

    def _of_project(self, image: OfProject) -> Iterator[str]:
        for path in paths_of_project(self._project, image):
            place = self._project / path
            if place.is_dir():
                yield from self._folder(path, _USUAL)
            elif place.is_file():
                yield path
            else:
                hint = "`images.project.files` in windlass.yaml names it"
                raise FatalError(f"there is no {place}", hint=hint, code=Code.NO_IMAGE)

    def _folder(self, folder: str, dockerfile: str) -> list[str]:
        """The files of a folder that an image may be made of."""
        place = self._project / folder
        if not place.is_dir():
            raise FatalError(f"there is no folder {place}", hint="an image is made of it", code=Code.NO_IMAGE)
        if not place.resolve().is_relative_to(self._project.resolve()):
            hint = "an image is made of folders of the project; name those that it shares under `libraries`"
            raise FatalError(f"the folder {place} is outside the project", hint=hint, code=Code.NO_IMAGE)
        if (folder, dockerfile) not in self._folders:
            found = files_of(place, patterns_of(_ignored(place, dockerfile)))
            self._folders[folder, dockerfile] = [str(PurePosixPath(folder) / path) for path in found]
        return self._folders[folder, dockerfile]

    def _file(self, path: str) -> str:
        if path not in self._files:
            self._files[path] = content_of(self._project / path)
        return self._files[path]


def changes(old: Mapping[str, str], new: Mapping[str, str], settings: Mapping[str, str]) -> Iterator[str]:
    """What differs between two states of files and settings, in words: first the files, then how they are built."""
    for path in sorted(old.keys() | new.keys(), key=lambda name: (name in settings, name)):
        if path not in new:
            yield f"{path} removed"
        elif path not in old:
            yield f"{path} added"
        elif old[path] != new[path]:
            yield f"{path} changed"


def part_changes(old: Mapping[str, str], inputs: Inputs) -> list[str]:
    """The same, where only the parts of the earlier state are known."""
    return list(changes(old, inputs.parts, inputs.settings))


def _ignored(place: Path, dockerfile: str) -> list[str]:
    own = place / f"{dockerfile}.dockerignore"  # BuildKit takes it before the one of the folder
    file = own if own.is_file() else place / ".dockerignore"
    if not file.is_file():
        return []
    return file.read_text(
        encoding="utf-8-sig", errors="surrogateescape"
    ).splitlines()  # as names of files are


def content_of(file: Path) -> str:
    """What a file is, and the digest of what is in it."""
    if file.is_symlink():
        return f"link {hashlib.sha256(os.fsencode(file.readlink())).hexdigest()}"
    with file.open("rb") as data:
        digest = hashlib.file_digest(data, "sha256").hexdigest()
        return f"{'program' if os.fstat(data.fileno()).st_mode & 0o100 else 'file'} {digest}"


def _content(content: bytes) -> str:
    return f"file {hashlib.sha256(content).hexdigest()}"


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:_SHOWN]


def _is_below(path: str, folder: str) -> bool:
    return folder == "." or path == folder or path.startswith(f"{folder}/")
