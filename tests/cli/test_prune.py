"""Old runs are removed, when asked for and at the end of a run; what somebody may still need stays."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Output
from tests.runner.conftest import eventually

Call = Callable[..., Output]
FILES = {
    "pipelines/p.yaml": "pipeline: p\ntasks: {a: {run: {command: [echo, hello]}}}\n",
    "pipelines/outer.yaml": "pipeline: outer\ntasks: {go: {trigger: {pipeline: p}}}\n",
    "pipelines/bad.yaml": """
pipeline: bad
tasks:
  load: {copy: {from: {path: in.csv, columns: {id: bigint}}, to: {path: out.ndjson}, on_bad_row: quarantine}}
""",
    "pipelines/slow.yaml": "pipeline: slow\ntasks: {a: {run: {command: [sh, -c, 'touch up; sleep 600']}}}\n",
    "in.csv": "id\n1\nx\n",
}


@pytest.fixture
def root(project: Callable[..., Path]) -> Path:
    return project(FILES)


def run(windlass: Call, root: Path, pipeline: str, **env: str) -> str:
    done = windlass("-C", root, "run", pipeline, "--json", env=env)
    assert done.code == 0, done.stderr
    return str(done.json["run_id"])


def known(windlass: Call, root: Path) -> set[str]:
    """The runs that there are: the history and the folders agree."""
    listed = {found["run_id"] for found in windlass("-C", root, "runs", "--limit", "1000", "--json").json}
    assert {path.name for path in (root / ".windlass/runs").iterdir()} == listed
    return listed


def prune(windlass: Call, root: Path, *options: str) -> Any:
    done = windlass("-C", root, "runs", "prune", *options, "--json")
    assert done.code == 0, done.stderr
    return done.json


def test_the_latest_runs_of_each_pipeline_are_kept(windlass: Call, root: Path) -> None:
    plain = [run(windlass, root, "p") for _ in range(4)]
    outer = [run(windlass, root, "outer") for _ in range(2)]
    inner = known(windlass, root) - {*plain, *outer}
    assert len(inner) == 2
    assert prune(windlass, root, "--older-than", "1h") == {"removed": [], "quarantined": []}
    assert prune(windlass, root, "--keep", "1", "--older-than", "1h")["removed"] == []
    done = prune(windlass, root, "--keep", "1")
    assert set(done["removed"]) == {*plain[:3], outer[0]}
    left = known(windlass, root)
    assert left > {plain[3], outer[1]}
    assert len(left) == 3  # with what the kept one triggered
    assert prune(windlass, root, "--keep", "0", "--pipeline", "p")["removed"] == [plain[3]]
    assert len(prune(windlass, root, "--older-than", "1ms")["removed"]) == 1
    assert known(windlass, root) == set()
    assert windlass("-C", root, "runs").stdout == "nothing has run yet\n"


def test_rows_in_quarantine_and_runs_that_go_on_are_kept(windlass: Call, root: Path) -> None:
    bad, gone = run(windlass, root, "bad"), run(windlass, root, "p")
    slow = subprocess.Popen([sys.executable, "-m", "windlass", "-C", str(root), "run", "slow"], stderr=-3)
    try:
        eventually((root / "up").exists)
        assert prune(windlass, root, "--keep", "0") == {"removed": [gone], "quarantined": [bad]}
        told = windlass("-C", root, "runs", "prune", "--keep", "0").stdout
        assert (
            told
            == f"0 runs removed\n{bad} stays: it has rows in quarantine, which `windlass quarantine` shows and replays\n"
        )
        assert len(known(windlass, root)) == 2
    finally:
        slow.terminate()
        slow.wait()
    quarantine = root / f".windlass/runs/{bad}/quarantine/load.ndjson"
    quarantine.write_text(quarantine.read_text().replace('"x"', '"2"'))
    assert windlass("-C", root, "quarantine", "replay", bad, "load").code == 0
    assert bad in prune(windlass, root, "--keep", "0")["removed"]
    assert known(windlass, root) == set()


def test_a_run_removes_those_of_long_ago_of_its_pipeline(windlass: Call, root: Path) -> None:
    other, bad = run(windlass, root, "outer"), run(windlass, root, "bad")
    runs = [run(windlass, root, "p", WINDLASS_KEEP_RUNS="2") for _ in range(4)]
    left = known(windlass, root)
    assert {other, bad, *runs[2:]} <= left
    assert not left & {*runs[:2]}
    more = run(windlass, root, "p", WINDLASS_KEEP_RUNS="0")
    assert {*runs[2:], more} <= known(windlass, root)


def test_what_other_schedulers_left_behind_goes_when_it_is_old(windlass: Call, root: Path) -> None:
    run(windlass, root, "p")
    runs = root / ".windlass/runs"
    for name in ("scheduled__1", "manual__2"):
        (runs / name / "logs").mkdir(parents=True)
        (runs / name / "logs/a.jsonl").write_text("{}")
    shutil.copytree(runs / "manual__2", runs / "rows__3")
    (runs / "rows__3/quarantine").mkdir()
    (runs / "rows__3/quarantine/a.ndjson").write_text("{}")
    for path in (
        *(runs / "scheduled__1").rglob("*"),
        runs / "scheduled__1",
        *(runs / "rows__3").rglob("*"),
        runs / "rows__3",
    ):
        os.utime(path, (0, 0))
    prune(windlass, root, "--keep", "5")
    assert {path.name for path in runs.iterdir()} > {"manual__2", "rows__3"}
    assert not (runs / "scheduled__1").exists()


def test_the_history_gets_smaller(windlass: Call, root: Path) -> None:
    from windlass.runner.history import History, Run, TaskRun
    from windlass.state_folder import StateFolder

    state = StateFolder.of(root)
    history = History(state)
    for number in range(300):
        run_id = f"p-{number}"
        history.save(Run(run_id, "p", started="2020-01-01T00:00:00+00:00", status="success"))  # type: ignore[arg-type]
        history.save(TaskRun(run_id, "a", "run", error="x" * 5000))
    before = state.database.stat().st_size
    assert len(prune(windlass, root, "--older-than", "30d")["removed"]) == 300
    assert state.database.stat().st_size < before / 10


@pytest.mark.parametrize(("options", "said"), [([], "--keep N"), (["--older-than", "soon"], "such as 30d")])
def test_what_makes_no_sense_is_told(options: list[str], said: str, windlass: Call, root: Path) -> None:
    done = windlass("-C", root, "runs", "prune", *options)
    assert done.code == 2
    assert said in done.stderr


def test_runs_are_listed_with_and_without_the_word(windlass: Call, root: Path) -> None:
    ran = run(windlass, root, "p")
    for words in (["runs"], ["runs", "p"], ["runs", "list"], ["runs", "list", "p"], ["runs", "--limit", "1"]):
        assert ran in windlass("-C", root, *words).stdout
    assert "no run of 'other' yet" in windlass("-C", root, "runs", "other").stdout
    assert "prune" in windlass("-C", root, "runs", "--help").stdout
