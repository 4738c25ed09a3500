"""`windlass backfill`: each date of a range once, with the keys of a scheduler's runs, and again where it stopped."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

import windlass as api
from tests.conftest import Output

Windlass = Callable[..., Output]

PIPELINE = """\
pipeline: load
schedule: "@daily"
concurrency: allow
params: {file: in.csv}
tasks:
  first: {run: {command: [sh, -c, 'echo "{{ ds }}" >> ran.txt; test ! -e "broken-{{ ds }}"']}}
  second:
    needs: first
    copy: {from: {path: "{{ params.file }}"}, to: {connection: shop, table: rows, mode: append}}
"""


@pytest.fixture
def root(project: Callable[..., Path]) -> Path:
    connections = "connections: {shop: {type: sqlite}}\n"
    files = {
        "windlass.yaml": f"project: p\n{connections}",
        "pipelines/load.yaml": PIPELINE,
        "in.csv": "a\n1\n",
    }
    return project(files)


def backfill(windlass: Windlass, root: Path, *options: str) -> Output:
    return windlass(
        "backfill", "load", "--from", "2025-03-01", "--to", "2025-03-03", "--json", *options, cwd=root
    )


def rows(windlass: Windlass, root: Path) -> str:
    return windlass("query", "shop", "SELECT count(*) AS n FROM rows", cwd=root).stdout.split()[-1]


def test_each_date_runs_once_and_what_failed_is_resumed(windlass: Windlass, root: Path) -> None:
    planned = backfill(windlass, root, "--dry-run")
    assert [run["todo"] for run in planned.json["runs"]] == ["run"] * 3
    assert not (root / "ran.txt").exists()
    (root / "broken-2025-03-02").touch()
    done = backfill(windlass, root)
    assert done.code == 1, done
    assert [(run["logical_date"][:10], run["status"]) for run in done.json["runs"]] == [
        ("2025-03-01", "success"),
        ("2025-03-02", "failed"),
        ("2025-03-03", "success"),
    ]
    assert "first" in done.json["runs"][1]["error"]
    assert (rows(windlass, root), (root / "ran.txt").read_text().split()) == (
        "2",
        ["2025-03-01", "2025-03-02", "2025-03-03"],
    )
    (root / "broken-2025-03-02").unlink()
    again = backfill(windlass, root)
    assert again.code == 0, again
    assert [run["todo"] for run in again.json["runs"]] == ["done", "resume", "done"]
    assert again.json["runs"][1]["run_id"] == done.json["runs"][1]["run_id"]
    assert rows(windlass, root) == "3"
    assert (root / "ran.txt").read_text().split()[3:] == ["2025-03-02"]


def test_what_a_run_of_that_date_has_loaded_is_not_loaded_again(windlass: Windlass, root: Path) -> None:
    assert windlass("run", "load", "--logical-date", "2025-03-02", cwd=root).code == 0
    assert [run["todo"] for run in backfill(windlass, root).json["runs"]] == ["run", "done", "run"]
    assert backfill(windlass, root, "--again", "--parallel", "3").code == 0
    assert rows(windlass, root) == "3"


def test_a_run_of_some_tasks_or_with_other_parameters_does_not_count(windlass: Windlass, root: Path) -> None:
    assert windlass("run", "load", "--task", "first", "--logical-date", "2025-03-01", cwd=root).code == 0
    (root / "other.csv").write_text("a\n2\n")
    other = ("--param", "file=other.csv")
    assert windlass("run", "load", *other, "--logical-date", "2025-03-02", cwd=root).code == 0
    planned = backfill(windlass, root, "--dry-run")
    assert [run["todo"] for run in planned.json["runs"]] == ["resume", "run", "run"]
    with_other = backfill(windlass, root, "--dry-run", *other)
    assert [run["todo"] for run in with_other.json["runs"]] == ["run", "done", "run"]


def test_a_resumed_run_is_recorded_with_the_parameters_it_had(windlass: Windlass, root: Path) -> None:
    assert windlass("run", "load", "--param", "file=none.csv", cwd=root).code == 1
    [failed] = windlass("runs", "--json", cwd=root).json
    assert windlass("run", "--resume", failed["run_id"], "--param", "file=in.csv", cwd=root).code == 0
    [resumed] = windlass("runs", "--json", cwd=root).json
    assert (resumed["status"], resumed["params"]) == ("success", {"file": "in.csv"})


WRONG = {
    ("--from", "2025-03-02", "--to", "2025-03-01"): "has no ticks from 2025-03-02 to 2025-03-01",
    ("--from", "yesterday", "--to", "2025-03-01"): "'yesterday' is not a valid date",
    ("--from", "2025-03-01"): "--to",
}


@pytest.mark.parametrize("options", WRONG)
def test_dates_that_make_no_sense_are_told(windlass: Windlass, root: Path, options: tuple[str, ...]) -> None:
    done = windlass("backfill", "load", *options, cwd=root)
    assert (done.code, WRONG[options] in done.stderr) == (2, True), done


def test_several_runs_at_once_have_to_be_allowed(root: Path) -> None:
    file = root / "pipelines" / "load.yaml"
    file.write_text(file.read_text().replace("concurrency: allow", "concurrency: forbid"))
    with pytest.raises(api.UsageError, match="only one run of load may go on"):
        api.backfill(root, start="2025-03-01", end="2025-03-03", parallel=2)


def test_a_backfill_that_is_stopped_stops_its_runs_and_goes_on_later(windlass: Windlass, root: Path) -> None:
    (root / "pipelines" / "load.yaml").write_text(
        "pipeline: load\nschedule: '@daily'\ntasks:\n"
        "  t: {run: {command: [sh, -c, 'echo $$ > {{ ds }}.pid; test -e go || sleep 600']}}\n"
    )
    command = [
        str(Path(sys.executable).with_name("windlass")),
        "backfill",
        "load",
        "--from",
        "2025-03-01",
        "--to",
        "2025-03-03",
    ]
    going = subprocess.Popen(command, cwd=root, stderr=subprocess.PIPE, text=True)
    pid = root / "2025-03-01.pid"
    while not pid.exists() or not pid.read_text().strip():
        assert going.poll() is None
    going.send_signal(signal.SIGINT)
    assert (going.wait(60), going.communicate()[1]) == (130, "stopped by Ctrl-C\n")
    assert not Path(f"/proc/{pid.read_text().strip()}").exists()
    assert not (root / "2025-03-02.pid").exists()
    (root / "go").touch()
    runs = backfill(windlass, root).json["runs"]
    assert [(run["todo"], run["status"]) for run in runs] == [
        ("resume", "success"),
        ("run", "success"),
        ("run", "success"),
    ]


def test_a_pipeline_without_a_regular_schedule_has_no_dates(root: Path) -> None:
    file = root / "pipelines" / "load.yaml"
    file.write_text(file.read_text().replace("@daily", "@once"))
    with pytest.raises(api.UsageError, match="the schedule is @once"):
        api.backfill(root, start="2025-03-01", end="2025-03-03")


def test_the_runs_of_past_dates_are_handed_to_argo_as_workflows_of_their_ticks(
    windlass: Windlass, project: Callable[..., Path]
) -> None:
    settings = "project: shop\nruntimes: {kubernetes: {namespace: etl}}\ntargets: {argo: {rbac: true}}\n"
    pipeline = """
