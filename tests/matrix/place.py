"""A copy of an example's project for one run: its servers are its own, and stay until somebody has looked at what came of it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from tests.kubernetes.hook import hook
from tests.matrix.ticks import FIRED
from windlass.connections import ORIGIN, STAND_IN, variable
from windlass.plan.model import Plan
from windlass.plan.schedule import is_regular
from windlass.plan.ticks import Ticks
from windlass.runner.connections import FoundConnections
from windlass.spec import load_project
from windlass.state_folder import StateFolder
from windlass.targets import CompiledProject
from windlass.targets.exporting import compiled

__all__ = ["ROOT", "WINDLASS", "Place", "RunFailedError", "a_place"]

ROOT = Path(__file__).parents[2]
WINDLASS = str(Path(sys.executable).with_name("windlass"))
_MADE = (".windlass", "__pycache__", "node_modules", "downloads", "imported_data", "processed_data", "raw")


class RunFailedError(Exception):
    """A run has failed; the message says as much as there is to know."""


@dataclass(frozen=True, eq=False)
class Place:
    """The copy of a project, for a run of one pipeline."""

    root: Path
    pipeline: str
    told: list[Any]
    """The messages that were sent."""

    fails: bool
    _opened: list[FoundConnections] = field(default_factory=list)

    def windlass(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [WINDLASS, "-C", str(self.root), *arguments]
        return subprocess.run(command, check=False, capture_output=True, text=True, timeout=900)

    def done(self, *arguments: str) -> str:
        """What windlass prints. Raises RunFailedError where it fails, but for a run that has to."""
        done = self.windlass(*arguments)
        if done.returncode and not (self.fails and arguments[0] == "run"):
            raise RunFailedError(
                f"windlass {' '.join(arguments)}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
            )
        return done.stdout

    @cached_property
    def project(self) -> CompiledProject:
        return compiled(load_project(self.root))

    @property
    def plan(self) -> Plan:
        return self.project.plans[self.pipeline]

    @cached_property
    def found(self) -> FoundConnections:
        """Where its connections are on this machine: dev services, which stay up."""
        found = FoundConnections(self.plan.connections, self.root, StateFolder.of(self.root))
        self._opened.append(found)
        return found

    @property
    def fired(self) -> datetime:
        """The tick of its schedule that the run is for; its date is the tick before."""
        if not is_regular(self.plan.schedule):
            return FIRED
        ticks = Ticks(self.plan.schedule, self.plan.timezone)
        return ticks.upto(FIRED)

    @property
    def tick(self) -> str:
        """The same, as commands take it."""
        return self.fired.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def leave_others_out(self) -> None:
        """Take the other pipelines out of the project."""
        own = self.project.files.pipelines[self.pipeline].document.file
        for file in (self.root / "pipelines").iterdir():
            if file != self.root / own:
                file.unlink()

    def addresses(self, seen: Callable[[str], str]) -> dict[str, str]:
        """The variable of each connection, with its address as it is seen from elsewhere."""
        return {variable(name): seen(self.found.address(name).uri()) for name in self.plan.connections}

    def origins(self) -> dict[str, str]:
        """What says of dev services that they are such, which ask nobody who they are."""
        for name in self.plan.connections:
            self.found.address(name)
        return {variable(name, ORIGIN): STAND_IN for name in self.found.dev_services}

    def open_to_all(self) -> None:
        """Let containers write to it, whoever they run as."""
        self.root.parent.chmod(0o755)
        inside = (path for path in self.root.rglob("*") if path.is_dir() and ".windlass" not in path.parts)
        for path in (self.root, *inside):
            path.chmod(0o777)

    def schedule(self, schedule: str) -> None:
        """Give its pipeline another schedule."""
        file = self.root / self.project.files.pipelines[self.pipeline].document.file
        said = yaml.safe_load(file.read_text(encoding="utf-8"))
        file.write_text(yaml.safe_dump({**said, "schedule": schedule}, sort_keys=False), encoding="utf-8")

    def write_addresses(self) -> None:
        """Have the project say itself where its servers are, for runs that start none."""
        lines = [f"{name}={address}" for name, address in self.addresses(str).items()]
        (self.root / ".env").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def configure(self, **runtimes: object) -> None:
        """Say in windlass.yaml how tasks become containers and pods."""
        file = self.root / "windlass.yaml"
        said = yaml.safe_load(file.read_text(encoding="utf-8"))
        file.write_text(yaml.safe_dump({**said, "runtimes": runtimes}), encoding="utf-8")


@contextmanager
def a_place(project: str, pipeline: str, away: Sequence[str], root: Path) -> Iterator[Place]:
    """A copy of the project, in which what windlass does itself has an image, too. Behind connections that are `away` there is
    nothing. The copy is gone afterwards.
    """
    shutil.copytree(ROOT / "examples" / project, root, ignore=shutil.ignore_patterns(*_MADE))
    _with_an_image(root)
    _without_waits(root / "pipelines" / f"{pipeline}.yaml")
    with hook() as (told, port):
        _write_addresses(root, port, away)
        place = Place(root, pipeline, told, bool(away))
        try:
            yield place
        finally:
            for found in place._opened:
                found.close()
            shutil.rmtree(root, ignore_errors=True)


def _with_an_image(root: Path) -> None:
    file = root / "windlass.yaml"
    said = re.sub(r"^images:.*\n", "", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    files = "{files: [config]}" if (root / "config").is_dir() else "{}"
    file.write_text(f"{said}images: {{project: {files}}}\n", encoding="utf-8")


def _without_waits(file: Path) -> None:
    """What cannot succeed is tried again at once."""
    if file.exists():
        said = re.sub(r"retry_delay: \w+", "retry_delay: 1s", file.read_text(encoding="utf-8"))
        file.write_text(said, encoding="utf-8")


def _write_addresses(root: Path, port: int, away: Sequence[str]) -> None:
    """Where messages go, and a database of its own on the server of documents; everything else is a dev service of the copy."""
    lines = [f"{variable('slack')}=http://127.0.0.1:{port}/hook"]
    lines += [f"{variable(name)}=http://127.0.0.1:{port}/nothing" for name in away]
    if mongodb := os.environ.get("WINDLASS_TEST_MONGODB"):
        server, _, options = mongodb.partition("?")
        name = re.sub(r"[^a-z0-9]+", "_", root.name)
        lines.append(
            f"{variable('ensembl-transformed')}={server.rstrip('/')}/{name}{'?' + options if options else ''}"
        )
    (root / ".env").write_text("\n".join(lines) + "\n", encoding="utf-8")
