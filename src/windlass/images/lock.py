"""windlass.lock: what was pushed of each image, and the digest of each image that others are based on.

It belongs into version control: a change of it is reviewed like any other, and an export names images by it. Its lines are
in the order of their names, so that two branches seldom meet.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import yaml

from windlass.errors import Code, FatalError, reason_of
from windlass.files import write_whole

__all__ = ["FILE", "Lock", "Pushed"]

FILE = "windlass.lock"
_VERSION = 1
_HEAD = "# Written by `windlass build`. Commit it: exports name images by what it says.\n"


@dataclass(frozen=True)
class Pushed:
    """An image in a registry."""

    image: str
    """Its name there, without a tag."""

    input: str
    """The digest of what it is made of."""

    digest: str
    """Its own."""

    parts: dict[str, str] = field(default_factory=dict)
    """What it is made of, each with its own digest or value."""

    @property
    def reference(self) -> str:
        return f"{self.image}@{self.digest}"


@dataclass(frozen=True)
class Lock:
    """What the file says; nothing, where there is none."""

    images: dict[str, Pushed] = field(default_factory=dict)
    bases: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, project: Path) -> Self:
        """The lock of a project. Raises FatalError for a file that is something else."""
        file = project / FILE
        if not file.is_file():
            return cls()
        try:
            read = yaml.safe_load(file.read_text(encoding="utf-8"))
            if (version := read["version"]) != _VERSION:
                raise _unreadable(file, f"it has version {version}, expected {_VERSION}")
            images = {name: _pushed(said) for name, said in (read.get("images") or {}).items()}
            return cls(images, {str(n): str(d) for n, d in (read.get("bases") or {}).items()})
        except (OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError) as exc:
            raise _unreadable(file, reason_of(exc).splitlines()[0]) from exc

    def write(self, project: Path) -> None:
        """Put it into the project, if it says anything else than what is there."""
        images = {name: _said(pushed) for name, pushed in sorted(self.images.items())}
        document = {"version": _VERSION, "bases": dict(sorted(self.bases.items())), "images": images}
        text = _HEAD + yaml.safe_dump(document, sort_keys=False, width=1000)
        file = project / FILE
        if not file.is_file() or file.read_text(encoding="utf-8") != text:
            write_whole(file, text)

    def pushed_as(self, image: str, input: str) -> str | None:
        """The reference of an image that was pushed as it would be built."""
        found = (one.reference for one in self.images.values() if (one.image, one.input) == (image, input))
        return next(found, None)

    def with_images(self, images: dict[str, Pushed]) -> Lock:
        return replace(self, images={**self.images, **images})


def _pushed(said: Any) -> Pushed:
    parts = {str(name): str(value) for name, value in said["made_of"].items()}
    return Pushed(str(said["image"]), str(said["input"]), str(said["digest"]), parts)


def _said(pushed: Pushed) -> dict[str, object]:
    return {
        "image": pushed.image,
        "input": pushed.input,
        "digest": pushed.digest,
        "made_of": dict(sorted(pushed.parts.items())),
    }


def _unreadable(file: Path, why: str) -> FatalError:
    hint = "take it from version control again, or remove it and run: windlass build --push"
    return FatalError(f"{file} cannot be used: {why}", hint=hint, code=Code.UNREADABLE_FILE)
