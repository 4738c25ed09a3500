"""Reports of runs that have not ended, have nothing in them, or far too much, or want to break the page."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.conftest import Output
from tests.report.test_report import section, text_of
from windlass.plan.codec import to_json
from windlass.plan.model import Plan, RunCommand, Task
from windlass.report import write_report
from windlass.runner.history import Attempt, History, Run, TaskRun
from windlass.state_folder import RunFolder, StateFolder
from windlass.status import Status

Windlass = Callable[..., Output]
Browser = Callable[..., str]

HOSTILE = "</title></script><script>alert('x')</script><!-- \" & \x00 \x1b[31mred\x1b[0m \u202e"
BEGAN, ENDED = "2026-03-01T06:00:00.000+00:00", "2026-03-01T06:00:01.500+00:00"


@pytest.fixture
def going_on(tmp_path: Path) -> Iterator[tuple[Path, subprocess.Popen[bytes]]]:
    """A project with a run whose task is at work, and its process."""
    os.mkfifo(tmp_path / "gate")
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "windlass.yaml").write_text("project: slow\n")
    (tmp_path / "pipelines" / "slow.yaml").write_text(
        "pipeline: slow\ntasks:\n"
        "  one: {run: {command: [sh, -c, 'exec 3>gate; exec sleep 300']}}\n"
        "  two: {needs: [one], run: {command: [echo, x]}}\n"
    )
    run = subprocess.Popen(
        [sys.executable, "-m", "windlass", "-C", str(tmp_path), "run", "slow"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with (tmp_path / "gate").open("rb"):  # opens when the task opens its end
        yield tmp_path, run
    if run.poll() is None:
        run.terminate()
        run.wait()


def states(document: str) -> dict[str, str]:
    """The state of each task in the picture."""
    return {task: state for state, task in re.findall(r'<g class="task (\w+)" data-task="(\w+)"', document)}


def test_a_run_that_is_going_on_is_shown_as_far_as_it_is(
    going_on: tuple[Path, subprocess.Popen[bytes]], windlass: Windlass, browser: Browser
) -> None:
    document = browser(Path(windlass("-C", going_on[0], "report").stdout.strip()))
    assert 'data-status="running"' in document
    assert "so far" in text_of(document)
    assert states(document) == {"one": "running", "two": "pending"}
    assert "1 task did not start." in text_of(document)


def test_a_run_that_was_stopped_says_so(
    going_on: tuple[Path, subprocess.Popen[bytes]], windlass: Windlass, browser: Browser
) -> None:
    project, run = going_on
    run.send_signal(signal.SIGINT)
    assert run.wait(60) == 130
    document = browser(Path(windlass("-C", project, "report").stdout.strip()))
    assert 'data-status="cancelled"' in document
    assert states(document) == {"one": "cancelled", "two": "cancelled"}


def recorded(
    project: Path, tasks: Sequence[TaskRun], status: Status = Status.FAILED, pipeline: str = "odd"
) -> Run:
    """A run with these tasks, each tried once, in the history of a project."""
    history = History(StateFolder.of(project))
    run = Run("odd-1", pipeline, status, logical_date=BEGAN, started=BEGAN, ended=ENDED, version="0")
    history.begin(run, tasks, alone=False).close()
    for task in tasks:
        history.save(Attempt(run.run_id, task.task, 1, task.status, BEGAN, ENDED, 1, task.error))
    return run


def folder_of(project: Path) -> RunFolder:
    return StateFolder.of(project).run("odd-1")


def test_a_run_without_tasks_has_a_report(tmp_path: Path, browser: Browser) -> None:
    run = recorded(tmp_path, [], Status.SUCCESS)
    folder_of(tmp_path).plan.write_text(to_json(Plan(project="p", pipeline="odd")))
    document = browser(write_report(tmp_path, [run.run_id]))
    assert text_of(document).startswith("odd: success")
    assert "This run has no tasks yet." in text_of(document)


def test_nothing_that_a_run_says_becomes_part_of_the_page(tmp_path: Path, browser: Browser) -> None:
    detail = {
        "checks": [{"check": HOSTILE, "passed": False, "found": HOSTILE, "samples": [{HOSTILE: HOSTILE}]}],
        "columns_added": [HOSTILE],
        "columns_widened": {HOSTILE: HOSTILE},
        "bad_rows": [{"source": HOSTILE, "reason": HOSTILE, "message": HOSTILE, "raw": HOSTILE}],
    }
    task = TaskRun("odd-1", HOSTILE, "copy", Status.FAILED, 1, BEGAN, ENDED, error=HOSTILE, detail=detail)
    run = recorded(tmp_path, [task], pipeline=HOSTILE)
    run.params = {HOSTILE: HOSTILE}
    History(StateFolder.of(tmp_path)).save(run)
    action = RunCommand()
    plan = Plan(
        project="p", pipeline=HOSTILE, description=HOSTILE, tasks=(Task(name=HOSTILE, action=action),)
    )
    folder_of(tmp_path).plan.write_text(to_json(plan))
    document = browser(write_report(tmp_path, [run.run_id]))
    assert re.findall("<script|<!--|\x00|\x1b|\u202e", document) == []
    shown = text_of(document)
    assert shown.startswith("</title></script><script>alert('x')</script><!-- \" & \u2400 red \ufffd: failed")
    assert "Rows that speak against it" in shown
    assert "The destination changed: columns added: </title>" in shown
    assert shown.endswith("This page loads nothing and runs no script.")


def test_a_log_of_any_kind_and_size_is_shown_by_its_end(tmp_path: Path, browser: Browser) -> None:
    run = recorded(tmp_path, [TaskRun("odd-1", "talks", "run", Status.FAILED, 1, BEGAN, ENDED)])
    log = folder_of(tmp_path).log("talks", 1)
    log.parent.mkdir(parents=True)
    lines = [json.dumps({"event": "output", "message": f"line {n} " + "x" * 2000}) for n in range(5000)]
    log.write_bytes(
        "\n".join([*lines, '{"event": "said", "by": "me"}', "no JSON"]).encode() + b"\n\xff\xfe\n"
    )
    page = write_report(tmp_path, [run.run_id])
    assert log.stat().st_size > 10_000_000
    assert page.stat().st_size < 200_000
    talks = section(browser(page), "talks")
    assert "line 4999" in talks
    assert "line 10 " not in talks
    assert "more characters)" in talks
    assert "said by =me" in talks
    assert "no JSON" in talks


def test_a_report_that_cannot_be_written_changes_nothing_about_its_run(
    tmp_path: Path, windlass: Windlass
) -> None:
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "windlass.yaml").write_text("project: p\n")
    (tmp_path / "pipelines" / "p.yaml").write_text(
        "pipeline: p\ntasks:\n"
        "  a: {run: {command: [sh, -c, 'mkdir .windlass/runs/$WINDLASS_RUN_ID/report.html']}}\n"
    )
    done = windlass("-C", tmp_path, "run", "p", "--json")
    assert done.code == 0
    assert done.json["status"] == "success"
    assert done.json["report"] is None
    assert "no_report" in done.stderr
    assert "is a folder" in done.stderr
