"""The facts about a task that others go by: its connections, the file that it writes, the paths it names."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from socket import gethostname
from typing import Any

import pytest
from msgspec import Struct, structs

from tests.messages import plain
from windlass.errors import SpecError
from windlass.plan import model
from windlass.plan.codec import to_json
from windlass.plan.compiler import Scope, compile, compile_project
from windlass.spec import load_project
from windlass.templates import variables

Project = Callable[..., Path]

PROJECT = """\
project: test
connections: {x: {type: postgres}, y: {type: sqlite}, z: {type: duckdb}, web: {type: http}, hook: {type: webhook}}
"""
EVERY_KIND = """\
  copy:
    copy:
      from: {connection: x, table: t}
      to: {connection: y, table: t}
      on_bad_row: quarantine
      quarantine: {connection: z, table: bad}
  sql: {sql: {connection: x, statement: SELECT 1}}
  run: {run: {command: [date], connections: [y, x]}}
  service: {service: {command: [serve], connections: z}}
  download: {download: {connection: web, path: /a, to: a.csv}}
  check: {check: {connection: z, table: t, rows: 1}}
  notify: {notify: {connection: z, table: t, to: [hook], message: x}}
  trigger: {trigger: {pipeline: p2}}
  nothing: {sql: {statement: SELECT 1}}
"""


def pipeline(tasks: str, head: str = "") -> dict[str, str]:
    return {"windlass.yaml": PROJECT, "pipelines/p.yaml": f"pipeline: p\n{head}tasks:\n{tasks}"}


def problems(root: Path) -> str:
    with pytest.raises(SpecError) as caught:
        compile_project(load_project(root))
    return plain(caught.value)


def connections_in(value: Any) -> Iterator[str]:
    """Whatever stands under `connection` or `connections`, however deep."""
    if isinstance(value, Struct):
        for name, item in structs.asdict(value).items():
            if name == "connection" and item is not None:
                yield item
            elif name == "connections" or (name == "to" and isinstance(item, tuple)):
                yield from item
            else:
                yield from connections_in(item)


def test_a_task_knows_all_connections_that_it_names(project: Project) -> None:
    other = {"pipelines/p2.yaml": "pipeline: p2\ntasks: {a: {run: {command: [date]}}}\n"}
    plan = compile_project(load_project(project(pipeline(EVERY_KIND) | other)))["p"]
    assert {task.kind for task in plan.tasks} == {
        type_.__struct_config__.tag for type_ in model.Action.__args__ if type_ is not model.Tell
    }, "a `tell` is no kind of a pipeline file"
    for task in plan.tasks:
        assert set(task.connections) == set(connections_in(task.action)), task.name
    assert plan.task("copy").connections == ("x", "y", "z")


def test_a_connection_of_a_wrong_type_is_told_where_it_is_named(project: Project) -> None:
    tasks = EVERY_KIND.replace("{connection: z, table: bad}", "{connection: web, table: bad}")
    tasks = tasks.replace("{connection: web, path", "{connection: x, path").replace(
        "pipeline: p2", "pipeline: p"
    )
    shown = problems(project(pipeline(tasks)))
    assert "p.yaml:8:32: connection 'web' is of type http, which cannot be written by a copy" in shown
    assert "p.yaml:12:37: connection 'x' is of type postgres, which has no files to download" in shown


# --- paths ---------------------------------------------------------------------------------------

CHAIN = """\
  last: {run: {command: [cat, "{{ tasks.packed.path }}"]}}
  packed: {copy: {from: {path: "{{ tasks.raw.path }}"}, to: {path: "{{ tasks.raw.path }}.gz"}}}
  raw: {download: {connection: web, path: /a, to: "{{ params.folder }}/{{ ds }}.csv"}}
  other: {download: {connection: web, path: /b, to: b.csv}}
