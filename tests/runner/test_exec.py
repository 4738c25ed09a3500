"""One task at a time, as a scheduler starts it: plans of an export, parameters, commands, services."""

from __future__ import annotations

import base64
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.runner.conftest import eventually, processes_with
from tests.runner.test_services import SERVER
from windlass.plan import model
from windlass.plan.bundle import bundle_to_json
from windlass.plan.codec import to_json
from windlass.plan.compiler import compile_project
from windlass.plan.travel import LONGEST, pack
from windlass.processes import Identity
from windlass.spec import load_project
from windlass.targets.exporting import compiled

Call = Callable[..., Any]
Project = Callable[..., Path]


def bundle_of(root: Path) -> Path:
    """What an export puts beside a loader."""
    file = root / "plans.json"
    file.write_text(bundle_to_json("test", compile_project(load_project(root)), {"kind": "process"}))
    return file


def records(stdout: str) -> list[dict[str, Any]]:
    """The JSON lines of an output."""
    return [json.loads(line) for line in stdout.splitlines() if line.startswith("{")]


def events(stdout: str, name: str) -> list[dict[str, Any]]:
    return [record for record in records(stdout) if record["event"] == name]


@pytest.fixture
def step(windlass: Call, project: Project) -> Callable[..., Any]:
    """Execute the `run` task `a` with this script as its command."""

    def call(script: str, *, env: dict[str, str] | None = None) -> Any:
        root = project(
            {
                "windlass.yaml": "project: p\nconnections: {pg: {type: postgres}}\n",
                "pipelines/p.yaml": "pipeline: p\nparams: {n: 1}\n"
                "tasks: {a: {run: {command: [sh, steps/a.sh, '{{ params.n }}'], connections: pg}}}\n",
                "steps/a.sh": script,
            }
        )
        address = {"WINDLASS_CONN_PG": "postgresql://me:very-secret@127.0.0.1:1/db"}
        return windlass("-C", root, "exec", "p", "a", env={**address, **(env or {})})

    return call


# --- plans and parameters ------------------------------------------------------------------------


def test_a_task_is_executed_from_the_plans_of_an_export(windlass: Call, project: Project) -> None:
    text = "pipeline: {0}\ntasks: {{a: {{run: {{command: [echo, 'I am {0}']}}}}}}\n"
    root = project({f"pipelines/{name}.yaml": text.format(name) for name in ("p", "other")})
    plans = bundle_of(root)
    for name in ("p", "other"):
        (root / f"pipelines/{name}.yaml").unlink()
        done = windlass("-C", root, "exec", name, "a", "--plan", plans)
        assert (done.code, f"I am {name}" in done.stdout) == (0, True)
    done = windlass("-C", root, "exec", "othr", "a", "--plan", plans)
    assert (done.code, "did you mean 'other'?" in done.stdout) == (2, True)


@pytest.mark.parametrize(("params", "shown"), [("{}", "1"), ('{"n": 1}', "1"), ('{"n": 7}', "7")])
def test_parameters_of_the_run_take_the_place_of_those_in_the_plan(
    params: str, shown: str, windlass: Call, project: Project
) -> None:
    tasks = "tasks: {a: {run: {command: [echo, 'n is {{ params.n }}']}}}\n"
    root = project({"pipelines/p.yaml": f"pipeline: p\nparams: {{n: 1}}\n{tasks}"})
    done = windlass("-C", root, "exec", "p", "a", "--plan", bundle_of(root), env={"WINDLASS_PARAMS": params})
    assert (done.code, f"n is {shown}\n" in done.stdout) == (0, True)


@pytest.mark.parametrize(("params", "message"), [('{"m": 1}', "no parameter 'm'"), ("[", "a JSON object")])
def test_parameters_that_make_no_sense_are_refused(params: str, message: str, step: Call) -> None:
    done = step("echo never", env={"WINDLASS_PARAMS": params})
    (failed,) = events(done.stdout, "failed")
    assert (done.code, message in failed["error"], failed["retryable"], done.stderr) == (2, True, False, "")


# --- plans that travel ---------------------------------------------------------------------------

GREETS = """\
pipeline: p
params: {n: 1}
tasks:
  a: {run: {command: [echo, 'n is {{ params.n }}']}}
  long: {sql: {file: long.sql}}
"""


def long_statement() -> str:
    """A statement whose plan is too long for a variable, however it is compressed."""
    return f"SELECT '{base64.b64encode(random.Random(1).randbytes(100_000)).decode()}'"


@pytest.fixture
def travelling(project: Project) -> tuple[Path, model.Plan]:
    """A project, and the plan that an export of it has."""
    root = project({"pipelines/p.yaml": GREETS, "long.sql": long_statement()})
    return root, compiled(load_project(root)).open_plans["p"]


