"""Trigger rules: what may start, what is skipped, and whether the run failed, as Airflow has it."""

from __future__ import annotations

from copy import deepcopy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.plan.test_scale import calls_of
from windlass.plan import model
from windlass.runner.schedule import Schedule
from windlass.status import Status

ACTION = model.RunCommand()


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
    return "start" if name in startable(schedule) else schedule.states[name]


def startable(schedule: Schedule) -> list[str]:
    """The tasks and services that may start now."""
    copy = deepcopy(schedule)
    found = []
    while service := copy.next_service():
        found.append(service.name)
        copy.set(service.name, Status.RUNNING)
    while task := copy.next_task(lambda _: True):
        found.append(task.name)
        copy.set(task.name, Status.RUNNING)
    return found


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


# --- any pipeline, against the rules said plainly -----------------------------------------------------

RULES = ("all_success", "all_failed", "all_done", "one_success", "one_failed", "none_failed")


@st.composite
def plans(draw: st.DrawFn) -> model.Plan:
    """A pipeline of tasks and services that need and use those before them."""
    tasks: list[model.Task] = []
    for i in range(draw(st.integers(1, 9))):
        others = [task.name for task in tasks if not isinstance(task.action, model.Service)]
        services = [task.name for task in tasks if isinstance(task.action, model.Service)]
        is_service = draw(st.integers(0, 3)) == 0
        tasks.append(
            model.Task(
                name=f"t{i}",
                needs=tuple(draw(st.lists(st.sampled_from(others), unique=True, max_size=3)))
                if others
                else (),
                uses=tuple(draw(st.lists(st.sampled_from(services), unique=True, max_size=2)))
                if services
                else (),
                trigger_rule="all_success" if is_service else draw(st.sampled_from(RULES)),
                pool=None if is_service else draw(st.sampled_from((None, "a", "b"))),
                action=model.Service() if is_service else ACTION,
            )
        )
    return model.Plan(project="p", pipeline="p", tasks=tuple(tasks), pools={"a": 1, "b": 2})


class Plainly:
    """The rules, asked again and again of all tasks until nothing changes."""

    def __init__(self, schedule: Schedule, plan: model.Plan, chosen: set[str], already: set[str]) -> None:
        self.states = dict(schedule.states)
        self.plan, self.counts, self.up = plan, chosen | already, set[str]()

    def decision(self, task: model.Task) -> str:
        used = [self.states[n] for n in task.uses if n in self.counts and self.states[n].is_over]
        found = self.rule("all_success", used)
        needed = [self.states[n] for n in task.needs if n in self.counts]
        return found if found != "start" else self.rule(task.trigger_rule, needed)

    @staticmethod
    def rule(rule: str, states: list[Status]) -> str:
        lost, skipped = [s for s in states if s.is_lost], [s for s in states if s == Status.SKIPPED]
        good, over = [s for s in states if s == Status.SUCCESS], all(s.is_over for s in states)
        refused = {
            "all_success": "upstream_failed" if lost else "skipped" if skipped else "",
            "none_failed": "upstream_failed" if lost else "",
            "all_failed": "skipped" if good or skipped else "",
        }
        if refused.get(rule):
            return refused[rule]
        if states and rule in ("one_success", "one_failed"):
            if good if rule == "one_success" else lost:
                return "start"
            none_can = "skipped" if rule == "one_failed" or skipped == states else "upstream_failed"
            return none_can if over else "pending"
        return "start" if over else "pending"

    def settle(self) -> None:
        before = None
        while before != self.states:
            before = dict(self.states)
            for task in self.plan.tasks:
                decision = self.decision(task)
                if self.states[task.name] == Status.PENDING and decision not in ("start", "pending"):
                    self.states[task.name] = Status(decision)
            for task in self.plan.tasks:
                users = [t for t in self.plan.tasks if task.name in t.uses]
                unused = not any(self.states[t.name] == Status.PENDING for t in users)
                is_service = isinstance(task.action, model.Service)
                if is_service and unused and self.states[task.name] == Status.PENDING:
                    self.states[task.name] = Status.SKIPPED

    def startable(self) -> set[str]:
        return {task.name for task in self.plan.tasks if self.may_start(task)}

    def may_start(self, task: model.Task) -> bool:
        waits = [t for t in self.plan.tasks if task.name in t.uses and self.states[t.name] == Status.PENDING]
        if isinstance(task.action, model.Service) and not any(self.decision(t) == "start" for t in waits):
            return False
        pending = self.states[task.name] == Status.PENDING
        return pending and self.decision(task) == "start" and self.up.issuperset(task.uses)

    def idle(self) -> list[str]:
        going = (Status.PENDING, Status.RUNNING)
        wanted = {used for t in self.plan.tasks if self.states[t.name] in going for used in t.uses}
        return [
            t.name
            for t in self.plan.tasks
            if isinstance(t.action, model.Service)
            and self.states[t.name] == Status.RUNNING
            and t.name not in wanted
        ]


