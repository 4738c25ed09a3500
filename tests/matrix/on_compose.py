"""A way that a stack of containers has: what `export compose` writes is built and started, and its Airflow runs the pipeline.

Images that cannot be pulled have a stand-in, made of Debian's packages and PyPI's, in `images/`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import yaml

from tests.airflow.conftest import free_port
from tests.kubernetes.cluster import Door
from tests.matrix.place import ROOT, Place, RunFailedError
from tests.matrix.way import NotHereError, Way
from windlass.plan.schedule import dates_of_start, is_regular
from windlass.runtimes.docker.doors import moved

__all__ = ["on_compose"]

_IMAGES = Path(__file__).parent / "images"
_STAND_INS = {"apache/airflow": "airflow", "postgres": "postgres", "valkey/valkey": "valkey"}
_ENDED = ("success", "failed")
_HEALTH = "  AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK: 'true'\n"
_NOTHING_BY_ITSELF = (_HEALTH, f"{_HEALTH}  AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE: 'false'\n")
"""Only the run that is asked for: a DAG that is unpaused would have the last one of its schedule, too."""


@contextmanager
def on_compose() -> Iterator[Way]:
    """The pipeline is alone in its stack, whose tasks are processes of a Celery worker."""
    program = Path(sys.executable).with_name("docker-compose")
    if not program.exists():
        raise NotHereError("docker-compose is not installed")
    gateway = _gateway()
    with ExitStack() as stand_ins:

        def run(place: Place) -> None:
            place.leave_others_out()
            place.open_to_all()
            _export(place)
            stack = _Stack(str(program), place.root / "compose", f"windlass-matrix-{uuid4().hex[:8]}")
            stand_ins.enter_context(_images_of(stack))
            with _reachable(place, gateway), stack.up():
                state = stack.run(place)
                if state != ("failed" if place.fails else "success"):
                    raise RunFailedError(f"the run has ended as {state}: {stack.said()}")

        yield run


def _gateway() -> str:
    """This machine, as containers reach it."""
    try:
        (network,) = json.loads(_docker("network", "inspect", "bridge"))
    except (OSError, RunFailedError) as exc:
        raise NotHereError("there is no Docker") from exc
    return str(network["IPAM"]["Config"][0]["Gateway"])


def _export(place: Place) -> None:
    """With windlass as it is here, in a wheel."""
    place.done("export", "compose", "--workers", "1", "--port", str(free_port()), "--windlass", "./WHEEL")
    folder = place.root / "compose"
    done = subprocess.run(
        [sys.executable, "-m", "uv", "build", "--wheel", "--out-dir", str(folder), str(ROOT)],
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    if done.returncode:
        raise RunFailedError(done.stderr)
    (wheel,) = folder.glob("*.whl")
    stack = folder / "compose.yaml"
    stack.write_text(stack.read_text().replace(*_NOTHING_BY_ITSELF))
    requirements = folder / "requirements.txt"
    requirements.write_text(requirements.read_text().replace("./WHEEL", f"./{wheel.name}[all]"))


@contextmanager
def _reachable(place: Place, gateway: str) -> Iterator[None]:
    """The servers of the place, and who is told, as the stack's own `.env` and `tasks.env` name them."""
    with ExitStack() as doors:

        def seen(url: str) -> str:
            return moved(url, lambda port: (gateway, doors.enter_context(Door(gateway, port)).port))

        folder = place.root / "compose"
        addresses = [
            f"{name.replace('WINDLASS_', 'AIRFLOW_')}={address}"
            for name, address in place.addresses(seen).items()
        ]
        with (folder / ".env").open("a", encoding="utf-8") as file:
            file.write("\n".join(["", *addresses, ""]))
        origins = [f"{name}={said}" for name, said in place.origins().items()]
        (folder / "tasks.env").write_text("\n".join([*origins, ""]), encoding="utf-8")
        (place.root / ".env").unlink()  # it names what is on the loopback of this machine
        yield


@contextmanager
def _images_of(stack: _Stack) -> Iterator[None]:
    """Each image that the stack starts from is there; a stand-in is removed in the end."""
    made = []
    for image in stack.images():
        if _has(image) or _can_pull(image):
            continue
        name, _, tag = image.partition(":")
        if name not in _STAND_INS:
            raise RunFailedError(f"{image} cannot be pulled, and has no stand-in")
        folder = _IMAGES / _STAND_INS[name]
        _docker("build", "--tag", image, "--build-arg", f"VERSION={tag}", str(folder))
        made.append(image)
    try:
        yield
    finally:
        for image in made:
            _docker("image", "rm", "--no-prune", image)


