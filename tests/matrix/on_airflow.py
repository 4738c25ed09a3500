"""Ways that a real Airflow has, started by `windlass up`: an exported DAG is put beside those of the project that is up."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from tests.airflow.client import Up
from tests.airflow.conftest import free_port, start_airflow
from tests.kubernetes.cluster import Cluster
from tests.matrix.on_cluster import find_cluster, namespace, prepared
from tests.matrix.place import WINDLASS, Place, RunFailedError
from tests.matrix.way import NotHereError, Way
from tests.warm import Warm
from windlass.plan.schedule import dates_of_start, is_regular

__all__ = ["on_airflow"]

Runtime = Literal["process", "docker", "kubernetes"]
_NOTHING_BY_ITSELF = "[scheduler]\nuse_job_schedule = False\n"
_PROJECT = {
    "windlass.yaml": "project: hub\n",
    "pipelines/idle.yaml": "pipeline: idle\ntasks: {a: {run: {command: [echo]}}}\n",
}


@contextmanager
def on_airflow(runtime: Runtime, *options: str) -> Iterator[Way]:
    """A run of a scheduled pipeline is one of a backfill, which has the date of its tick; another is triggered."""
    if find_spec("airflow") is None:
        raise NotHereError("Airflow is not installed")
    brought: set[str] = set()
    with tempfile.TemporaryDirectory(prefix="windlass-hub-") as folder, _up(Path(folder), *options) as up:
        if runtime == "kubernetes":
            _connect(up, "kubernetes_default", "kubernetes", {"extra": _where(find_cluster())})

        def run(place: Place) -> None:
            with _around(runtime, place, brought):
                dag = _Dag(up, place.pipeline)
                with dag.of_export(place, runtime):
                    state = dag.run(place)
            if state != ("failed" if place.fails else "success"):
                raise RunFailedError(f"the run has ended as {state}")

        yield run


@contextmanager
def _up(project: Path, *options: str) -> Iterator[Up]:
    for name, text in _PROJECT.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text, encoding="utf-8")
    home = project / ".windlass" / "up" / "airflow"
    home.mkdir(parents=True)
    (home / "airflow.cfg").write_text(_NOTHING_BY_ITSELF, encoding="utf-8")
    warm = Warm("windlass")
    up = Up(project, f"http://127.0.0.1:{free_port()}", "", warm)
    try:
        start_airflow(up, *options)
        yield up
    finally:
        up.windlass("down")
        warm.close()


def _around(runtime: Runtime, place: Place, brought: set[str]) -> AbstractContextManager[object]:
    """What the tasks find where they run."""
    if runtime == "kubernetes":
        return _in_cluster(place, brought)
    if runtime == "docker":
        place.configure(docker={"network": "host", "workspace": str(place.root)})
        place.done("build")
        place.open_to_all()
    return nullcontext()


@contextmanager
def _in_cluster(place: Place, brought: set[str]) -> Iterator[None]:
    with namespace() as cluster, prepared(place, cluster, brought):
        yield


@dataclass
class _Dag:
    """A DAG on that Airflow."""

    up: Up
    name: str

    @contextmanager
    def of_export(self, place: Place, runtime: Runtime) -> Iterator[None]:
        """It is there, and so are the connections of its pipeline."""
        made = self._connect(place)
        with tempfile.TemporaryDirectory() as out:
            place.done("export", "airflow", "--runtime", runtime, "--command", WINDLASS, "--out", out)
            dags = self.up.project / ".windlass" / "up" / "airflow" / "dags" / "exported"
            shutil.rmtree(dags, ignore_errors=True)
            begun = datetime.now(UTC)
            shutil.move(Path(out) / "dags", dags)
        try:
            self.up.until(lambda: self._is_parsed_after(begun))
            yield
        finally:
            shutil.rmtree(dags, ignore_errors=True)
            self.up.until(lambda: not self._parsed())
            self.up.until(self._is_removed)
            for connection in made:
                self.up.call("DELETE", f"/connections/{connection}")

    def run(self, place: Place) -> str:
        """Run it for the tick of the table. Returns the state of the run."""
        plan = place.plan
        if not is_regular(plan.schedule):
            return self.up.wait(self.name, self.up.trigger(self.name))
        date = dates_of_start(place.tick, plan.schedule, plan.timezone, datetime.now(UTC)).logical_date
        self.up.unpause(self.name)
        span = {"from_date": date.isoformat(), "to_date": date.isoformat(), "max_active_runs": 1}
        self.up.call("POST", "/backfills", {"dag_id": self.name, **span, "run_backwards": False})
        (found,) = self.up.until(lambda: self.up.runs(self.name))
        return self.up.wait(self.name, found["dag_run_id"])

    def _is_parsed_after(self, begun: datetime) -> bool:
        return any(datetime.fromisoformat(dag["last_parsed_time"]) > begun for dag in self._parsed())

    def _is_removed(self) -> bool:
        """Whether the DAG is gone with its runs: a task whose end Airflow has not noted yet keeps it."""
        try:
            self.up.call("DELETE", f"/dags/{self.name}")
        except AssertionError as exc:
            if "still running" not in str(exc):
                raise
            return False
        return True

    def _parsed(self) -> list[dict[str, Any]]:
        found = self.up.call("GET", "/dags?limit=100&exclude_stale=true")["dags"]
        return [dag for dag in found if dag["dag_id"] == self.name]

    def _connect(self, place: Place) -> list[str]:
        made = []
        for name, connection in place.plan.connections.items():
            url = urlsplit(place.found.address(name).uri())
            parts = {"login": url.username, "password": url.password, "port": url.port}
            host = url.hostname if connection.type in ("postgres", "mongodb") else f"http://{url.hostname}"
            _connect(self.up, name, connection.type, {**parts, "host": host, "schema": url.path.lstrip("/")})
            made.append(name)
        return made


def _connect(up: Up, name: str, kind: str, parts: dict[str, Any]) -> None:
    up.call("POST", "/connections", {"connection_id": name, "conn_type": kind, **parts})


def _where(cluster: Cluster) -> str:
    return json.dumps({"kube_config_path": str(cluster.kubeconfig)})
