"""The plan of one task, on its way to where the task is executed."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from msgspec.structs import replace

from windlass.errors import FatalError
from windlass.plan.codec import to_json
from windlass.plan.model import Plan
from windlass.plan.travel import LONGEST, alone, digest_of, is_digest, pack, unpack, with_digests
from windlass.spec import load_project
from windlass.targets.airflow.loader.windlass_airflow.bundle import head_of, packed
from windlass.targets.exporting import compiled

Project = Callable[..., Path]

PIPELINE = """\
pipeline: p
description: Not for who executes a task
schedule: "0 6 * * *"
timezone: Europe/Paris
params: {table: orders}
tasks:
  fetch: {download: {connection: web, path: /a, to: "in/{{ ds }}.csv"}}
  load: {copy: {from: {path: "{{ tasks.fetch.path }}"}, to: {connection: x, table: "{{ params.table }}"}}}
  long: {sql: {connection: x, file: long.sql}}
  longer: {sql: {connection: x, file: longer.sql}}
"""


def noise(size: int) -> str:
    """Text that cannot be compressed much."""
    return base64.b64encode(Random(size).randbytes(size)).decode()


@pytest.fixture
def plan(project: Project) -> Plan:
    root = project(
        {
            "windlass.yaml": "project: test\nconnections: {x: {type: postgres}, web: {type: http}}\n",
            "pipelines/p.yaml": PIPELINE,
            "long.sql": f"SELECT '{noise(60_000)}'",
            "longer.sql": f"SELECT '{noise(100_000)}'",
        }
    )
    return compiled(load_project(root)).open_plans["p"]


def test_a_plan_travels_with_all_that_its_task_takes_and_nothing_else(plan: Plan) -> None:
    for name in ("fetch", "load", "long"):
        task = plan.task(name)
        assert unpack(pack(plan, task)) == alone(plan, task)
    load = unpack(pack(plan, plan.task("load")))
    assert load.tasks == (replace(plan.task("load"), needs=()),)
    assert load.tasks[0].paths == {"fetch": "in/{{ ds }}.csv"}
    assert (load.schedule, load.timezone, load.params, load.params_open) == (
        "0 6 * * *", "Europe/Paris", {"table": "orders"}, True
    )  # fmt: skip
    assert (set(load.connections), load.description) == ({"x"}, "")


def test_of_a_plan_that_is_too_long_the_digest_travels(plan: Plan) -> None:
    assert [task.name for task in plan.tasks if is_digest(pack(plan, task))] == ["longer"]
    assert max(len(pack(plan, task)) for task in plan.tasks) <= LONGEST
    marked = with_digests(plan)
    digests = {task.name: task.unit.digest for task in marked.tasks if task.unit and task.unit.digest}
    assert digests == {"longer": pack(plan, plan.task("longer"))}
    assert digest_of(marked, marked.task("longer")) == digest_of(
        plan, plan.task("longer")
    )  # a digest is none of itself


def test_the_loader_hands_on_the_same(plan: Plan) -> None:
    marked = with_digests(plan)
    document = json.loads(json.dumps(json.loads(to_json(marked))))
    for task in document["tasks"]:
        text = packed(head_of(document), task)
        if task["name"] == "longer":
            assert text == pack(plan, plan.task("longer"))
        else:
            assert unpack(text).task(task["name"]) == plan.task(task["name"])
            assert len(text) <= LONGEST


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("nonsense!", "WINDLASS_PLAN does not hold a plan"),
        (base64.b64encode(b"nonsense").decode(), "WINDLASS_PLAN does not hold a plan"),
        (base64.b64encode(zlib.compress(b"[]")).decode(), "WINDLASS_PLAN: this is not a plan"),
        (
            base64.b64encode(zlib.compress(b'{"version": 99}')).decode(),
            "WINDLASS_PLAN: the plan has version 99",
        ),
    ],
)
def test_what_is_no_plan_of_ours_is_refused(text: str, says: str) -> None:
    with pytest.raises(FatalError, match=says):
        unpack(text)
