"""Follows the files of a project: tells when one has changed, and puts the plans in place for Airflow."""

from __future__ import annotations

import os
import shlex
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from windlass.devservices import files_of
from windlass.plan.model import Connection
from windlass.spec import ProjectFiles, load_project
from windlass.targets import Needs
from windlass.targets.airflow.target import LOADER, TARGET, AirflowOptions
from windlass.targets.exporting import compiled, put

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


@dataclass(frozen=True)
class Published:
    """The plans that are in place for Airflow."""

    files: ProjectFiles
    needs: Needs

    @property
    def pipelines(self) -> frozenset[str]:
        return frozenset(self.needs.pipelines)


def publish(project: Path, airflow: Path) -> Published:
    """Compile the project and put its plans in place, all or nothing. Raises SpecError with every problem."""
    options = AirflowOptions(command=shlex.join((sys.executable, "-m", "windlass")))
    exported = put(TARGET, compiled(load_project(project)), airflow, options)
    os.utime(airflow / LOADER)  # Airflow parses at once what is newer than when it parsed it last
    return Published(exported.project.files, exported.needs)
