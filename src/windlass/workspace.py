"""Where the paths of a pipeline are: which file of this machine a path in a YAML file or a command means."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from windlass import registry
from windlass.errors import FatalError

__all__ = ["Workspace", "is_stored", "local_path", "require_text", "scheme_of"]

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/")


@dataclass(frozen=True)
class Workspace:
    """Where relative paths are: read from `root`, else from the project; written to `root`.

    On a laptop both are the project folder; in a container `root` is `/data`.
    """

    root: Path
    project: Path

    def to_read(self, path: str) -> Path:
        """The file of that name in the workspace if something is there, else in the project."""
        own, fallback = self.root / local_path(path), self.project / local_path(path)
        return require_text(own if own.exists() or not fallback.exists() else fallback)

    def matching(self, pattern: str) -> list[Path]:
        """The files that a pattern stands for, in order: of the workspace if it has any, else of the project."""
        own = list(_matching(self.root, local_path(pattern)))
        return sorted(map(require_text, own or _matching(self.project, local_path(pattern))))

    def to_write(self, path: str) -> Path:
        return require_text(self.root / local_path(path))


def scheme_of(path: str) -> str | None:
    """`s3` of `s3://bucket/name`, in lower case; None for the path of a file on this machine."""
    found = _SCHEME.match(path)
    return found[1].lower() if found else None


def is_stored(path: str) -> bool:
    """Whether it is the path of an object in a store."""
    scheme = scheme_of(path)
    connector = registry.by_scheme(scheme) if scheme not in (None, "file") else None
    return connector is not None and connector.store is not None


def local_path(path: str) -> str:
    """The path of a file on this machine, taken out of `file:///…` where it is written so.

    Raises FatalError for a path elsewhere, and for `~/…`, which would be a folder of that name here.
    """
    scheme = scheme_of(path)
    if path == "~" or path.startswith("~/"):
        hint = "write the folder out; a folder that is called ~ is ./~"
        raise FatalError(f"{path!r} begins with a ~, which only a shell makes a home folder of", hint=hint)
    if scheme is None:
        return path
    parts = urlsplit(path)
    if scheme != "file":
        raise FatalError(f"{path!r} is not on this machine{_what_else(scheme)}")
    if parts.netloc not in ("", "localhost"):
        raise FatalError(f"{path!r} names another machine; a file of this one is file:///path")
    return unquote(parts.path)


def require_text(path: Path) -> Path:
    """The path, which can be read as text: what reads and writes rows takes no other. Raises FatalError."""
    try:
        str(path).encode()
    except UnicodeEncodeError as exc:
        hint = "rename it; or if that is how it should be read, run windlass with PYTHONUTF8=1"
        raise FatalError(f"the name {os.fsencode(path)!r} is not UTF-8", hint=hint) from exc
    return path


def _what_else(scheme: str) -> str:
    connector = registry.by_scheme(scheme)
    if connector is None:
        return f", and {scheme}:// is not supported"
    if connector.form == "store":
        return f", and {scheme}:// is not possible here"
    if connector.form == "url":
        return f", and {scheme}:// can only be read, one file at a time"
    return f"; declare a connection of type {connector.type} for it"


def _matching(root: Path, pattern: str) -> Iterator[Path]:
    absolute = pattern if Path(pattern).is_absolute() else f"{glob.escape(str(root))}/{pattern}"
    found = map(Path, glob.iglob(absolute, recursive=True))  # noqa: PTH207 - it may be absolute
    return (file for file in found if file.is_file())
