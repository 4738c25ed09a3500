"""Trigger rules: what may start, what is skipped, and whether the run failed, as Airflow has it."""

from __future__ import annotations

import pytest

from windlass.plan import model
from windlass.runner.schedule import Schedule
from windlass.status import Status

ACTION = model.Run()


def schedule_of(rule: str, chosen: str = "abtu") -> Schedule:
    """`t` needs `a` and `b` by that rule, and `u` needs `t`."""
    tasks = (
        model.Task(name="a", action=ACTION),
        model.Task(name="b", action=ACTION),
        model.Task(name="t", needs=("a", "b"), trigger_rule=rule, action=ACTION),  # type: ignore[arg-type]
        model.Task(name="u", needs=("t",), action=ACTION),
    )
    return Schedule(model.Plan(project="p", pipeline="p", tasks=tasks), chosen)


def outcome(schedule: Schedule, name: str) -> str:
    """`start` when the task may start now, else its state."""
    return "start" if name in [task.name for task in schedule.ready()] else schedule.states[name]


# Airflow's documentation of trigger rules, and TriggerRuleDep, which it leaves details to
@pytest.mark.parametrize(
    ("rule", "a", "b", "expected"),
    [
        ("all_success", "success", "success", "start"),
        ("all_success", "success", "running", "pending"),
        ("all_success", "running", "failed", "upstream_failed"),
        ("all_success", "success", "skipped", "skipped"),
        ("all_success", "failed", "skipped", "upstream_failed"),
        ("all_failed", "failed", "upstream_failed", "start"),
        ("all_failed", "failed", "running", "pending"),
        ("all_failed", "running", "success", "skipped"),
        ("all_failed", "failed", "skipped", "skipped"),
        ("all_done", "failed", "skipped", "start"),
        ("all_done", "success", "upstream_failed", "start"),
        ("all_done", "failed", "running", "pending"),
        ("one_success", "success", "running", "start"),
        ("one_success", "failed", "success", "start"),
        ("one_success", "failed", "running", "pending"),
        ("one_success", "failed", "skipped", "upstream_failed"),
        ("one_success", "skipped", "skipped", "skipped"),
        ("one_failed", "failed", "running", "start"),
        ("one_failed", "upstream_failed", "success", "start"),
        ("one_failed", "success", "running", "pending"),
        ("one_failed", "success", "skipped", "skipped"),
        ("none_failed", "success", "skipped", "start"),
        ("none_failed", "skipped", "skipped", "start"),
        ("none_failed", "running", "failed", "upstream_failed"),
        ("none_failed", "skipped", "running", "pending"),
    ],
)
def test_a_trigger_rule_means_what_it_means_in_airflow(rule: str, a: str, b: str, expected: str) -> None:
    schedule = schedule_of(rule)
    schedule.set("a", Status(a))
    schedule.set("b", Status(b))
    assert outcome(schedule, "t") == expected


@pytest.mark.parametrize(
    ("rule", "expected"), [("all_failed", "start"), ("one_failed", "start"), ("all_success", "skipped")]
)
def test_tasks_that_a_run_leaves_out_decide_nothing(rule: str, expected: str) -> None:
    schedule = schedule_of(rule, chosen="bt")
    schedule.set("b", Status.FAILED if expected == "start" else Status.SKIPPED)
    assert outcome(schedule, "t") == expected
    assert outcome(schedule_of(rule, chosen="t"), "t") == "start"


@pytest.mark.parametrize(
    ("rule", "t", "u", "failed"),
    [
        ("all_done", "success", "success", False),
        ("all_done", "success", "failed", True),
        ("all_done", "failed", "upstream_failed", True),
        ("all_failed", "skipped", "skipped", False),
    ],
)
def test_a_run_fails_by_the_tasks_at_its_end(rule: str, t: str, u: str, *, failed: bool) -> None:
    schedule = schedule_of(rule)
    for name, state in {"a": "failed", "b": "success", "t": t, "u": u}.items():
        schedule.set(name, Status(state))
    assert (schedule.over, schedule.failed) == (True, failed)


def test_of_a_part_of_a_pipeline_the_end_is_the_end_of_that_part() -> None:
    schedule = schedule_of("all_done", chosen="a")
    schedule.set("a", Status.FAILED)
    assert schedule.failed
