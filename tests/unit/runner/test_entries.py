"""Tasks of which a run makes one of each entry that another task has written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.runner.fakes import Does, FakeWorld, plan_of, service, task
from windlass.plan.codec import from_json
from windlass.plan.model import Each, Plan, Retry, Unit
from windlass.runner import Result

FAILS = Does(code=1)


def each(name: str, of: str = "list", **fields: Any) -> Any:
    """A task of each line that `list` writes, whose command is the line."""
    uses = fields.pop("uses", ())
    said = {
        "retry": Retry(),
        "unit": Unit(command=("{{ each }}",), env={"DAY": "{{ ds }} {{ each }}"}),
        **fields,
    }
    return task(name, [of], each=Each(of=of, path="cities.txt"), uses=uses, **said)


def mapped(*more: Any, **fields: Any) -> Plan:
    return plan_of(task("list"), each("load", **fields), task("report", ["load"]), *more)


@pytest.fixture
def world(tmp_path: Path) -> Callable[..., FakeWorld]:
    """Makes a world in which `list` has written these lines."""

    def make(*lines: str, **script: Any) -> FakeWorld:
        w = FakeWorld(tmp_path, script)
        (tmp_path / "cities.txt").write_text("".join(f"{line}\n" for line in lines))
        return w

    return make


def statuses(result: Result) -> dict[str, str]:
    return {record.task: str(record.status) for record in result.tasks}


def test_there_is_a_task_of_each_entry_and_the_whole_ends_with_the_last(
    world: Callable[..., FakeWorld],
) -> None:
    w = world("oslo", "bern")
    result = w.run(mapped(), parallel=4)
    assert w.runtime.names == ["list", "oslo", "bern", "report"]
    assert list(statuses(result)) == ["list", "load_oslo", "load_bern", "load", "report"]
    assert set(statuses(result).values()) == {"success"}
    whole = next(record for record in result.tasks if record.task == "load")
    assert whole.detail == {"entries": 2}
    assert whole.ended is not None
    environment = w.runtime.environment("oslo")
    assert json.loads(environment["WINDLASS_ENTRY"]) == {
        "name": "oslo",
        "value": "oslo",
        "place": "cities.txt:1",
    }
    assert w.runtime.started[1][1].env["DAY"] == f"{result.run.logical_date[:10]} oslo"


def test_the_plan_of_the_run_and_its_history_have_the_tasks_that_were_made(
    world: Callable[..., FakeWorld],
) -> None:
    w = world("oslo", "bern")
    result = w.run(mapped())
    noted = from_json(w.state.run(result.run.run_id).plan.read_bytes())
    assert [one.name for one in noted.tasks] == ["list", "load_oslo", "load_bern", "load", "report"]
    assert noted.task("load").needs == ("load_oslo", "load_bern")
    known = {record.task: str(record.status) for record in w.history.tasks(result.run.run_id)}
    assert known == statuses(result)


def test_each_entry_has_its_own_retries_and_the_others_go_on(world: Callable[..., FakeWorld]) -> None:
    w = world("oslo", "bern", "rome", oslo=[FAILS, Does()], bern=FAILS)
    result = w.run(mapped(retry=Retry(retries=1)), parallel=1)
    assert w.runtime.names == ["list", "oslo", "oslo", "bern", "bern", "rome"]
    assert statuses(result) == {
        "list": "success",
        "load_oslo": "success",
        "load_bern": "failed",
        "load_rome": "success",
        "load": "failed",
        "report": "upstream_failed",
    }
    error = next(record.error for record in result.tasks if record.task == "load")
    assert error == "1 of 3 entries failed: load_bern: exit code 1"


def test_no_entries_are_done_at_once(world: Callable[..., FakeWorld]) -> None:
    w = world()
    result = w.run(mapped())
    assert statuses(result) == {"list": "success", "load": "success", "report": "success"}
    assert next(record.detail for record in result.tasks if record.task == "load") == {"entries": 0}


def test_what_is_wrong_with_an_entry_fails_the_task_before_any_starts(
    world: Callable[..., FakeWorld],
) -> None:
    w = world("oslo", "Oslo!", "oslo ")
    result = w.run(mapped())
    assert statuses(result) == {"list": "success", "load": "failed", "report": "upstream_failed"}
    error = next(record.error for record in result.tasks if record.task == "load")
    assert error is not None
    assert error.startswith(
        "'oslo', cities.txt:3 makes the task 'load_oslo', and so does 'oslo', cities.txt:1"
    )
    assert w.runtime.names == ["list"]


def test_a_run_that_is_taken_up_again_has_the_same_entries_and_starts_only_what_is_left(
    world: Callable[..., FakeWorld], tmp_path: Path
) -> None:
    w = world("oslo", "bern", bern=[FAILS, Does()])
    first = w.run(mapped())
    (tmp_path / "cities.txt").write_text("rome\n")
    w.runtime.started.clear()
    again = w.run(mapped(), resume=w.history.run(first.run.run_id))
    assert w.runtime.names == ["bern", "report"]
    assert set(statuses(again).values()) == {"success"}
    assert list(statuses(again)) == ["list", "load_oslo", "load_bern", "load", "report"]


def test_what_was_made_of_entries_is_still_told_when_another_task_is_taken_up_again(
    world: Callable[..., FakeWorld],
) -> None:
    w = world("oslo", report=[FAILS, Does()])
    plan = plan_of(task("list"), each("load"), task("report", ["load"], retry=Retry()))
    first = w.run(plan)
    w.runtime.started.clear()
    again = w.run(plan, resume=w.history.run(first.run.run_id))
    assert w.runtime.names == ["report"]
    assert list(statuses(again)) == ["list", "load_oslo", "load", "report"]
    noted = from_json(w.state.run(first.run.run_id).plan.read_bytes())
    assert "load_oslo" in [one.name for one in noted.tasks]


def test_a_service_is_up_until_the_last_entry_is_done(world: Callable[..., FakeWorld]) -> None:
    w = world("oslo", "bern", api=Does(lasts=True))
    plan = plan_of(service("api"), task("list"), each("load", uses=("api",)))
    result = w.run(plan, parallel=1)
    assert set(statuses(result).values()) == {"success"}
    assert w.runtime.names.index("api") < w.runtime.names.index("oslo")


def test_a_pool_has_slots_for_some_of_the_entries(world: Callable[..., FakeWorld]) -> None:
    w = world("a", "b", "c", "d")
    plan = plan_of(task("list"), each("load", pool="few"), pools={"few": 2})
    w.run(plan, parallel=9)
    assert w.loop.at_once == 2


def test_entries_of_entries(world: Callable[..., FakeWorld], tmp_path: Path) -> None:
    w = world("oslo", "bern")
    (tmp_path / "more.txt").write_text("x\n")
    second = task(
        "again", ["load"], each=Each(of="load", path="more.txt"), unit=Unit(command=("again {{ each }}",))
    )
    result = w.run(plan_of(task("list"), each("load"), second))
    assert w.runtime.names == ["list", "oslo", "bern", "again x"]
    assert statuses(result)["again"] == "success"


def test_the_whole_is_told_of_once_and_the_tasks_of_its_entries_are_not(
    world: Callable[..., FakeWorld],
) -> None:
    w = world("oslo", "bern", bern=FAILS)
    w.run(plan_of(task("list"), each("load", on_failure=("slack",))))
    assert [(to, message.task) for to, message in w.alerts] == [("slack", "load")]
    assert "1 of 2 entries failed" in w.alerts[0][1].told[0].what
