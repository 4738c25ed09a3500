"""Every command, as its help and the manual say."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from windlass.cli.main import COMMANDS
from windlass.codes import Code
from windlass.connections import Address

Call = Callable[..., Any]
Project = Callable[..., Path]

TASK_KEYS = [
    "task",
    "kind",
    "status",
    "attempts",
    "rows_read",
    "rows_written",
    "rows_quarantined",
    "bytes",
    "seconds",
    "path",
    "columns_added",
    "columns_missing",
    "columns_widened",
    "requests",
    "cost",
    "error",
    "code",
]

TWO = """\
pipeline: two
params: {name: world, times: 1, fail: false}
tasks:
  greet: {run: {command: [echo, "hello {{ params.name }}"]}}
  last: {needs: greet, run: {command: [sh, -c, "test {{ params.fail }} = False"]}}
"""


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, windlass: Call) -> None:
    done = windlass(command, "--help")
    assert done.code == 0
    assert f"windlass {command}" in done.stdout


def test_what_init_makes_runs_at_once(result: Any, hello: Path) -> None:
    assert {"run_id", "pipeline", "status", "seconds", "tasks"} <= set(result)
    assert result["status"] == "success"
    assert [list(task) for task in result["tasks"]] == [TASK_KEYS] * 3
    load = result["tasks"][0]
    assert (load["rows_read"], load["rows_written"], load["rows_quarantined"]) == (6, 5, 1)
    assert (hello / "out/summary.csv").read_text().splitlines()[0] == "country,orders,amount"


def test_what_init_makes_names_the_schema_of_each_file_for_editors(hello: Path, windlass: Call) -> None:
    for file in (hello / "windlass.yaml", hello / "pipelines" / "hello.yaml"):
        line = file.read_text().partition("\n")[0]
        schema = json.loads((file.parent / line.removeprefix("# yaml-language-server: $schema=")).read_text())
        assert "project" in schema["properties"] if file.parent == hello else "tasks" in schema["properties"]
    assert (
        windlass("-C", hello, "schema", "--write").stdout
        == "the schemas are those of this windlass already\n"
    )
    (hello / ".schema" / "pipeline.json").write_text("{}")
    (project,) = [f for f in windlass("-C", hello, "doctor", "--json").json if f["what"] == "project"]
    assert (project["state"], "schema --write" in project["hint"]) == ("missing", True)
    assert windlass("-C", hello, "schema", "--write").stdout == "wrote .schema/pipeline.json\n"


def test_init_does_not_touch_a_project_that_is_there(hello: Path, windlass: Call) -> None:
    before = (hello / "windlass.yaml").read_text()
    done = windlass("init", hello)
    assert (done.code, "is there already" in done.stderr) == (2, True)
    assert (hello / "windlass.yaml").read_text() == before


def test_init_makes_a_valid_name_of_any_folder(windlass: Call, tmp_path: Path) -> None:
    for name in ("2024 sales!", "été", "…"):
        assert windlass("init", name).code == 0
        assert windlass("-C", name, "validate").stdout == "valid: 1 pipeline, 3 tasks\n"


def test_the_project_is_found_from_a_folder_below_it(hello: Path, windlass: Call) -> None:
    assert windlass("validate", cwd=hello / "pipelines").code == 0
    assert windlass("-C", hello / "data", "validate").code == 0


def test_runs_and_logs_tell_what_happened(result: Any, hello: Path, windlass: Call) -> None:
    runs = windlass("-C", hello, "runs", "hello", "--json").json
    assert runs[-1]["run_id"] == result["run_id"]
    assert result["run_id"] in windlass("-C", hello, "runs").stdout
    logs = windlass("-C", hello, "logs", result["run_id"], "load", "--json").json
    assert logs[-1]["rows_quarantined"] == 1
    assert {(line["run"], line["task"], line["attempt"]) for line in logs} == {(result["run_id"], "load", 1)}
    lines = windlass("-C", hello, "logs", result["run_id"]).stdout.splitlines()
    assert all({"time", "level", "event"} <= set(json.loads(line)) for line in lines)


def test_a_run_may_be_named_by_how_it_begins(result: Any, hello: Path, windlass: Call) -> None:
    assert windlass("-C", hello, "logs", result["run_id"][:-2]).code == 0
    done = windlass("-C", hello, "logs", "nothing")
    assert (done.code, "there is no run 'nothing'" in done.stderr) == (2, True)


def test_a_percent_sign_is_no_wildcard_in_the_name_of_a_run(hello: Path, windlass: Call) -> None:
    assert windlass("-C", hello, "logs", "%").code == 2


def test_compile_prints_the_plan(hello: Path, windlass: Call) -> None:
    plan = windlass("-C", hello, "compile", "hello", "--param", "file=x.csv", "--json").json
    assert plan["pipeline"] == "hello"
    assert plan["tasks"][0]["action"]["source"]["options"] == {"path": "x.csv"}


def test_a_compiled_plan_is_what_exec_executes(hello: Path, windlass: Call, tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text(windlass("-C", hello, "compile", "hello", "--json").stdout)
    database = {"WINDLASS_CONN_WAREHOUSE": "postgresql://u:very-secret@127.0.0.1:1/d"}
    done = windlass("-C", hello, "exec", "hello", "load", "--plan", plan, env=database)
    assert done.code == 3
    assert json.loads(done.stdout.splitlines()[-1])["error"].startswith("postgres at 127.0.0.1:1 refuses")
    assert "very-secret" not in done.stdout + done.stderr


def test_exec_outside_of_a_run_names_every_place_it_looked_at(hello: Path, windlass: Call) -> None:
    done = windlass("-C", hello, "exec", "hello", "load")
    assert done.code == 1
    for place in ("WINDLASS_CONN_WAREHOUSE", "AIRFLOW_CONN_WAREHOUSE", ".env", "/run/secrets/warehouse"):
        assert place in done.stdout


def test_validate_as_json_lists_every_problem(project: Project, windlass: Call) -> None:
    root = project({"pipelines/p.yaml": "pipeline: p\ntask: 1\ntasks: {a: {run: {command: x}, need: b}}\n"})
    done = windlass("-C", root, "validate", "--json")
    assert (done.code, done.stderr, done.json["valid"]) == (2, "", False)
    assert [(p["line"], p["column"]) for p in done.json["problems"]] == [(2, 1), (3, 32), (3, 38)]
    assert done.json["problems"][0]["hint"] == "did you mean 'tasks'?"


def test_validate_warns_of_tasks_that_replace_the_same_table(project: Project, windlass: Call) -> None:
    copy = "copy: {from: {path: in.csv}, to: {connection: w, table: %s, mode: %s}}"
    tasks = [("a", "x", "replace"), ("b", "x", "replace"), ("c", "x", "append"), ("d", "y", "replace")]
    text = "".join(f"  {name}: {{{copy % (table, mode)}}}\n" for name, table, mode in tasks)
    documents = "".join(
        f"  {name}: {{copy: {{from: {{path: in.csv}}, to: {{connection: m, collection: {of}, mode: replace}}}}}}\n"
        for name, of in (("e", "x"), ("f", "x"), ("g", "z"))
    )
    root = project(
        {
            "windlass.yaml": "project: p\nconnections: {w: {type: postgres}, m: {type: mongodb}}\n",
            "pipelines/p.yaml": f"pipeline: p\ntasks:\n{text}{documents}",
        }
    )
    warnings = [
        f"p: {two}, so the rows of only one of them stay"
        for two in ("a and b replace x in w", "e and f replace x in m")
    ]
    done = windlass("-C", root, "validate")
    assert (done.code, done.stderr) == (0, "".join(f"warning: {warning}\n" for warning in warnings))
    assert windlass("-C", root, "validate", "--json").json["warnings"] == warnings


def test_connections_are_listed_and_tried(project: Project, windlass: Call) -> None:
    root = project(
        {
            "windlass.yaml": "project: p\nconnections: {a: {type: sqlite}, b: {type: postgres}, c: {type: http}}\n"
        }
    )
    environment = {
        "WINDLASS_CONN_A": f"sqlite:///{root}/a.db",
        "AIRFLOW_CONN_B": "postgresql://me:very-secret@127.0.0.1:1/db",
    }
    listed = windlass("-C", root, "connections", "--json", env=environment)
    assert [(c["name"], c["origin"]) for c in listed.json] == [
        ("a", "the environment variable WINDLASS_CONN_A"),
        ("b", "the environment variable AIRFLOW_CONN_B"),
        ("c", None),
    ]
    tried = windlass("-C", root, "connections", "test", "--json", env=environment)
    assert [(c["name"], c["ok"]) for c in tried.json] == [("a", True), ("b", False), ("c", None)]
    assert tried.code == 1
    assert windlass("-C", root, "connections", "test", "a", env=environment).code == 0
    assert "very-secret" not in listed.stdout + tried.stdout + tried.stderr


def test_a_connection_that_cannot_be_read_does_not_hide_the_others(project: Project, windlass: Call) -> None:
    types = {"a": "sqlite", "b": "postgres", "c": "postgres", "d": "sqlite"}
    declared = ", ".join(f"{name}: {{type: {kind}, description: of {name}}}" for name, kind in types.items())
    root = project({"windlass.yaml": f"project: p\nconnections: {{{declared}}}\n"})
    environment = {f"WINDLASS_CONN_{name}": f"sqlite:///{root}/{name.lower()}.db" for name in "AD"}
    environment |= {
        "WINDLASS_CONN_B": "postgrs://me:very-secret@127.0.0.1:1/db",
        "WINDLASS_CONN_C": "no address",
    }
    listed = windlass("-C", root, "connections", "--json", env=environment)
    assert listed.code == 1
    assert [c["name"] for c in listed.json if c["error"] is None] == ["a", "d"]
    assert "did you mean 'postgres'?" in listed.json[1]["error"]
    shown = windlass("-C", root, "connections", env=environment)
    assert (shown.code, f"{root}/d.db" in shown.stdout) == (1, True)
    assert "did you mean 'postgres'?" in shown.stderr
    assert all(f"of {name}" in shown.stdout for name in types)
    tried = windlass("-C", root, "connections", "test", "--json", env=environment)
    assert [c["ok"] for c in tried.json] == [True, False, False, True]
    assert windlass("-C", root, "connections", "test", "d", env=environment).code == 0
    assert "very-secret" not in listed.stdout + shown.stdout + shown.stderr + tried.stdout


def test_doctor_says_what_is_here(hello: Path, windlass: Call) -> None:
    findings = {finding["what"]: finding for finding in windlass("-C", hello, "doctor", "--json").json}
    assert findings["project"]["state"] == "ok"
    assert findings["extra postgres"]["state"] == "ok"
    assert re.search(r"ok  windlass: \d", windlass("-C", hello, "doctor").stdout)


def test_results_are_on_stdout_and_logs_on_stderr(project: Project, windlass: Call) -> None:
    done = windlass("-C", project({"pipelines/two.yaml": TWO}), "run", "two", "--param", "name=you", "--json")
    assert (done.code, done.json["status"]) == (0, "success")
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["message"] for line in lines if line["event"] == "output"] == ["hello you"]
    assert all(line["run"] == done.json["run_id"] for line in lines)


def test_a_task_that_fails_gives_exit_code_1_and_says_how_to_go_on(project: Project, windlass: Call) -> None:
    root = project({"pipelines/two.yaml": TWO})
    done = windlass("-C", root, "run", "two", "--param", "fail=true")
    assert done.code == 1
    run = windlass("-C", root, "runs", "--json").json[0]["run_id"]
    assert f"again, only what did not succeed: windlass run --resume {run}" in done.stdout
    again = windlass("-C", root, "run", "--resume", run, "--param", "fail=false", "--json")
    assert (again.code, again.json["run_id"]) == (0, run)
    assert [(t["task"], t["attempts"]) for t in again.json["tasks"]] == [("greet", 1), ("last", 2)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("frob", "no command 'frob'"),
        ("validat", "did you mean 'validate'?"),
        ("run nope", "no pipeline 'nope'"),
        ("run two --task gret", "did you mean 'greet'?"),
        ("run two --from gret", "did you mean 'greet'?"),
        ("run two --param names=x", "did you mean 'name'?"),
        ("run two --param name", "expected NAME=VALUE"),
        ("run two --param times=many", "expected a whole number"),
        ("run two --logical-date soon", "is not a valid date"),
        ("run two --memory lots", "expected a size such as 512MB"),
        ("run two --parallel 0", "not in the range"),
        ("run two --frob", "no such option"),
        ("run --params-json [1] two", "expected a JSON object"),
        ("run --resume nope", "there is no run 'nope'"),
        ("exec two nope", "has no task 'nope'"),
        ("exec two greet --start", "--start and --stop are for services, and 'greet' is a run task"),
        ("graph two --format png", "is not one of"),
        ("report nope", "there is no run"),
        ("connections test nope", "there is no connection 'nope'"),
        ("-C /nowhere runs", "-C /nowhere: there is no such folder"),
        ("-C / runs", "no windlass.yaml in /"),
        ("copy a.csv b.csv --memory x", "expected a size"),
        ("copy a.csv b.csv --mode merge", "needs --key"),
        ("copy a.csv b.csv --delimiter ab", "expected one character"),
        ("copy a.csv b.csv --max-bad-rows x", "expected a number"),
        ("copy a.csv db2://h/d?table=t", "expected a file, or an address such as"),
        ("copy a.csv sqlite:///x.db", "which table?"),
    ],
)
def test_what_makes_no_sense_gives_exit_code_2_and_a_reason(
    arguments: str, message: str, project: Project, windlass: Call
) -> None:
    done = windlass(*arguments.split(), cwd=project({"pipelines/two.yaml": TWO}))
    assert (done.code, message in done.stdout + done.stderr) == (2, True), done.stderr
    assert "Traceback" not in done.stderr


def test_debug_shows_where_an_error_comes_from(project: Project, windlass: Call) -> None:
    root = project({})
    assert "Traceback" not in windlass("-C", root, "run", "nope").stderr
    assert "Traceback" in windlass("--debug", "-C", root, "run", "nope").stderr


def test_a_copy_says_nothing_on_stderr_when_all_is_well(
    windlass: Call, database: Address, tmp_path: Path
) -> None:
    (tmp_path / "in.csv").write_text("a\n1\n")
    uri = (
        f"postgresql://{database.user}:{database.password}"
        f"@{database.host}:{database.port}/{database.database}?table=silent"
    )
    done = windlass("copy", "in.csv", uri)
    assert (done.code, done.stderr) == (0, "")


def test_a_code_is_explained_without_a_network(windlass: Call) -> None:
    page = (ROOT / "docs/errors/W0103.md").read_text(encoding="utf-8")
    for written in ("W0103", "w0103"):
        assert windlass("explain", written).stdout == page
    listed = windlass("explain", "--json").json
    assert (listed["W0103"], list(listed)) == ("unknown key", sorted(Code))
    assert windlass("explain", "W0103", "--json").json["title"] == "unknown key"
    done = windlass("explain", "W0130")
    assert (done.code, "did you mean 'W0" in done.stderr) == (2, True)
