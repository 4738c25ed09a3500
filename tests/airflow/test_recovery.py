"""What goes wrong on a real Airflow: tasks that fail, processes that are killed, tasks that are started again."""

from __future__ import annotations

import http.server
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.airflow.proof import Proof, gate


def test_a_failing_task_is_tried_again_and_then_told_once(proof: Proof) -> None:
    with webhook() as (host, alerts):
        slack = {"connection_id": "slack", "conn_type": "slackwebhook", "host": host, "password": "T0/B0/x7"}
        proof.up.call("POST", "/connections", slack)
        run = proof.up.trigger("failing")
        assert proof.up.wait("failing", run) == "failed"
        tasks = proof.up.tasks("failing", run)
        assert {name: task["state"] for name, task in tasks.items()} == {
            "fetch": "failed",
            "report": "upstream_failed",
            "windlass__tell": "success",
        }
        assert tasks["fetch"]["try_number"] == 2
        proof.up.until(lambda: alerts)
    [(path, alert)] = alerts
    assert path == "/services/T0/B0/x7"
    error = "postgres at 127.0.0.1:1 refuses connections"
    assert error in proof.up.log("failing", run, "fetch", attempt=2)
    title, when, failed = alert["text"].split("\n", 2)
    assert title == ":red_circle: *failing* failed (proof)"
    assert f"run `{run}`" in when
    assert failed.startswith(f"• *fetch*: {error}\n")
    assert failed.count("•") == 1, "what only failed with it is not told"
    assert f"/dags/failing/runs/{quote(run)}" in failed


@contextmanager
def webhook() -> Iterator[tuple[str, list[tuple[str, Any]]]]:
    """A server that stands in for Slack: its address, and the path and body of everything it was sent."""
    received: list[tuple[str, Any]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append((self.path, json.loads(body)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/services", received
        finally:
            server.shutdown()


def windlass_itself(pid: int) -> int:
    return pid


def task_of_airflow(pid: int) -> int:
    """The process of Airflow that has started windlass."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@pytest.mark.usefixtures("alone_at_the_gate")
@pytest.mark.parametrize("chosen", [windlass_itself, task_of_airflow], ids=lambda chosen: chosen.__name__)
def test_rows_are_there_once_though_the_copy_was_killed_in_the_middle(
    proof: Proof, chosen: Callable[[int], int]
) -> None:
    table = f"gated_{chosen.__name__}"
    with gate(proof.databases.url("pg_x")) as somebody_waits:
        run = proof.up.trigger("gated", {"table": table})
        proof.up.until(somebody_waits)
        [windlass] = processes_with("exec\0gated\0load")
        os.kill(chosen(windlass), signal.SIGKILL)
        proof.up.until(lambda: not Path(f"/proc/{windlass}").exists())
    assert proof.up.wait("gated", run) == "success"
    assert proof.up.tasks("gated", run)["load"]["try_number"] == 2
    counted = f"SELECT count(*), count(DISTINCT id), min(id), max(id), min(name), max(name) FROM {table}"
    assert proof.databases.ask("pg_y", counted) == [(10_000, 10_000, 1, 10_000, "row 1", "row 9999")]
    left = "SELECT relname FROM pg_class WHERE relname LIKE '%gated%' AND relkind = 'r'"
    known = {"gated", *(f"gated_{each.__name__}" for each in (windlass_itself, task_of_airflow))}
    assert {name for (name,) in proof.databases.ask("pg_y", left)} <= known


@pytest.mark.usefixtures("alone_at_the_gate")
def test_only_the_part_that_was_killed_is_copied_again(proof: Proof) -> None:
    def attempts(state: str) -> dict[int, int]:
        path = f"/dags/gated_parts/dagRuns/{quote(run, safe='')}/taskInstances/load__part/listMapped"
        parts = proof.up.call("GET", path)["task_instances"]
        return {part["map_index"]: part["try_number"] for part in parts if part["state"] == state}

    with gate(proof.databases.url("pg_x")) as somebody_waits:
        run = proof.up.trigger("gated_parts")
        proof.up.until(lambda: somebody_waits() and len(attempts("success")) == 3)
        [windlass] = processes_with("exec\0gated_parts\0load")
        os.kill(windlass, signal.SIGKILL)
        proof.up.until(lambda: not Path(f"/proc/{windlass}").exists())
    assert proof.up.wait("gated_parts", run) == "success"
    assert attempts("success") == {0: 1, 1: 2, 2: 1, 3: 1}
    counted = "SELECT count(*), count(DISTINCT id), min(id), max(id), min(name), max(name) FROM in_parts"
    assert proof.databases.ask("pg_y", counted) == [(10_000, 10_000, 1, 10_000, "row 1", "row 9999")]


def processes_with(text: str) -> list[int]:
    """The processes that have this in their command line."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if os.fsencode(text) in line:
            found.append(int(folder.name))
    return found


def test_a_cleared_run_ends_in_the_same_rows(proof: Proof) -> None:
    run = proof.run("cleared")
    for _ in range(2):
        for table in ("appended", "replaced", "merged"):
            counted = f"SELECT count(*), count(DISTINCT id), min(id), max(id) FROM {table}"
            assert proof.databases.ask("pg_y", counted) == [(900, 900, 1, 900)]
        proof.up.clear("cleared", run)
        assert proof.up.wait("cleared", run) == "success"
    tasks = proof.up.tasks("cleared", run)
    assert {task["try_number"] for task in tasks.values()} == {3}
    assert "already_loaded" in proof.up.log("cleared", run, "append", attempt=3)
