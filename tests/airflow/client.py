"""A project that is up, and what tests ask its Airflow: the REST API with the standard library."""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.warm import Warm

_DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_PATIENCE = 180.0
_ENDED = ("success", "failed")


@dataclass
class Up:
    """What `windlass up --detach` has left running for a project."""

    project: Path
    url: str
    password: str
    warm: Warm
    _token: str | None = None

    def windlass(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Call the command line for this project, and wait for its end."""
        command = ("windlass", "-C", str(self.project), *map(str, arguments))
        return self.warm.run(*command, cwd=self.project, env=dict(os.environ), timeout=300)

    def status(self) -> Any:
        """What `windlass status --json` says."""
        return json.loads(self.windlass("status", "--json").stdout)

    def call(self, method: str, path: str, body: object = None) -> Any:
        """Call the REST API as the administrator; `path` is what comes after `/api/v2`."""
        if self._token is None:
            who = {"username": "admin", "password": self.password}
            self._token = self._send("POST", "/auth/token", who, {})["access_token"]
        return self._send(method, f"/api/v2{path}", body, {"Authorization": f"Bearer {self._token}"})

    def trigger(self, dag: str, conf: dict[str, object] | None = None) -> str:
        """Start a run by hand, unpaused. Returns its id."""
        self.unpause(dag)
        run = self.call("POST", f"/dags/{dag}/dagRuns", {"logical_date": None, "conf": conf or {}})
        return str(run["dag_run_id"])

    def unpause(self, dag: str) -> None:
        self.call("PATCH", f"/dags/{dag}", {"is_paused": False})

    def wait(self, dag: str, run: str) -> str:
        """Wait until the run has ended. Returns its state."""
        return str(self.until(lambda: self._ended(f"/dags/{dag}/dagRuns/{quote(run, safe='')}")))

    def runs(self, dag: str) -> list[dict[str, Any]]:
        """The runs of a DAG, the latest first."""
        found = self.call("GET", f"/dags/{dag}/dagRuns?limit=100&order_by=-id")["dag_runs"]
        return list(found)

    def tasks(self, dag: str, run: str) -> dict[str, dict[str, Any]]:
        """The task instances of a run, by their task."""
        found = self.call("GET", f"/dags/{dag}/dagRuns/{quote(run, safe='')}/taskInstances")
        return {task["task_id"]: task for task in found["task_instances"]}

    def log(self, dag: str, run: str, task: str, attempt: int = 1) -> str:
        """The lines of a task's log."""
        path = f"/dags/{dag}/dagRuns/{quote(run, safe='')}/taskInstances/{task}/logs/{attempt}"
        content = self.call("GET", f"{path}?full_content=true")["content"]
        return "\n".join(line if isinstance(line, str) else str(line["event"]) for line in content)

    def xcom(self, dag: str, run: str, task: str) -> Any:
        """What a task has returned."""
        path = f"/dags/{dag}/dagRuns/{quote(run, safe='')}/taskInstances/{task}/xcomEntries/return_value"
        return self.call("GET", f"{path}?deserialize=true")["value"]

    def asset_events(self, dag: str, run: str) -> list[dict[str, Any]]:
        """The events of assets that the tasks of a run have written."""
        found = self.call("GET", f"/assets/events?source_dag_id={dag}&source_run_id={quote(run, safe='')}")
        return list(found["asset_events"])

    def clear(self, dag: str, run: str) -> None:
        """Have every task of a run start again."""
        body = {"dry_run": False, "only_failed": False, "dag_run_id": run, "reset_dag_runs": True}
        self.call("POST", f"/dags/{dag}/clearTaskInstances", body)

    def until(self, question: Any) -> Any:
        """Ask until the answer is one. Fails after a while."""
        deadline = time.monotonic() + _PATIENCE
        while not (answer := question()):
            assert time.monotonic() < deadline, "waited for too long"
            time.sleep(0.3)
        return answer

    def _ended(self, path: str) -> str | None:
        state = str(self.call("GET", path)["state"])
        return state if state in _ENDED else None

    def _send(self, method: str, path: str, body: object, headers: dict[str, str]) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.url}{path}",
            data=data,
            headers={"Content-Type": "application/json", "Accept": "application/json", **headers},
            method=method,
        )
        try:
            with _DIRECTLY.open(request, timeout=30) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as exc:
            said = exc.read().decode()
            raise AssertionError(f"{method} {path}: {exc.code} {said}") from exc
