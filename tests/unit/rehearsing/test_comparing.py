"""Outcomes of a text, beside the plan."""

from __future__ import annotations

from pathlib import Path

from windlass.plan.compiler import compile_project
from windlass.plan.model import Plan
from windlass.rehearsing.comparing import differences
from windlass.rehearsing.container import Ran
from windlass.spec import load_project

PIPELINE = """
pipeline: p
tasks:
  api: {service: {command: [sleep, "9"], port: 8080}}
  first: {run: {command: ["true"]}}
  second: {needs: first, uses: api, run: {command: ["true"]}}
  mopping: {needs: second, trigger_rule: one_failed, run: {command: ["true"]}}
"""


def plan_of(tmp_path: Path) -> Plan:
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "windlass.yaml").write_text("project: t\n")
    (tmp_path / "pipelines/p.yaml").write_text(PIPELINE)
    return compile_project(load_project(tmp_path))["p"]


def ran(*outcomes: tuple[str, int]) -> dict[str, Ran]:
    return {
        name: Ran(name, code, began=2.0 * i, ended=2.0 * i + 1) for i, (name, code) in enumerate(outcomes)
    }


def test_nothing_differs_where_the_plan_would_have_done_the_same(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    assert differences(plan, ran(("first", 0), ("second", 0))) == []
    assert differences(plan, ran(("first", 0), ("second", 1), ("mopping", 0))) == []
    assert differences(plan, ran(("first", 1), ("mopping", 0))) == []


def test_what_is_lost_added_or_out_of_order_is_told(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    assert differences(plan, ran(("first", 0))) == [
        "second did not run, and would by the plan",
        "mopping did not run, and would by the plan",
    ]
    assert differences(plan, ran(("first", 0), ("second", 0), ("mopping", 0))) == [
        "mopping ran, and would not by the plan"
    ]
    assert differences(plan, ran(("second", 0), ("first", 0))) == [
        "second began before first, which it needs, had ended"
    ]
