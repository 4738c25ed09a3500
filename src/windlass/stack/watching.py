"""Follows the files of a project: tells when one has changed, and puts the plans in place for Airflow."""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

from windlass.devservices import files_of
from windlass.plan.model import Connection
from windlass.spec import ProjectFiles, load_project
from windlass.targets.airflow import export

__all__ = ["Published", "Watch", "publish"]

_Fingerprint: TypeAlias = dict[Path, tuple[int, int]]


class Watch:
    """Looks at the files that the plans come from, whenever it is asked."""

    def __init__(self, project: Path) -> None:
        self._project = project
        self._included: set[Path] = set()
        self._seen: _Fingerprint = self._look()

    def follow(self, files: ProjectFiles) -> None:
        """From now on also look at the files that the pipelines name."""
        named = {name for file in files.pipelines.values() for name in file.included}
        for declared in files.spec.connections.values():
            named |= set(files_of(Connection(type=declared.type, dev=declared.dev)))
        new = {self._project / name for name in named} - self._included
        self._included |= new
        self._seen |= _stats(new)

    def has_changed(self) -> bool:
        """Whether a file is not as it was when this was asked last."""
        found = self._look()
        changed = found != self._seen
        self._seen = found
        return changed

    def _look(self) -> _Fingerprint:
        pipelines = (self._project / "pipelines").rglob("*.y*ml")
        return _stats({self._project / "windlass.yaml", self._project / ".env", *pipelines, *self._included})


def _stats(files: set[Path]) -> _Fingerprint:
    found: _Fingerprint = {}
    for file in files:
        with suppress(OSError):  # one that is missing now may come back
            stat = file.stat()
            found[file] = (stat.st_mtime_ns, stat.st_size)
    return found


class Published:
    """The plans that are in place for Airflow."""

    def __init__(self, files: ProjectFiles, bundle: dict[str, Any]) -> None:
        self.files = files
        self.pipelines: frozenset[str] = frozenset(bundle["pipelines"])
        self.pools: dict[str, int] = bundle.get("pools", {})


def publish(project: Path, airflow: Path) -> Published:
    """Compile the project and put its plans in place, all or nothing. Raises SpecError with every problem."""
    files = load_project(project)
    own_command = (sys.executable, "-m", "windlass")
    *_, loader, plans = export(project, airflow, command=own_command)
    os.utime(loader)  # Airflow parses at once what is newer than when it parsed it last
    return Published(files, json.loads(plans.read_bytes()))
