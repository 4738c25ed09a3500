"""Steps in any language: each with an environment of its own."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., dict[str, Any]]
Call = Callable[..., Any]

PYTHON = "tasks: {a: {run: {build: steps/a, command: [python, main.py, '1']}}}\n"


def output(result: dict[str, Any]) -> list[str]:
    return [record["message"] for record in result["log"] if record["event"] == "output"]


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """A package that is nowhere else."""
    file = tmp_path / "mine-1.0-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("mine.py", "answer = 42\n")
        archive.writestr("mine-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
        archive.writestr(
            "mine-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(
            "mine-1.0.dist-info/RECORD",
            "mine.py,,\nmine-1.0.dist-info/METADATA,,\nmine-1.0.dist-info/WHEEL,,\nmine-1.0.dist-info/RECORD,,\n",
        )
    return file


def test_a_python_step_has_what_its_requirements_name_and_nothing_of_ours(run: Run, wheel: Path) -> None:
    main = (
        "import importlib.util, os, sys, mine\n"
        "print(mine.answer, sys.argv[1], importlib.util.find_spec('windlass'), os.path.basename(os.getcwd()))\n"
    )
    files = {"steps/a/main.py": main, "steps/a/requirements.txt": f"{wheel}\n"}
    result = run(PYTHON, files=files)
    assert (result["code"], output(result)) == (0, ["42 1 None a"]), result["stderr"]
    assert "environment" in {record["event"] for record in result["log"]}
    again = run(PYTHON, files=files)
    assert (again["code"], output(again)) == (0, ["42 1 None a"])
    assert "environment" not in {record["event"] for record in again["log"]}


def test_a_requirement_that_cannot_be_installed_is_told(run: Run) -> None:
    files = {"steps/a/main.py": "print('never')", "steps/a/requirements.txt": "./no-such-package\n"}
    result = run(PYTHON, files=files)
    assert result["code"] == 1
    assert "cannot set up the environment of a" in result["tasks"]["a"]["error"]
    assert "no-such-package" in result["tasks"]["a"]["error"]
    mended = run(PYTHON, files={**files, "steps/a/requirements.txt": ""})
    assert output(mended) == ["never"]


def test_a_node_step_has_the_packages_of_its_package_json(run: Run) -> None:
    package = {"name": "step", "version": "1.0.0", "dependencies": {"mine": "file:./mine"}}
    result = run(
        "tasks: {a: {run: {build: steps/b, command: [node, main.js], env: {WHO: you}}}}\n",
        files={
            "steps/b/package.json": json.dumps(package),
            "steps/b/mine/package.json": json.dumps({"name": "mine", "version": "1.0.0", "main": "index.js"}),
            "steps/b/mine/index.js": "module.exports = who => `hello ${who}`;\n",
            "steps/b/main.js": "console.log(require('mine')(process.env.WHO));\n",
        },
    )
    assert (result["code"], output(result)) == (0, ["hello you"]), result["stderr"]


def test_any_other_command_runs_as_it_is_in_its_folder(run: Run) -> None:
    result = run(
        "tasks:\n"
        "  a: {run: {build: steps/c, command: [sh, ./main.sh, one argument]}}\n"
        "  b: {needs: a, run: {command: [cat, steps/c/made]}}\n",
        files={"steps/c/main.sh": 'echo "$1" > made\n'},
    )
    assert (result["code"], output(result)) == (0, ["one argument"])


def test_a_line_of_json_is_a_record_of_the_log(run: Run) -> None:
    line = '{"level": "warning", "event": "odd", "rows": 5}'
    result = run(f"tasks: {{a: {{run: {{command: [echo, '{line}']}}}}}}\n")
    (record,) = [record for record in result["log"] if record["event"] == "odd"]
    assert (record["level"], record["rows"], record["task"]) == ("warning", 5, "a")


def test_the_log_says_how_bad_it_is_what_becomes_of_a_task(run: Run) -> None:
    result = run(
        "tasks:\n"
        "  a: {retries: 1, retry_delay: 1ms, run: {command: ['false']}}\n"
        "  b: {needs: a, run: {command: ['true']}}\n"
        "  c: {run: {command: ['true']}}\n"
    )
    told = [record for record in result["log"] if record["event"] == "task"]
    became = {
        task: [(r["status"], r["level"], r["attempts"], r.get("error")) for r in told if r["task"] == task]
        for task in "abc"
    }
    assert became["a"] == [
        ("running", "info", 1, None),
        ("up_for_retry", "warning", 1, "exit code 1"),
        ("running", "info", 2, None),
        ("failed", "error", 2, "exit code 1"),
    ]
    assert [(status, level) for status, level, _, _ in became["b"]] == [("upstream_failed", "warning")]
    assert [(status, level) for status, level, _, _ in became["c"]] == [
        ("running", "info"),
        ("success", "info"),
    ]


def test_a_step_can_say_that_trying_again_is_of_no_use(run: Run) -> None:
    line = '{"event": "failed", "error": "the key was refused", "retryable": false}'
    result = run(
        "defaults: {retries: 3, retry_delay: 1ms}\n"
        "tasks: {a: {run: {command: [sh, fail.sh]}}, b: {run: {command: ['false']}}}\n",
        files={"fail.sh": f"echo '{line}'; exit 1\n"},
    )
    tasks = result["tasks"]
    assert (tasks["a"]["attempts"], tasks["a"]["error"]) == (1, "the key was refused")
    assert (tasks["b"]["attempts"], tasks["b"]["error"]) == (4, "exit code 1")


# --- triggers ------------------------------------------------------------------------------------

CHILD = """\
pipeline: child
schedule: "@daily"
params: {name: nobody, times: 1, maybe: null}
tasks: {a: {run: {command: [sh, -c, "echo {{ params.name }} {{ params.times + 1 }} {{ params.maybe }} {{ ds }}; test {{ params.name }} != bad"]}}}
"""
TRIGGER = (
    "params: {n: 4}\ntasks: {go: {trigger: {pipeline: child, params: {name: %s, times: '{{ params.n }}'}}}}\n"
)


def test_a_trigger_runs_another_pipeline_with_parameters_of_their_type(run: Run, windlass: Call) -> None:
    result = run(TRIGGER % "you", "--logical-date", "2025-03-01", files={"pipelines/child.yaml": CHILD})
    assert result["code"] == 0, result["stderr"]
    assert output(result) == ["you 5 2025-03-01"]
    runs = windlass("-C", result["root"], "runs", "--json").json
    assert {run["pipeline"]: run["parent"] for run in runs} == {"p": None, "child": result["run"]}


def test_a_triggered_run_that_fails_fails_the_task(run: Run) -> None:
    result = run(TRIGGER % "bad", files={"pipelines/child.yaml": CHILD})
    assert result["code"] == 1
    assert "a: exit code 1" in result["tasks"]["go"]["error"]


def test_a_trigger_with_a_parameter_of_another_type_says_so(run: Run) -> None:
    text = TRIGGER.replace("{{ params.n }}", "{{ ds }}") % "you"  # known only when it runs
    result = run(text, files={"pipelines/child.yaml": CHILD})
    assert result["code"] == 1
    [error] = [task["error"] for task in result["tasks"].values() if task["kind"] == "trigger"]
    assert "parameter 'times': expected a whole number" in error


def test_what_installs_packages_has_none_of_our_secrets(run: Run) -> None:
    package = '{"name": "n", "version": "1.0.0", "dependencies": {"d": "file:./d"}, "scripts": {"postinstall": "echo found $(env | grep -c can[a]ry); exit 1"}}'
    result = run(
        "tasks: {a: {run: {build: steps/n, command: [node, main.js]}}}\n",
        files={
            "steps/n/package.json": package,
            "steps/n/main.js": "",
            "steps/n/d/package.json": '{"name": "d", "version": "1.0.0"}',
        },
        env={"WINDLASS_CONN_PROD": "postgresql://u:canary-of-ours@10.0.0.1/db", "MY_TOKEN": "canary-of-ours"},
    )
    assert "cannot set up the environment of n" in result["tasks"]["a"]["error"]
    assert "found 0" in result["stderr"]