@dataclass
class _Stack:
    program: str
    folder: Path
    name: str

    def images(self) -> list[str]:
        document = yaml.safe_load((self.folder / "compose.yaml").read_text(encoding="utf-8"))
        dockerfile = (self.folder / "Dockerfile").read_text(encoding="utf-8")
        (base,) = (line.split()[1] for line in dockerfile.splitlines() if line.startswith("FROM "))
        named = (service["image"] for service in document["services"].values() if "build" not in service)
        return [base, *dict.fromkeys(named)]

    @contextmanager
    def up(self) -> Iterator[None]:
        document = yaml.safe_load((self.folder / "compose.yaml").read_text(encoding="utf-8"))
        (built,) = {service["image"] for service in document["services"].values() if "build" in service}
        _docker("build", "--tag", built, str(self.folder))  # as compose does, which takes a plugin for it
        try:
            self("up", "--detach", "--wait", "--no-build", "--pull", "never", seconds=900)
            yield
        finally:
            self("down", "--volumes", "--remove-orphans", "--timeout", "5")
            _docker("image", "rm", "--no-prune", built)

    def run(self, place: Place) -> str:
        """Run the pipeline for the tick of the table. Returns the state of the run."""
        plan, name = place.plan, place.pipeline
        self.until(
            lambda: any(dag["dag_id"] == name for dag in self.airflow("dags", "list", "--output=json"))
        )
        self.airflow("dags", "unpause", "--yes", name)
        if is_regular(plan.schedule):
            dates = dates_of_start(place.tick, plan.schedule, plan.timezone, datetime.now(UTC))
            day = dates.logical_date.isoformat()
            self.airflow("backfill", "create", f"--dag-id={name}", f"--from-date={day}", f"--to-date={day}")
        else:
            self.airflow("dags", "trigger", name)
        ended = self.until(lambda: [run for run in self._runs(name) if run["state"] in _ENDED])
        return str(ended[0]["state"])

    def _runs(self, name: str) -> list[dict[str, Any]]:
        runs: list[dict[str, Any]] = self.airflow("dags", "list-runs", name, "--output=json")
        return runs

    def said(self) -> str:
        """The end of what each try of a task has logged."""
        tasks = self(
            "exec", "--no-TTY", "worker", "sh", "-c", "find logs -name 'attempt=*' | xargs tail -n 20"
        )
        return tasks + self("logs", "--no-color", "--tail=30", "api-server", "metadata")

    def airflow(self, *arguments: str) -> Any:
        said = self("exec", "--no-TTY", "scheduler", "airflow", *arguments)
        if "--output=json" not in arguments:
            return None
        return json.loads(said.splitlines()[-1])  # warnings are above it

    def until(self, ask: Any, seconds: float = 600) -> Any:
        end = time.monotonic() + seconds
        while not (found := ask()):
            if time.monotonic() > end:
                raise RunFailedError(self("logs", "--tail=50"))
            time.sleep(2)
        return found

    def __call__(self, *arguments: str, seconds: float = 300) -> str:
        return _done([self.program, "--project-name", self.name, *arguments], self.folder, seconds)


def _has(image: str) -> bool:
    return _succeeds("image", "inspect", image)


def _can_pull(image: str) -> bool:
    return _succeeds("pull", "--quiet", image)


def _succeeds(*arguments: str) -> bool:
    try:
        _docker(*arguments)
    except RunFailedError:
        return False
    return True


def _docker(*arguments: str) -> str:
    return _done(["docker", *arguments], ROOT, 900)


def _done(command: list[str], folder: Path, seconds: float) -> str:
    env = {**os.environ, "DOCKER_BUILDKIT": "1"}
    done = subprocess.run(
        command, cwd=folder, check=False, capture_output=True, text=True, timeout=seconds, env=env
    )
    if done.returncode:
        raise RunFailedError(f"{' '.join(command)}: {done.stdout[-3000:]}{done.stderr[-3000:]}")
    return done.stdout
