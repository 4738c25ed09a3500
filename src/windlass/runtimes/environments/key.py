"""What an environment depends on, as a hash: the files that ask for packages, and all that they name in turn."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

__all__ = ["Key"]

_NOT_READ = {
    ".git",
    ".hg",
    ".venv",
    ".windlass",
    "__pycache__",
    "node_modules",
    ".eggs",
    ".mypy_cache",
    ".pytest_cache",
}
_BUILT = {"build", "dist"}  # in the folder of a package, by whoever installs it
_MANIFESTS = ("pyproject.toml", "setup.py", "setup.cfg", "uv.lock", "package.json", ".npmrc")
_INCLUDES = ("-r", "--requirement", "-c", "--constraint")
_EDITABLE = ("-e", "--editable")
_OPTION = re.compile(
    r"(-r|--requirement|-c|--constraint|-e|--editable|-f|--find-links)(?:\s*=\s*|\s+|(?=[^-\s]))(.*)"
)


class Key:
    """Collects what an environment depends on. Whatever is read twice counts once."""

    def __init__(self, *parts: object) -> None:
        self._digest = hashlib.sha256()
        self._seen: set[Path] = set()
        self.has_folders = False
        """Whether packages in folders are installed, whose contents no installer's cache knows."""

        self.add(*parts)

    def __str__(self) -> str:
        return self._digest.copy().hexdigest()[:16]

    def add(self, *parts: object) -> None:
        for part in parts:
            self._digest.update(f"{part}".encode(errors="replace") + b"\0")

    def add_file(self, file: Path) -> bool:
        """Add what is in a file, if it is there and new. Returns whether it is."""
        if not file.is_file() or file.resolve() in self._seen:
            return False
        self._seen.add(file.resolve())
        self.add(file.name, hashlib.sha256(file.read_bytes()).hexdigest())
        return True

    def add_requirements(self, file: Path, folder: Path) -> None:
        """Add a file in pip's format, whose paths may begin at the file or in the folder of the step."""
        if not self.add_file(file):
            return
        for option, value in _requirements(file.read_text(encoding="utf-8-sig", errors="replace")):
            for base in dict.fromkeys((file.parent, folder)):
                path = base / value
                if option in _INCLUDES:
                    self.add_requirements(path, folder)
                else:
                    self.add_path(path, editable=option in _EDITABLE)

    def add_path(self, path: Path, *, editable: bool = False) -> None:
        """Add a package that is on this machine: a file, or the folder of one."""
        if not path.is_dir():
            self.add_file(path)
            return
        if path.resolve() in self._seen:
            return
        self._seen.add(path.resolve())
        self.has_folders = True
        if editable:  # what is in it is used where it is
            self.add(path.resolve())
        else:
            self._add_tree(path)
        self.add_project(path)

    def add_project(self, folder: Path) -> None:
        """Add what a Python or Node.js package asks for: its manifests, and the packages beside it that they name."""
        for name in _MANIFESTS:
            self.add_file(folder / name)
        for path, editable in (*_uv_sources(folder), *_file_dependencies(folder)):
            self.add_path(folder / path, editable=editable)

    def _add_tree(self, folder: Path) -> None:
        for root, names, files in os.walk(folder):
            ignored = _NOT_READ | (_BUILT if Path(root) == folder else set())
            names[:] = sorted(n for n in names if n not in ignored and not n.endswith(".egg-info"))
            for name in sorted(files):
                file = Path(root) / name
                if not name.endswith(".pyc") and file.is_file():
                    self.add(file.relative_to(folder), hashlib.sha256(file.read_bytes()).hexdigest())


def _requirements(text: str) -> Iterator[tuple[str, str]]:
    """The files and folders that a requirements file names, each with its option; any word that may be one."""
    for line in re.sub(r"\\\r?\n", "", text).splitlines():
        line = re.sub(r"(^|\s)#.*", "", line).strip()
        if option := _OPTION.match(line):
            yield option[1], _path(option[2])
        elif line and not line.startswith("-"):
            name, at, address = line.partition(" @ ")
            yield "", _path(address if at else name)


def _path(text: str) -> str:
    """The path in a requirement such as `./a[extra]; python_version > "3"` or `file:///a#egg=b`."""
    text = re.split(r"\s;|\s--", text)[0].strip().strip("\"'")
    if text.startswith("file:"):
        parts = urlsplit(text)
        return unquote(parts.path)
    return re.sub(r"(\[[^\]]*\])?(;.*)?$", "", text).strip() or "."


def _uv_sources(folder: Path) -> Iterator[tuple[str, bool]]:
    """The packages that `[tool.uv.sources]` gives paths for, and whether they are used where they are."""
    sources = _toml(folder / "pyproject.toml").get("tool", {}).get("uv", {}).get("sources", {})
    for source in sources.values() if isinstance(sources, dict) else ():
        for one in source if isinstance(source, list) else [source]:
            if isinstance(one, dict) and isinstance(one.get("path"), str):
                yield one["path"], one.get("editable") is True


def _file_dependencies(folder: Path) -> Iterator[tuple[str, bool]]:
    """The packages that a package.json names by `file:`."""
    try:
        package = json.loads((folder / "package.json").read_bytes())
    except (OSError, ValueError):
        return
    for group in ("dependencies", "optionalDependencies"):
        named = package.get(group) if isinstance(package, dict) else None
        for version in named.values() if isinstance(named, dict) else ():
            if isinstance(version, str) and version.startswith(("file:", "./", "../")):
                yield version.removeprefix("file:"), False


def _toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError):
        return {}