pipeline: load
schedule: "0 5 * * *"
timezone: Europe/Paris
concurrency: allow
params: {n: 1, word: a}
tasks: {a: {run: {command: [echo, "{{ ds }}"]}}}
"""
    root = project({"windlass.yaml": settings, "pipelines/load.yaml": pipeline})
    dates = ("--from", "2026-03-28", "--to", "2026-03-30")
    found = windlass(
        "-C", root, "backfill", "load", *dates, "--as", "argo", "--param", "n=5", "--parallel", "2"
    )
    assert found.code == 0, found.stderr
    assert windlass("-C", root, "export", "argo").code == 0
    cron_map, cron = yaml.safe_load_all((root / "argo/shop-load.yaml").read_text())
    plan_map, *workflows = yaml.safe_load_all(found.stdout)
    assert plan_map == cron_map
    fired = ("2026-03-29T03:00:00+00:00", "2026-03-30T03:00:00+00:00", "2026-03-31T03:00:00+00:00")
    for workflow, moment, mutex in zip(workflows, fired, (0, 1, 0), strict=True):
        given = [{"name": "fired-at", "value": moment}, {"name": "params", "value": '{"n": 5}'}]
        assert workflow["kind"] == "Workflow"
        assert workflow["metadata"]["namespace"] == "etl"
        assert workflow["metadata"]["name"] == f"shop-load-{moment[:10].replace('-', '')}t0300"
        spec = workflow["spec"]
        assert spec.pop("synchronization") == {"mutexes": [{"name": f"shop-load-backfill-{mutex}"}]}
        assert spec.pop("arguments") == {"parameters": given}
        assert spec == {k: v for k, v in cron["spec"]["workflowSpec"].items() if k != "arguments"}


def test_what_cannot_be_handed_on_is_refused(windlass: Windlass, root: Path) -> None:
    dates = ("--from", "2026-03-28", "--to", "2026-03-30")
    for options, message in (
        (("--as", "kubernetes"), "runs of past dates cannot be handed to kubernetes"),
        (("--as", "argoo"), "there is no target 'argoo'"),
        (("--as", "argo", "--again"), "--as takes no --again"),
    ):
        found = windlass("-C", root, "backfill", "load", *dates, *options)
        assert found.code == 2
        assert message in found.stderr