@pytest.mark.parametrize(("params", "shown"), [("{}", "1"), ('{"n": 7}', "7"), ('{"n": "8"}', "8")])
def test_a_container_executes_the_plan_that_came_with_it_whatever_its_files_say(
    params: str, shown: str, windlass: Call, travelling: tuple[Path, model.Plan]
) -> None:
    root, plan = travelling
    (root / "pipelines/p.yaml").write_text("pipeline: p\ntasks: {a: {run: {command: [echo, other]}}}\n")
    env = {"WINDLASS_PLAN": pack(plan, plan.task("a")), "WINDLASS_PARAMS": params}
    done = windlass("-C", root, "exec", "p", "a", env=env)
    assert (done.code, f"n is {shown}\n" in done.stdout) == (0, True), done.stdout + done.stderr


@pytest.mark.parametrize(
    ("arguments", "params", "says"),
    [
        (("p", "long"), "{}", "WINDLASS_PLAN has the plan of p a, not of p long"),
        (("q", "a"), "{}", "WINDLASS_PLAN has the plan of p a, not of q a"),
        (("p", "a"), '{"m": 1}', "has no parameter 'm'"),
        (("p", "a"), '{"n": "x"}', "expected a whole number"),
    ],
)
def test_a_plan_that_came_along_is_for_its_task_and_its_parameters_alone(
    arguments: tuple[str, str], params: str, says: str, windlass: Call, travelling: tuple[Path, model.Plan]
) -> None:
    root, plan = travelling
    env = {"WINDLASS_PLAN": pack(plan, plan.task("a")), "WINDLASS_PARAMS": params}
    done = windlass("-C", root, "exec", *arguments, env=env)
    assert (done.code, says in done.stdout) == (2, True), done.stdout


def test_who_triggers_a_run_chooses_a_file_of_the_workspace_and_no_other(
    windlass: Call, project: Project
) -> None:
    pipeline = 'pipeline: p\nparams: {file: in.csv}\ntasks: {a: {check: {path: "{{ params.file }}", rows: {min: 1}}}}\n'
    root = project({"pipelines/p.yaml": pipeline, "in.csv": "id\n1\n", "deep/other.csv": "id\n1\n"})
    plan = compiled(load_project(root)).open_plans["p"]
    for file, code in (("in.csv", 0), ("deep/other.csv", 0), ("/etc/passwd", 2)):
        params = json.dumps({"file": file})
        env = {"WINDLASS_PLAN": pack(plan, plan.task("a")), "WINDLASS_PARAMS": params}
        done = windlass("-C", root, "exec", "p", "a", env=env)
        assert (done.code, "the parameters lead to '/etc/passwd'" in done.stdout) == (code, code == 2)


def test_of_a_plan_that_is_too_long_the_project_must_have_the_same(
    windlass: Call, travelling: tuple[Path, model.Plan]
) -> None:
    root, plan = travelling
    env = {"WINDLASS_PLAN": pack(plan, plan.task("long"))}
    assert env["WINDLASS_PLAN"].startswith("sha256:")
    assert windlass("-C", root, "exec", "p", "long", env=env).code == 0
    (root / "long.sql").write_text(long_statement() + " AS changed")
    done = windlass("-C", root, "exec", "p", "long", env=env)
    assert done.code == 1
    assert "the project here has another plan of p long than the one that was exported" in done.stdout
    assert "build the image from the files that were exported" in done.stdout
    # a file that is shown instead has to be the one, too
    whole = root / "plan.json"
    for given, code in ((plan, 0), (compiled(load_project(root)).open_plans["p"], 1)):
        whole.write_text(to_json(given))
        done = windlass("-C", root, "exec", "p", "long", "--plan", whole, env=env)
        assert (done.code, f"{whole} has another plan of p long" in done.stdout) == (code, code == 1)


def test_a_run_has_tasks_whose_plans_are_too_long_to_travel(
    windlass: Call, travelling: tuple[Path, model.Plan]
) -> None:
    root, _ = travelling
    done = windlass("-C", root, "run", "p", "--json")
    assert {task["status"] for task in done.json["tasks"]} == {"success"}, done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="other systems limit the environment as a whole")
def test_a_variable_takes_a_plan_of_the_greatest_length_and_no_longer_one() -> None:
    def started(length: int) -> int:
        return subprocess.run(["true"], env={"WINDLASS_PLAN": "x" * length}, check=False).returncode

    assert started(LONGEST) == 0
    with pytest.raises(OSError, match="Argument list too long"):
        started(LONGEST + 1)


# --- commands ------------------------------------------------------------------------------------