"""


def test_a_task_has_the_paths_that_its_templates_name_and_what_those_are_made_of(project: Project) -> None:
    root = project(pipeline(CHAIN, "params: {folder: in}\n"))
    plan = compile_project(load_project(root))["p"]
    raw, packed = "in/{{ ds }}.csv", "{{ tasks.raw.path }}.gz"
    assert (plan.task("raw").output, plan.task("packed").output, plan.task("last").output) == (
        raw,
        packed,
        None,
    )
    assert plan.task("raw").paths == plan.task("other").paths == {}
    assert plan.task("packed").paths == {"raw": raw}
    assert list(plan.task("last").paths.items()) == [("raw", raw), ("packed", packed)]
    moment = datetime(2025, 3, 1, tzinfo=UTC)
    known: Any = variables(
        run_id="r", logical_date=moment, interval=(moment, moment), params={}, services={},
        paths=plan.task("last").paths,
    )  # fmt: skip
    assert known["tasks"]["packed"]["path"] == "in/2025-03-01.csv.gz"


def test_the_paths_of_a_task_whose_parameters_come_with_the_run_are_open_too(project: Project) -> None:
    files = load_project(project(pipeline(CHAIN, "params: {folder: in}\n")))
    plan = compile(files.pipeline("p"), {}, Scope.of(files), params_at_run=True)
    assert plan.task("last").paths["raw"] == "{{ params.folder }}/{{ ds }}.csv"


def test_the_path_of_a_task_that_writes_no_file_is_refused(project: Project) -> None:
    tasks = (
        "  table: {copy: {from: {path: a.csv}, to: {connection: x, table: t}}}\n"
        "  use: {run: {command: [cat, '{{ tasks.table.path }}']}}\n"
    )
    assert "p.yaml:4:30: 'table' is a copy task and writes no file" in problems(project(pipeline(tasks)))


def test_a_path_that_is_made_of_itself_is_refused(project: Project) -> None:
    tasks = "  a: {copy: {from: {path: a.csv}, to: {path: '{{ tasks.a.path }}.gz'}}}\n"
    assert "p.yaml:3:46: the path of 'a' is made of itself" in problems(project(pipeline(tasks)))


# --- units ---------------------------------------------------------------------------------------


def test_every_task_but_a_trigger_is_a_unit(project: Project) -> None:
    other = {"pipelines/p2.yaml": "pipeline: p2\ntasks: {a: {run: {command: [date]}}}\n"}
    plan = compile_project(load_project(project(pipeline(EVERY_KIND) | other)))["p"]
    for task in plan.tasks:
        if task.kind in ("run", "service", "trigger"):
            assert task.unit is None or not task.unit.own
        else:
            assert task.unit == model.Unit(own=True, command=("windlass", "exec", "p", task.name))
    assert [task.name for task in plan.tasks if task.unit is None] == ["trigger"]


def test_the_unit_of_a_command_is_what_was_written(project: Project) -> None:
    tasks = (
        "  a: {run: {build: steps/a, command: [python, 'a.py', '{{ params.n }}'], env: {DAY: '{{ ds }}'}}}\n"
        "  b: {service: {command: serve, port: 3000, health: /ok, ready_timeout: 5s}}\n"
    )
    plan = compile_project(load_project(project(pipeline(tasks, "params: {n: 7}\n"))))["p"]
    assert plan.task("a").unit == model.Unit(
        build="steps/a", command=("python", "a.py", "7"), env={"DAY": "{{ ds }}"}
    )
    assert plan.task("b").unit == model.Unit(command=("serve",), port=3000, health="/ok", ready_timeout=5.0)


def test_no_host_is_in_a_plan(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither its folders, nor its interpreter, nor its environment, nor an address."""
    monkeypatch.setenv("WINDLASS_CONN_X", "postgresql://me:canary@db/x")
    root = project(
        pipeline(EVERY_KIND.replace("pipeline: p2", "pipeline: p3"))
        | {"pipelines/p3.yaml": "pipeline: p3\ntasks: {a: {run: {command: [date]}}}\n"}
    )
    for plan in compile_project(load_project(root)).values():
        text = to_json(plan)
        for host in (
            str(root),
            sys.prefix,
            sys.executable,
            "127.0.0.1",
            "localhost",
            "canary",
            gethostname(),
        ):
            assert host not in text