@given(plans(), st.data())
@settings(max_examples=300)
def test_what_is_counted_is_what_the_rules_say(plan: model.Plan, data: st.DataObject) -> None:
    names = [task.name for task in plan.tasks]
    left_out = data.draw(st.sets(st.sampled_from(names), max_size=2))
    already = data.draw(st.sets(st.sampled_from(names), max_size=2))
    already -= {task.name for task in plan.tasks if isinstance(task.action, model.Service)}
    chosen = set(names) - left_out
    chosen |= {used for task in plan.tasks if task.name in chosen for used in task.uses}
    schedule = Schedule(plan, chosen, already)
    plainly = Plainly(schedule, plan, chosen, already)
    plainly.states = {n: Status.PENDING if n in chosen else Status.SKIPPED for n in names}
    plainly.states.update(dict.fromkeys(already, Status.SUCCESS))
    while True:
        plainly.settle()
        assert schedule.states == plainly.states
        assert set(startable(schedule)) == plainly.startable()
        assert schedule.idle_services() == plainly.idle()
        going = [n for n in names if plainly.states[n] in (Status.PENDING, Status.RUNNING)]
        assert schedule.over == (not going)
        running = [n for n in names if plainly.states[n] == Status.RUNNING]
        events = [("start", name) for name in sorted(plainly.startable())]
        events += [("end", name) for name in running]
        events += [("up", n) for n in running if n in schedule._used_by and n not in plainly.up]
        if not events:
            return
        what, name = data.draw(st.sampled_from(events))
        if what == "up":
            schedule.is_up(name)
            plainly.up.add(name)
            continue
        is_awaited = any(name in t.uses and plainly.states[t.name] == Status.PENDING for t in plan.tasks)
        ends = (Status.FAILED, Status.CANCELLED) + (() if is_awaited else (Status.SUCCESS,))
        end = data.draw(st.sampled_from(ends))
        state = Status.RUNNING if what == "start" else end
        schedule.set(name, state)
        plainly.states[name] = state
        plainly.up.discard(name)


def test_the_first_task_of_the_plan_whose_pool_has_a_slot_starts_first() -> None:
    tasks = [
        model.Task(name=n, pool=p, action=ACTION)
        for n, p in (("a", "x"), ("b", "y"), ("c", "x"), ("d", None))
    ]
    schedule = Schedule(model.Plan(project="p", pipeline="p", tasks=tuple(tasks)), "abcd")
    started = []
    for free in ({"x", "y"}, {"y"}, set(), {"x"}):
        task = schedule.next_task(lambda pool, free=free: pool is None or pool in free)  # type: ignore[misc]
        assert task is not None
        started.append(task.name)
        schedule.set(task.name, Status.RUNNING)
    assert started == ["a", "b", "d", "c"]


def needs_of(shape: str, names: list[str], i: int) -> list[str]:
    return {"flat": [], "chain": names[max(i - 1, 0) : i], "fan": names[: min(i, 1)]}[shape]


@pytest.mark.parametrize("shape", ["flat", "chain", "fan"])
def test_deciding_takes_steps_in_proportion_to_the_tasks(shape: str) -> None:
    def steps(count: int) -> int:
        names = [f"t{i}" for i in range(count)]
        tasks = tuple(
            model.Task(name=name, needs=tuple(needs_of(shape, names, i)), action=ACTION)
            for i, name in enumerate(names)
        )
        schedule = Schedule(model.Plan(project="p", pipeline="p", tasks=tasks), names)

        def play() -> None:
            while not schedule.over:
                schedule.idle_services()
                schedule.next_service()
                task = schedule.next_task(lambda _: True)
                assert task is not None
                schedule.set(task.name, Status.RUNNING)
                schedule.set(task.name, Status.SUCCESS)

        return calls_of(play)

    assert steps(800) < steps(200) * 4 * 1.3  # heaps have a logarithm in them