def test_what_a_command_prints_is_printed_and_its_result_is_the_result(step: Call) -> None:
    result = '{"event": "result", "rows_read": 5, "bytes": 7, "detail": {"x": 1}}'
    done = step(
        f"echo hello $1; echo '{result}'; echo $WINDLASS_CONN_PG; env", env={"MY_TOKEN": "other-secret"}
    )
    assert done.code == 0, done.stdout
    lines = done.stdout.splitlines()
    assert lines[0] == "hello 1"
    assert "postgresql://me:***@127.0.0.1:1/db" in lines
    assert not [line for line in lines if "very-secret" in line or "other-secret" in line]
    (told,) = events(done.stdout, "result")
    assert (told["rows_read"], told["bytes"], told["detail"]) == (5, 7, {"x": 1})


@pytest.mark.parametrize(
    ("script", "code", "error", "retryable"),
    [
        ("exit 7", 7, "exit code 7", True),
        ("echo a; echo no such city >&2; exit 7", 7, "exit code 7\n    a\n    no such city", True),
        ("echo $WINDLASS_CONN_PG; exit 7", 7, "exit code 7\n    postgresql://me:***@127.0.0.1:1/db", True),
        ("kill -9 $$", 137, "killed by SIGKILL", True),
        ("exit 255", 255, "exit code 255", True),
        ("exit 137", 137, "exit code 137", True),
        ("""echo '{"event": "failed", "error": "no", "retryable": false}'; exit 4""", 4, "no", False),
    ],
)
def test_how_a_command_ends_is_how_the_task_ends(
    script: str, code: int, error: str, retryable: bool, step: Call
) -> None:
    done = step(script)
    (failed,) = events(done.stdout, "failed")
    assert (done.code, failed["error"], failed["retryable"]) == (code, error, retryable)


def test_a_program_that_is_not_there_is_told(windlass: Call, project: Project) -> None:
    root = project({"pipelines/p.yaml": "pipeline: p\ntasks: {a: {run: {command: [no-such-program]}}}\n"})
    done = windlass("-C", root, "exec", "p", "a")
    (failed,) = events(done.stdout, "failed")
    assert (failed["error"], failed["retryable"]) == ("there is no program 'no-such-program'", False)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_command_ends_with_all_that_it_started_when_its_task_is_stopped(
    number: signal.Signals, project: Project
) -> None:
    script = "trap 'echo last words; exit 1' TERM; setsid sleep 600 & sleep 600 & touch up; wait"
    tasks = f'tasks: {{a: {{run: {{command: [bash, -c, "{script}"]}}}}}}\n'
    root = project({"pipelines/p.yaml": f"pipeline: p\n{tasks}"})
    task = subprocess.Popen(
        [sys.executable, "-m", "windlass", "-C", str(root), "exec", "p", "a"],
        env={**os.environ, "WINDLASS_RUN_ID": f"run-{number}"},
        stdout=subprocess.PIPE,
        text=True,
    )
    eventually((root / "up").exists)
    task.send_signal(number)
    stdout, _ = task.communicate()
    if number == signal.SIGTERM:
        assert (task.returncode, "last words" in stdout) == (143, True)
        (failed,) = events(stdout, "failed")
        assert failed["error"] == "stopped by SIGTERM"
    eventually(lambda: processes_with(f"WINDLASS_RUN_ID=run-{number}") == [])


# --- services ------------------------------------------------------------------------------------


@pytest.fixture
def service(windlass: Call, project: Project) -> Callable[..., Any]:
    """`windlass exec` on the service `api` of a run: call with --start or --stop."""
    text = (
        "pipeline: p\ntasks:\n"
        "  api: {service: {command: [sh, -c, 'exec python3 server.py'], health: /healthz}}\n"
        "  bad: {service: {command: [sh, -c, 'echo it is broken; exit 4']}}\n"
        "  use: {uses: api, run: {command: [echo, '{{ services.api.url }}']}}\n"
    )
    root = project({"pipelines/p.yaml": text, "server.py": SERVER})

    def call(option: str, task: str = "api", run: str = "r1", **env: str) -> Any:
        options = [option] if option else []
        return windlass("-C", root, "exec", "p", task, *options, env={"WINDLASS_RUN_ID": run, **env})

    return call


def processes_of(root: Path) -> list[int]:
    """What runs for projects below this folder."""
    return processes_with(f"WINDLASS_WORKSPACE={root}")


def address_of(done: Any) -> dict[str, Any]:
    assert done.code == 0, done.stdout + done.stderr
    (result,) = events(done.stdout, "result")
    address: dict[str, Any] = result["detail"]["address"]
    return address


def answer(url: str) -> str:
    with urllib.request.urlopen(f"{url}/x", timeout=10) as response:
        return str(response.read().decode())


