"""However a run ends, nothing of it is left, and its history says how it ended."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.runner.conftest import eventually, processes_with

Call = Callable[..., Any]
Project = Callable[..., Path]
Start = Callable[..., subprocess.Popen[bytes]]

# everything that can be running: a service, a step with children, a nested run, a dev service
FILES = {
    "windlass.yaml": "project: p\nconnections: {site: {type: http, dev: {serve: pipelines}}}\n",
    "pipelines/all.yaml": """\
pipeline: all
tasks:
  web: {service: {command: [sh, -c, "sleep 600 & exec python3 -m http.server --bind 127.0.0.1 $PORT"]}}
  step: {uses: web, run: {command: [sh, -c, "setsid sleep 600 & sleep 600 & touch step; wait"], connections: site}}
  nested: {trigger: {pipeline: below}}
  last: {needs: step, run: {command: [date]}}
""",
    "pipelines/below.yaml": "pipeline: below\ntasks: {a: {run: {command: [sh, -c, 'touch below; sleep 600; true']}}}\n",
}


@pytest.fixture
def running(project: Project, start: Start) -> tuple[Path, subprocess.Popen[bytes]]:
    """A run of all that, that is under way."""
    root = project(FILES)
    process = start(root, "run", "all", "--json", "--parallel", "8")
    eventually(lambda: all((root / name).exists() for name in ("step", "below")))
    return root, process


def history(windlass: Call, root: Path) -> dict[str, str]:
    return {run["pipeline"]: run["status"] for run in windlass("-C", root, "runs", "--json").json}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_everything_and_is_recorded(
    number: int, code: int, running: tuple[Path, subprocess.Popen[bytes]], windlass: Call
) -> None:
    root, process = running
    process.send_signal(number)
    document = json.loads(process.communicate()[0])
    assert (process.returncode, document["status"]) == (code, "cancelled")
    assert {task["status"] for task in document["tasks"]} == {"cancelled"}
    assert history(windlass, root) == {"all": "cancelled", "below": "cancelled"}
    eventually(lambda: processes_with(str(root)) == [])
    logs = windlass("-C", root, "runs", "all", "--json").json
    done = windlass("-C", root, "run", "--resume", logs[0]["run_id"], "--task", "nested", "--task", "none")
    assert done.code == 2  # and it can be named again


def test_kill_9_leaves_no_process_and_is_recorded_at_the_next_start(
    running: tuple[Path, subprocess.Popen[bytes]], windlass: Call
) -> None:
    root, process = running
    process.kill()
    process.communicate()
    eventually(lambda: processes_with(str(root)) == [])
    assert history(windlass, root)["all"] == "failed"
    run = next(r for r in windlass("-C", root, "runs", "--json").json if r["pipeline"] == "all")
    assert {t["task"]: (t["status"], t["error"]) for t in run["tasks"]} == {
        "web": ("failed", "windlass was killed"),
        "step": ("failed", "windlass was killed"),
        "nested": ("failed", "windlass was killed"),
        "last": ("cancelled", None),
    }
    (root / "pipelines/below.yaml").write_text("pipeline: below\ntasks: {a: {run: {command: [date]}}}\n")
    (root / "pipelines/all.yaml").write_text(FILES["pipelines/all.yaml"].replace("sleep 600", "true"))
    again = windlass("-C", root, "run", "--resume", run["run_id"], "--json")
    assert (again.code, again.json["status"], again.json["run_id"]) == (0, "success", run["run_id"])


def test_after_everything_was_killed_the_next_start_ends_what_is_left(
    running: tuple[Path, subprocess.Popen[bytes]], windlass: Call
) -> None:
    root, process = running
    run_id = windlass("-C", root, "runs", "all", "--json").json[0]["run_id"]
    launchers = [pid for pid in processes_with(str(root)) if b"launcher.py" in command_of(pid)]
    assert launchers
    for number in (signal.SIGSTOP, signal.SIGKILL):  # at once: a launcher ends when it sees the runner gone
        for pid in [process.pid, *launchers]:
            os.kill(pid, number)
    process.communicate()
    assert history(windlass, root)["all"] == "failed"
    eventually(lambda: processes_with(f"WINDLASS_RUN_ID={run_id}") == [])


def test_a_copy_of_a_project_does_not_end_what_runs_in_the_original(
    running: tuple[Path, subprocess.Popen[bytes]], windlass: Call, tmp_path: Path
) -> None:
    root, process = running
    before = processes_with(str(root))
    shutil.copytree(root, tmp_path / "copy")
    assert history(windlass, tmp_path / "copy")["all"] == "failed"  # nobody holds the lock of the copy
    assert set(before) <= set(processes_with(str(root)))
    assert history(windlass, root)["all"] == "running"
    process.terminate()
    process.communicate()


def command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


# --- two at once ---------------------------------------------------------------------------------

WAITS = """\
pipeline: p
concurrency: {0}
tasks: {{a: {{run: {{command: [sh, -c, "echo x >> begun; while ! test -e go; do sleep 0.05; done"]}}}}}}
"""


def lines(file: Path) -> int:
    return len(file.read_text().splitlines()) if file.exists() else 0


def test_a_pipeline_does_not_run_twice_at_once(project: Project, start: Start, windlass: Call) -> None:
    root = project(
        {
            "pipelines/p.yaml": WAITS.format("forbid"),
            "pipelines/q.yaml": "pipeline: q\ntasks: {a: {run: {command: [date]}}}\n",
        }
    )
    first = start(root, "run", "p", "--json")
    eventually(lambda: lines(root / "begun") == 1)
    second = windlass("-C", root, "run", "p")
    assert (second.code, "p is already running, as p-" in second.stderr) == (3, True)
    assert "concurrency: allow" in second.stderr
    assert windlass("-C", root, "run", "q").code == 0
    run_id = windlass("-C", root, "runs", "p", "--json").json[0]["run_id"]
    resumed = windlass("-C", root, "run", "--resume", run_id)
    assert (resumed.code, "is still going" in resumed.stderr) == (3, True)
    (root / "go").touch()
    assert json.loads(first.communicate()[0])["status"] == "success"
    assert windlass("-C", root, "run", "p").code == 0


def test_a_pipeline_runs_twice_at_once_where_that_is_allowed(project: Project, start: Start) -> None:
    root = project({"pipelines/p.yaml": WAITS.format("allow")})
    both = [start(root, "run", "p", "--json") for _ in range(2)]
    eventually(lambda: lines(root / "begun") == 2)
    (root / "go").touch()
    documents = [json.loads(process.communicate()[0]) for process in both]
    assert [document["status"] for document in documents] == ["success", "success"]
    assert len({document["run_id"] for document in documents}) == 2


def test_many_runs_at_once_share_one_history(project: Project, start: Start, windlass: Call) -> None:
    names = [f"p{i}" for i in range(5)]
    text = "pipeline: {0}\ntasks: {{a: {{run: {{command: [date]}}}}, b: {{run: {{command: [date]}}}}}}\n"
    root = project({f"pipelines/{name}.yaml": text.format(name) for name in names})
    processes = [start(root, "run", name, "--json") for name in names]
    assert {json.loads(process.communicate()[0])["status"] for process in processes} == {"success"}
    assert history(windlass, root) == dict.fromkeys(names, "success")
