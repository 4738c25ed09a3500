"""Where the paths of a pipeline are: which file of this machine a path in a YAML file or a command means."""

from __future__ import annotations

import glob
import os
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from windlass import registry
from windlass.errors import FatalError
from windlass.project_folder import PIPELINES_FOLDER, PROJECT_FILE

__all__ = [
    "Workspace",
    "bucket_and_key",
    "is_stored",
    "local_path",
    "require_not_of_project",
    "require_text",
    "require_writable",
    "scheme_of",
]

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/")
_FOLDERS_OF_PROJECT = (".git", ".windlass")


class Workspace(Struct, frozen=True):
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
        """The file of that name in the workspace. Raises FatalError for one that the project is made of, through links, too."""
        file = require_text(self.root / local_path(path))
        project, place = _without_links(self.project), _without_links(file)
        if place.is_relative_to(project) and not self._is_within_state(project):
            require_not_of_project(place.relative_to(project).as_posix(), path)
        return file

    def _is_within_state(self, project: Path) -> bool:
        """Whether it is a folder that windlass made for the tasks of one run."""
        return self.root != self.project and _without_links(self.root).is_relative_to(project / ".windlass")


def _without_links(path: Path) -> Path:
    """The place without links; also where they lead in a circle, which whoever opens it finds out."""
    return Path(os.path.realpath(path))


def scheme_of(path: str) -> str | None:
    """`s3` of `s3://bucket/name`, in lower case; None for the path of a file on this machine."""
    found = _SCHEME.match(path)
    return found[1].lower() if found else None


def is_stored(path: str) -> bool:
    """Whether it is the path of an object in a store."""
    return _store_of(path) is not None


def _store_of(path: str) -> registry.Connector | None:
    """The connector of the store that a path is in."""
    scheme = scheme_of(path)
    connector = registry.by_scheme(scheme) if scheme not in (None, "file") else None
    return connector if connector is not None and connector.store is not None else None


def require_writable(path: str) -> None:
    """Raise FatalError for the path of an object in a store that is only read."""
    connector = _store_of(path)
    if connector is not None and not connector.has_store_to_write:
        hint = "write a file of this machine, or of a store of objects"
        raise FatalError(f"{path!r}: {scheme_of(path)}:// can only be read", hint=hint)


def bucket_and_key(path: str) -> tuple[str, str]:
    """`bucket` and `folder/name` of `s3://bucket/folder/name`. Raises FatalError where there is no bucket."""
    scheme, _, rest = path.partition(":")
    bucket, _, key = rest.removeprefix("/").removeprefix("/").partition("/")
    if not bucket:
        raise FatalError(f"{path!r} names no bucket", hint=f"such as {scheme}://bucket/orders.csv")
    return bucket, key


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


def require_not_of_project(path: str, written: str | None = None) -> None:
    """Raise FatalError for a file that the project itself is made of: rows put there would be the end of it.

    `path` is relative to the project; how somebody has written it is told.
    """
    inside = posixpath.normpath(path)
    first = inside.partition("/")[0]
    is_pipeline = first == PIPELINES_FOLDER and inside.endswith((".yaml", ".yml"))
    if inside in (PROJECT_FILE, ".env") or first in _FOLDERS_OF_PROJECT or is_pipeline:
        hint = "name a file of its own, such as out/orders.csv"
        raise FatalError(
            f"{written or path!r} is what the project itself is made of, and is not written over", hint=hint
        )


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
    if scheme in ("http", "https"):
        return f", and {scheme}:// can only be read, one file at a time"
    return f"; declare a connection of type {connector.type} for it"


def _matching(root: Path, pattern: str) -> Iterator[Path]:
    absolute = pattern if Path(pattern).is_absolute() else f"{glob.escape(str(root))}/{pattern}"
    found = map(Path, glob.iglob(absolute, recursive=True))  # noqa: PTH207 - it may be absolute
    return (file for file in found if file.is_file())