def test_a_service_stays_up_from_start_to_stop_and_nothing_is_left(service: Call, tmp_path: Path) -> None:
    address = address_of(service("--start"))
    try:
        assert answer(address["url"]) == "the answer"
        used = service("", "use", WINDLASS_SERVICES=json.dumps({"api": address}))
        assert address["url"] in used.stdout.splitlines()
    finally:
        stopped = service("--stop")
    assert events(stopped.stdout, "result")[0]["detail"] == {"was_up": True}
    eventually(lambda: processes_of(tmp_path) == [])
    assert events(service("--stop").stdout, "result")[0]["detail"] == {"was_up": False}


def test_a_second_start_of_a_run_takes_the_place_of_the_first_and_other_runs_have_their_own(
    service: Call, tmp_path: Path
) -> None:
    first, other = address_of(service("--start")), address_of(service("--start", run="r2"))
    second = address_of(service("--start"))
    try:
        assert answer(second["url"]) == answer(other["url"]) == "the answer"
        assert len({first["port"], second["port"], other["port"]}) == 3
        with pytest.raises(OSError, match="refused"):
            answer(first["url"])
    finally:
        service("--stop")
        service("--stop", run="r2")
    eventually(lambda: processes_of(tmp_path) == [])


def test_a_service_ends_with_the_process_that_looks_after_it(service: Call, tmp_path: Path) -> None:
    address_of(service("--start"))
    noted = Identity.parse(next(tmp_path.rglob("api.pid")).read_text())
    assert noted is not None
    os.kill(noted.pid, signal.SIGKILL)
    assert service("--stop").code == 0
    eventually(lambda: processes_of(tmp_path) == [])


def test_a_service_that_does_not_come_up_says_why_and_leaves_nothing(service: Call, tmp_path: Path) -> None:
    done = service("--start", "bad")
    (failed,) = events(done.stdout, "failed")
    error = "the service ended before it was ready: exit code 4\n    it is broken"
    assert (done.code, failed["error"]) == (1, error)
    eventually(lambda: processes_of(tmp_path) == [])


def test_what_is_no_service_is_neither_started_nor_stopped(service: Call) -> None:
    for task, option, message in (
        ("use", "--start", "'use' is a run task"),
        ("api", "", "say --start or --stop"),
    ):
        (failed,) = events(service(option, task).stdout, "failed")
        assert message in failed["error"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_service_is_not_left_behind_by_a_start_that_is_stopped(
    number: signal.Signals, project: Project
) -> None:
    text = "pipeline: p\ntasks: {api: {service: {command: [sh, -c, 'touch up; exec sleep 600']}}}\n"
    root = project({"pipelines/p.yaml": text})
    task = subprocess.Popen(
        [sys.executable, "-m", "windlass", "-C", str(root), "exec", "p", "api", "--start"],
        env={**os.environ, "WINDLASS_RUN_ID": f"start-{number}"},
        stdout=subprocess.DEVNULL,
    )
    eventually((root / "up").exists)
    task.send_signal(number)
    task.wait()
    eventually(lambda: processes_with(f"WINDLASS_RUN_ID=start-{number}") == [])


def test_rows_that_were_quarantined_under_another_scheduler_are_shown_and_replayed(
    windlass: Call, project: Project, tmp_path: Path
) -> None:
    copy = (
        "pipeline: p\ntasks:\n  load:\n    copy:\n"
        "      from: {path: in.csv, columns: {id: bigint}}\n"
        "      to: {connection: store, table: numbers, mode: append}\n"
        "      on_bad_row: quarantine\n"
    )
    root = project(
        {
            "windlass.yaml": "project: test\nconnections: {store: {type: sqlite}}\n",
            "pipelines/p.yaml": copy,
            "in.csv": "id\n1\nzwei\n",
        }
    )
    store = {"WINDLASS_CONN_STORE": f"sqlite:///{tmp_path / 'store.db'}"}
    done = windlass("-C", root, "exec", "p", "load", env={**store, "WINDLASS_RUN_ID": "manual__1"})
    assert done.code == 0, done.stdout
    [waiting] = windlass("-C", root, "quarantine", "show", "manual__1", "load", "--json").json
    mended = tmp_path / "mended.ndjson"
    mended.write_text(json.dumps({**waiting, "record": {"id": "2"}}))
    replayed = windlass(
        "-C", root, "quarantine", "replay", "manual__1", "load", "--file", mended, "--json", env=store
    )
    assert replayed.json == {"loaded": 1, "left": 0}
    with closing(sqlite3.connect(tmp_path / "store.db")) as connection:
        assert connection.execute("SELECT id FROM numbers ORDER BY id").fetchall() == [(1,), (2,)]
