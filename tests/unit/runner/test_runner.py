"""The runner itself, in a world of our own: what starts when, what becomes of it, and at which time."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.unit.runner.fakes import START, Does, FakeWorld, plan_of, service, task
from windlass import logs
from windlass.errors import ExitCode, FatalError, RetryableError, UsageError
from windlass.masking import Secrets
from windlass.plan import model
from windlass.plan.model import Retry, Unit
from windlass.runner import Result, Runner
from windlass.runner.loop import Threads
from windlass.testing import destination_of, source_of

Make = Callable[..., FakeWorld]

SUCCESS = Does()
FAILS = Does(code=1)
NO_RETRY = Retry()


@pytest.fixture
def world(tmp_path: Path) -> Make:
    """Makes a world; the keywords say what its tasks do."""

    def make(script: Mapping[str, Does | Sequence[Does]] | None = None) -> FakeWorld:
        return FakeWorld(tmp_path, script)

    return make


def statuses(result: Result) -> dict[str, str]:
    return {record.task: str(record.status) for record in result.tasks}


def errors(result: Result) -> dict[str, str | None]:
    return {record.task: record.error for record in result.tasks if record.error}


def tries(retries: int, delay: float = 30.0) -> Retry:
    return Retry(retries=retries, delay=delay)


# --- order ----------------------------------------------------------------------------------------


def test_a_task_starts_when_all_that_it_needs_has_succeeded(world: Make) -> None:
    w = world()
    result = w.run(plan_of(task("a"), task("b", "a"), task("c", "a"), task("d", "bc")), parallel=4)
    assert w.runtime.names == ["a", "b", "c", "d"]
    assert set(statuses(result).values()) == {"success"}
    assert (result.run.status, result.exit_code) == ("success", ExitCode.SUCCESS)


@pytest.mark.parametrize("parallel", [1, 2, 5, 9])
def test_as_many_tasks_as_allowed_run_at_once(parallel: int, world: Make) -> None:
    w = world()
    result = w.run(plan_of(*(task(name) for name in "abcde")), parallel=parallel)
    assert w.loop.at_once == min(parallel, 5)
    assert sorted(w.runtime.names) == list("abcde")
    assert result.exit_code == ExitCode.SUCCESS


def test_a_pool_has_so_many_slots_and_others_do_not_wait_for_them(world: Make) -> None:
    w = world()
    tasks = [*(task(name, pool="few") for name in "abc"), *(task(name) for name in "xyz")]
    result = w.run(plan_of(*tasks, pools={"few": 1}), parallel=9)
    assert w.runtime.names[:4] == ["a", "x", "y", "z"]
    assert w.loop.at_once == 4
    assert result.exit_code == ExitCode.SUCCESS


def test_what_needs_a_failed_task_does_not_start_and_the_rest_does(world: Make) -> None:
    w = world({"bad": FAILS})
    result = w.run(plan_of(task("bad"), task("after", ["bad"]), task("last", ["after"]), task("other")))
    assert statuses(result) == {
        "bad": "failed", "after": "upstream_failed", "last": "upstream_failed", "other": "success"
    }  # fmt: skip
    assert (result.run.status, result.exit_code) == ("failed", ExitCode.FAILED)
    assert [record.status for record in w.history.tasks(result.run.run_id)] == [
        r.status for r in result.tasks
    ]


@pytest.mark.parametrize(
    ("rule", "becomes"),
    [
        ("all_success", "upstream_failed"),
        ("all_failed", "skipped"),
        ("all_done", "success"),
        ("one_success", "success"),
        ("one_failed", "success"),
        ("none_failed", "upstream_failed"),
    ],
)
def test_a_trigger_rule_decides_of_a_failed_and_a_good_task(rule: str, becomes: str, world: Make) -> None:
    w = world({"bad": FAILS})
    result = w.run(plan_of(task("bad"), task("good"), task("t", ["bad", "good"], trigger_rule=rule)))
    assert statuses(result)["t"] == becomes
    assert ("t" in w.runtime.names) == (becomes == "success")


def test_a_part_of_a_pipeline_runs_alone(world: Make) -> None:
    chain = plan_of(task("a"), task("b", "a"), task("c", "b"), task("x"))
    w = world()
    assert statuses(w.run(chain, only=("b",))) == {
        "a": "skipped",
        "b": "success",
        "c": "skipped",
        "x": "skipped",
    }
    assert statuses(w.run(chain, start="b")) == {
        "a": "skipped",
        "b": "success",
        "c": "success",
        "x": "skipped",
    }
    with pytest.raises(UsageError, match="no task 'z'"):
        w.run(chain, only=("z",))


# --- retries and timeouts -------------------------------------------------------------------------


def test_a_failed_task_is_tried_again_after_growing_waits(world: Make) -> None:
    w = world({"a": [FAILS, FAILS, SUCCESS]})
    result = w.run(plan_of(task("a", retry=tries(5))))
    assert (statuses(result), result.tasks[0].attempts, w.clock.waits) == ({"a": "success"}, 3, [30.0, 60.0])
    tried = w.history.attempts(result.run.run_id)
    assert [(a.number, a.status, datetime.fromisoformat(a.started)) for a in tried] == [
        (1, "failed", START),
        (2, "failed", START + timedelta(seconds=30)),
        (3, "success", START + timedelta(seconds=90)),
    ]


def test_a_task_is_not_tried_more_often_than_it_may(world: Make) -> None:
    w = world({"a": Does(code=7)})
    result = w.run(plan_of(task("a", retry=tries(2))))
    assert (result.tasks[0].attempts, errors(result)) == (3, {"a": "exit code 7"})


def own(name: str, retry: Retry = NO_RETRY) -> model.Task:
    """A task that windlass itself executes."""
    unit = Unit(own=True, command=("windlass", "exec", "p", name))
    return task(name, action=model.Sql(statement="SELECT 1"), unit=unit, retry=retry)


FATAL = Does(code=1, lines=['{"event": "failed", "error": "no such table", "retryable": false}'])


@pytest.mark.parametrize(
    ("does", "made", "attempts"),
    [
        (FAILS, task, 4),  # of a command nobody knows whether another try helps
        (FATAL, task, 1),
        (FAILS, own, 1),
        (Does(code=3), own, 4),
        (FATAL, own, 1),
        (Does(refuses=FatalError("there is no folder")), task, 1),
        (Does(refuses=RetryableError("no memory")), task, 4),
    ],
)
def test_what_cannot_get_better_is_not_tried_again(
    does: Does, made: Callable[..., model.Task], attempts: int, world: Make
) -> None:
    w = world({"a": does})
    result = w.run(plan_of(made("a", retry=tries(3))))
    assert (statuses(result), result.tasks[0].attempts) == ({"a": "failed"}, attempts)


def test_a_task_that_takes_too_long_is_stopped_and_tried_again(world: Make) -> None:
    w = world({"a": [Does(takes=100), Does(takes=59)]})
    result = w.run(plan_of(task("a", timeout=60.0, retry=tries(1, 10))))
    first, second = w.history.attempts(result.run.run_id)
    assert (first.status, first.error) == ("failed", "timed out after 60 s")
    assert (second.status, result.exit_code) == ("success", ExitCode.SUCCESS)
    w.clock.advance(1000)
    assert not w.runtime.executions["a"].was_stopped  # the timer of the second try has been taken back


def test_a_run_whose_tasks_only_took_too_long_may_work_later(world: Make) -> None:
    result = world({"a": Does(takes=100)}).run(plan_of(task("a", timeout=60.0)))
    assert (errors(result), result.exit_code) == ({"a": "timed out after 60 s"}, ExitCode.RETRYABLE)


def test_a_run_that_takes_too_long_is_stopped_and_has_failed(world: Make) -> None:
    w = world({"a": Does(takes=100), "b": Does(takes=100)})
    plan = plan_of(task("a"), task("b", "a"), task("c", "b"), timeout=150.0)
    result = w.run(plan, parallel=1)
    assert statuses(result) == {"a": "success", "b": "failed", "c": "cancelled"}
    assert errors(result) == dict.fromkeys("bc", "the run timed out after 150 s")
    assert (result.run.status, result.exit_code) == ("failed", ExitCode.RETRYABLE)
    assert w.runtime.executions["b"].was_stopped


def test_a_run_has_all_of_its_time_once_more_when_it_is_taken_up_again(world: Make) -> None:
    w = world({"a": Does(takes=100), "b": [Does(takes=100), Does(takes=120)]})
    plan = plan_of(task("a"), task("b", "a"), timeout=150.0)
    first = w.run(plan)
    again = w.run(plan, resume=first.run)
    assert statuses(again) == {"a": "success", "b": "success"}


def test_the_wait_before_another_attempt_ends_with_the_run(world: Make) -> None:
    w = world({"a": FAILS})
    result = w.run(plan_of(task("a", retry=tries(3, 600)), timeout=60.0))
    assert (statuses(result), errors(result)) == ({"a": "failed"}, {"a": "the run timed out after 60 s"})
    assert w.runtime.names == ["a"]


def test_a_service_that_does_not_come_up_in_the_time_of_the_run_is_stopped(world: Make) -> None:
    w = world({"api": SERVES})
    w.network.asked["api"] = 10**9
    api = service("api", ready_timeout=100.0, health="/ok")
    result = w.run(plan_of(api, task("use", uses=("api",)), timeout=60.0))
    assert (result.run.status, errors(result)["use"]) == ("failed", "the run timed out after 60 s")


def copy_task(timeout: float, retry: Retry) -> model.Task:
    action = model.Copy(source=source_of(path="a.csv"), destination=destination_of(path="b.csv"))
    unit = Unit(own=True, command=("windlass", "exec", "p", "c"))
    return task("c", action=action, unit=unit, timeout=timeout, retry=retry)


@pytest.mark.parametrize(("committed", "status"), [(True, "success"), (False, "failed")])
def test_a_copy_whose_last_attempt_was_cut_short_asks_the_ledger(
    committed: bool, status: str, world: Make
) -> None:
    w = world({"c": [Does(code=3), Does(takes=100), Does(code=0 if committed else 1)]})
    result = w.run(plan_of(copy_task(timeout=60.0, retry=tries(1))))
    loads = [environment["WINDLASS_LOAD_ID"] for _, _, environment in w.runtime.started[:2]]
    assert len(set(loads)) == 2
    assert w.runtime.started[2][1].command[-2:] == ("--settle", ",".join(loads))
    assert statuses(result) == {"c": status}


# --- services -------------------------------------------------------------------------------------

SERVES = Does(lasts=True)


def test_a_service_is_up_while_its_users_run_and_no_longer(world: Make) -> None:
    w = world({"api": SERVES})
    seen: list[bool] = []
    looks = Does(acts=lambda: seen.append(w.runtime.executions["api"].was_stopped))
    w.runtime.script |= {"use": [looks], "last": [looks]}
    use = task("use", ["first"], uses=("api",), unit=Unit(command=("use", "{{ services.api.url }}")))
    result = w.run(plan_of(service("api", port=3000), task("first"), use, task("last", ["use"])))
    assert w.runtime.names == ["first", "api", "use", "last"]
    assert seen == [False, True]
    assert statuses(result) == {"api": "success", "first": "success", "use": "success", "last": "success"}
    assert w.runtime.started[2][1].command == ("use", "http://api.test:3000")
    assert w.runtime.environment("api")["PORT"] == "3000"
    known = {"api": {"url": "http://api.test:3000", "host": "api.test", "port": 3000}}
    assert json.loads(w.runtime.environment("use")["WINDLASS_SERVICES"]) == known


def test_a_service_is_asked_until_it_is_ready(world: Make) -> None:
    w = world({"api": SERVES})
    w.network.asked["api"] = 8
    result = w.run(plan_of(service("api", health="/ok"), task("use", uses=("api",))))
    assert (statuses(result)["use"], len(w.clock.waits)) == ("success", 7)


def test_a_service_that_is_not_ready_in_time_fails_what_uses_it(world: Make) -> None:
    w = world({"api": SERVES})
    w.network.asked["api"] = 10**9
    result = w.run(plan_of(service("api", ready_timeout=5.0, health="/ok"), task("use", uses=("api",))))
    assert statuses(result) == {"api": "failed", "use": "upstream_failed"}
    assert errors(result) == {"api": "the service was not ready after 5 s (/ok)"}
    assert w.runtime.executions["api"].was_stopped
    assert START + timedelta(seconds=5) < w.clock.now() < START + timedelta(seconds=5.2)


def test_a_service_that_ends_before_it_is_ready_says_why(world: Make) -> None:
    w = world({"api": Does(code=4), "other": Does(code=4, lines=['{"event": "failed", "error": "no key"}'])})
    w.network.asked |= {"api": 10**6, "other": 10**6}
    api, other = (service(name, ready_timeout=1e9) for name in ("api", "other"))  # for ever, in this world
    tasks = (api, other, task("a", uses=("api",)), task("b", uses=("other",)))
    assert errors(w.run(plan_of(*tasks))) == {
        "api": "the service ended before it was ready: exit code 4", "other": "no key"
    }  # fmt: skip


def test_a_password_that_is_a_word_of_ours_is_masked_and_changes_nothing_else(
    world: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = Secrets(("failed", "result", "error", "event", "retryable", "rows_read"))
    monkeypatch.setattr(logs, "SECRETS", words)
    failed = '{"event": "failed", "error": "it failed", "retryable": false, "code": "W0403"}'
    done = '{"event": "result", "rows_read": 5, "detail": {"event": "event"}}'
    w = world(
        {"a": Does(code=1, lines=[failed]), "b": Does(lines=[done]), "api": Does(code=1, lines=[failed])}
    )
    result = w.run(plan_of(task("a", retry=tries(3)), task("b"), service("api"), task("c", uses=("api",))))
    a, b = (next(record for record in result.tasks if record.task == name) for name in "ab")
    assert (a.error, a.code, a.attempts, b.rows_read) == ("it ***", "W0403", 1, 5)
    assert str(errors(result)["api"]).endswith("it ***")


def test_a_service_that_is_starting_when_nobody_needs_it_any_more_is_stopped(world: Make) -> None:
    w = world({"bad": Does(refuses=FatalError("no")), "slow": SERVES})
    w.network.asked["slow"] = 10**6
    after = task("after", ["use"], trigger_rule="all_done")
    result = w.run(plan_of(service("bad"), service("slow"), task("use", uses=("bad", "slow")), after))
    assert statuses(result) == {
        "bad": "failed", "slow": "success", "use": "upstream_failed", "after": "success"
    }  # fmt: skip
    assert w.runtime.executions["slow"].was_stopped


def test_a_service_that_dies_fails_the_run_and_what_would_use_it(world: Make) -> None:
    w = world({"api": SERVES})
    w.runtime.script["a"] = [Does(acts=lambda: w.runtime.executions["api"].die())]
    result = w.run(plan_of(service("api"), task("a", uses=("api",)), task("b", ["a"], uses=("api",))))
    assert statuses(result) == {"api": "failed", "a": "success", "b": "upstream_failed"}
    assert errors(result) == {"api": "the service ended by itself: exit code 0"}
    assert result.exit_code == ExitCode.FAILED


def test_a_service_whose_port_is_taken_or_that_cannot_be_started_fails(world: Make) -> None:
    w = world({"gone": Does(refuses=FatalError("there is no folder"))})
    w.network.taken = frozenset({"api"})
    tasks = (service("api", port=80), service("gone"), task("a", uses=("api",)), task("b", uses=("gone",)))
    assert errors(w.run(plan_of(*tasks))) == {"api": "port 80 is taken", "gone": "there is no folder"}


def test_a_service_that_nobody_uses_does_not_start(world: Make) -> None:
    w = world()
    assert statuses(w.run(plan_of(service("api"), task("a")))) == {"api": "skipped", "a": "success"}


# --- resume, stop, defects ------------------------------------------------------------------------


def test_a_run_that_is_resumed_starts_only_what_did_not_succeed(world: Make) -> None:
    w = world({"b": [FAILS, SUCCESS], "api": SERVES})
    plan = plan_of(service("api"), task("a", uses=("api",)), task("b", "a", uses=("api",)), task("c", "b"))
    first = w.run(plan, logical_date=datetime(2025, 2, 1, tzinfo=UTC))
    w.clock.advance(3600)
    again = w.run(plan, resume=w.history.run(first.run.run_id))
    assert w.runtime.names == ["api", "a", "b", "api", "b", "c"]
    assert [(r.task, r.status, r.attempts) for r in again.tasks] == [
        ("api", "success", 2), ("a", "success", 1), ("b", "success", 2), ("c", "success", 1)
    ]  # fmt: skip
    assert (again.run.run_id, again.run.logical_date) == (first.run.run_id, "2025-02-01T00:00:00+00:00")
    assert again.run.ended == "2025-03-01T13:30:00.000+00:00"


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, ExitCode.INTERRUPTED), (signal.SIGTERM, ExitCode.TERMINATED)]
)
def test_a_run_that_is_stopped_stops_what_runs_and_starts_nothing_more(
    number: signal.Signals, code: ExitCode, world: Make
) -> None:
    w = world({"a": Does(lasts=True), "api": SERVES})
    plan = plan_of(task("done"), task("a", ["done"], uses=("api",)), service("api"), task("b", "a"))
    w.loop = Threads()  # type: ignore[assignment]
    is_up = threading.Event()
    w.runtime.script["a"] = [Does(acts=is_up.set, lasts=True)]
    runner, results = Runner(plan, w.world), list[Result]()
    thread = threading.Thread(target=lambda: results.append(runner.run()))
    thread.start()
    assert is_up.wait(30)
    runner.stop(number)
    thread.join(30)
    (result,) = results
    assert statuses(result) == {"a": "cancelled", "api": "cancelled", "b": "cancelled", "done": "success"}
    assert (result.run.status, result.exit_code) == ("cancelled", code)
    assert w.runtime.executions["api"].was_stopped


def test_a_run_that_is_stopped_while_a_task_waits_for_its_next_try_ends(world: Make) -> None:
    w = world()
    w.runtime.script["a"] = [Does(code=1, acts=lambda: w.runner.stop())]
    result = w.run(plan_of(task("a", retry=tries(5)), task("b"), task("c")), parallel=1)
    assert statuses(result)["b"] == statuses(result)["c"] == "cancelled"
    assert result.stopped_by == signal.SIGTERM


def test_a_defect_of_windlass_ends_its_task_and_not_the_run(world: Make) -> None:
    defect = RuntimeError("a defect")
    w = world({"a": Does(refuses=defect), "api": Does(refuses=defect)})
    result = w.run(plan_of(task("a"), task("b"), service("api"), task("c", uses=("api",))))
    assert statuses(result) == {"a": "failed", "b": "success", "api": "failed", "c": "upstream_failed"}
    assert [str(text).splitlines()[0] for text in errors(result).values()] == ["RuntimeError: a defect"] * 2


# --- what is around a run -------------------------------------------------------------------------


def test_a_run_happens_at_the_time_of_its_clock(world: Make) -> None:
    w = world({"a": Does(takes=90)})
    result = w.run(plan_of(task("a"), schedule="@daily"))
    run = result.run
    assert run.run_id.startswith("p-20250301T123000-")
    assert (run.started, run.ended) == ("2025-03-01T12:30:00.000+00:00", "2025-03-01T12:31:30.000+00:00")
    assert (run.interval_start, run.interval_end) == (
        "2025-02-28T00:00:00+00:00",
        "2025-03-01T00:00:00+00:00",
    )
    assert (run.run_key, run.scheduled, result.tasks[0].seconds) == (run.run_id, False, 90.0)
    scheduled = w.run(
        plan_of(task("a"), schedule="@daily"), logical_date=datetime(2025, 2, 1, tzinfo=UTC)
    ).run
    assert (scheduled.run_key, scheduled.scheduled) == ("2025-02-01T00:00:00+00:00", True)
    assert scheduled.interval_end == "2025-02-02T00:00:00+00:00"


def test_every_unit_finds_its_run_and_the_connections_that_it_names(world: Make) -> None:
    w = world({"a": [FAILS, SUCCESS]})
    unit = Unit(command=("a", "{{ params.n }}", "{{ tasks.x.path }}"), env={"DAY": "{{ ds }}"})
    action = model.RunCommand(connections=("pg",), references={"OTHER": model.Reference(connection="other")})
    names = ("pg", "other")
    named = task(
        "a", action=action, connections=names, paths={"x": "out/{{ ds }}.csv"}, unit=unit, retry=tries(1)
    )
    result = w.run(plan_of(named, params={"n": 7}), logical_date=datetime(2025, 2, 1, tzinfo=UTC))
    (_, started, environment), _ = w.runtime.started[1], w.runtime.prepared[1]
    assert started.command == ("a", "7", "out/2025-02-01.csv")
    assert started.env == {"DAY": "2025-02-01"}
    assert environment == {
        "WINDLASS_RUN_ID": result.run.run_id,
        "WINDLASS_RUN_KEY": "2025-02-01T00:00:00+00:00",
        "WINDLASS_LOGICAL_DATE": "2025-02-01T00:00:00+00:00",
        "WINDLASS_DATA_INTERVAL_START": "2025-02-01T00:00:00+00:00",
        "WINDLASS_DATA_INTERVAL_END": "2025-02-01T00:00:00+00:00",
        "WINDLASS_SERVICES": "{}",
        "WINDLASS_ATTEMPT": "2",
        "WINDLASS_PARAMS": '{"n": 7}',
        "WINDLASS_CONN_PG": "fake://pg",
        "OTHER": "fake://other",
    }
    assert w.connections.is_closed


def test_what_is_ready_is_let_go_where_a_run_cannot_begin(
    world: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise RetryableError("no space left")

    w = world()
    monkeypatch.setattr("windlass.runner.runner.write_whole", full)
    with pytest.raises(RetryableError, match="no space left"):
        w.run(plan_of(task("a")))
    assert (w.runtime.is_closed, w.connections.is_closed, w.runtime.names) == (True, True, [])


def test_windlass_itself_is_told_how_to_run(world: Make) -> None:
    w = world()
    w.run(plan_of(own("a"), task("b")), memory="2GB", force=True)
    commands = {name: unit.command for name, unit, _ in w.runtime.started}
    assert commands == {"a": ("windlass", "exec", "p", "a", "--memory", "2GB", "--force"), "b": ("b",)}


def test_a_connection_that_is_nowhere_fails_its_task(world: Make) -> None:
    w = world({"s": SERVES})
    w.connections.nowhere = frozenset({"pg"})
    result = w.run(plan_of(task("a", connections=("pg",)), service("s"), task("b", uses=("s",))))
    assert errors(result) == {"a": "connection 'pg' is not configured"}


def test_a_trigger_starts_another_pipeline_with_its_parameters_filled_in(world: Make) -> None:
    w = world()
    w.pipelines.does = Does(lines=['{"event": "result", "rows_written": 5}'])
    action = model.Trigger(pipeline="q", params={"day": "{{ ds }}", "n": 5})
    result = w.run(
        plan_of(task("t", action=action, unit=None)), logical_date=datetime(2025, 2, 1, tzinfo=UTC)
    )
    assert w.pipelines.started == [
        (model.Trigger(pipeline="q", params={"day": "2025-02-01", "n": 5}), result.run.run_id)
    ]
    assert (w.runtime.started, result.tasks[0].rows_written) == ([], 5)


def test_a_pipeline_that_runs_already_is_not_run_again_unless_it_allows_that(world: Make) -> None:
    w = world()
    refused: list[str] = []

    def run_again() -> None:
        other = FakeWorld(w.state.path.parent)
        try:
            other.run(plan_of(task("b")))
        except RetryableError as exc:
            refused.append(exc.message)

    w.runtime.script["a"] = [Does(acts=run_again)]
    w.run(plan_of(task("a")))
    assert len(refused) == 1
    assert "p is already running" in refused[0]
