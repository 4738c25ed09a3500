"""Who is told what: one message an incident, its end told once, and nothing that is lost because nobody answered."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.unit.runner.fakes import Does, FakeWorld, plan_of, task
from windlass import logs
from windlass.errors import Code, FatalError, RetryableError
from windlass.plan.model import Connection, Plan, Retry, Task
from windlass.status import Status

FAILS = Does(code=2)
CONNECTIONS = {
    "chat": Connection(type="slack", form="secret_url"),
    "pager": Connection(type="pagerduty", form="secret_url"),
}


@pytest.fixture
def w(tmp_path: Path) -> FakeWorld:
    return FakeWorld(tmp_path)


def plan(*tasks: Task, **told: object) -> Plan:
    return plan_of(*(tasks or (task("a"),)), connections=CONNECTIONS, **told)


def said(w: FakeWorld) -> Sequence[tuple[str, str, str]]:
    """The messages since the last look: to whom, what happened, and to what."""
    found = [(to, message.event, message.subject) for to, message in w.alerts]
    w.alerts.clear()
    return found


def test_a_failed_run_is_told_once_with_what_failed_and_what_was_changed(w: FakeWorld) -> None:
    detail = {"columns_added": ["fare"], "columns_widened": {"id": "integer → bigint"}}
    result = json.dumps({"event": "result", "detail": detail})
    w.runtime.script |= {"a": [Does(code=2)], "b": [Does(lines=[result])]}
    ended = w.run(plan(task("a"), task("b"), task("c", needs=("a",)), on_failure=("chat",)))
    [(to, message)] = w.alerts
    assert (to, message.event, message.run_id) == ("chat", "failure", ended.run.run_id)
    assert [(told.task, told.what) for told in message.told] == [
        ("a", "exit code 2"),
        ("b", "columns added: fare; columns widened: id (integer → bigint)"),
    ]
    assert message.link == str(w.state.run(ended.run.run_id).report)
    assert [alert.sent is not None for alert in ended.alerts] == [True]


def test_the_last_lines_of_a_command_say_why_it_failed_in_every_place(w: FakeWorld) -> None:
    logs.add_secret("canary-of-a-step")
    lines = [*"123456", "refused: canary-of-a-step"]
    w.runtime.script["a"] = [Does(code=2, lines=["of the first try"]), Does(code=2, lines=lines)]
    ended = w.run(plan(task("a", retry=Retry(retries=1)), on_failure=("chat",)))
    error = "exit code 2\n    3\n    4\n    5\n    6\n    refused: ***"
    [(_, message)] = w.alerts
    assert [told.what for told in message.told] == [error]
    assert [one.error for one in ended.tasks] == [error]


def test_where_reports_are_served_messages_link_them(w: FakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINDLASS_RUNS_URL", "https://reports.example/runs/")
    w.runtime.script["a"] = [FAILS]
    ended = w.run(plan(on_failure=("chat",)))
    [(_, message)] = w.alerts
    assert message.link == f"https://reports.example/runs/{ended.run.run_id}/report.html"


def test_a_triggered_run_is_told_by_the_one_that_waits_for_it(w: FakeWorld) -> None:
    w.runtime.script["a"] = [FAILS]
    w.run(plan(on_failure=("chat",)), parent="other")
    assert said(w) == []
    w.run(plan(on_failure=("chat",)), parent="other", is_awaited=False)
    assert said(w) == [("chat", "failure", "p")]


def test_the_first_success_after_a_failure_is_told_once(w: FakeWorld) -> None:
    p = plan(on_failure=("chat",), on_recovery=("chat",), on_success=("pager",))
    w.runtime.script["a"] = [FAILS]
    w.run(p)
    failed = w.run(p)
    assert said(w) == [("chat", "failure", "p")] * 2
    w.runtime.script["a"] = [Does()]
    w.run(p)
    assert [(to, m.event) for to, m in w.alerts] == [
        ("chat", "recovery"),
        ("pager", "success"),
    ]
    assert w.alerts[0][1].since != failed.run.run_id, "it says since when"
    said(w)
    w.run(p)
    assert said(w) == [("pager", "success", "p")]


def test_what_a_failure_opened_somewhere_is_closed_there_without_being_asked(w: FakeWorld) -> None:
    p = plan(on_failure=("chat", "pager"))
    w.runtime.script["a"] = [FAILS]
    w.run(p)
    w.runtime.script["a"] = [Does()]
    w.run(p)
    assert said(w) == [("chat", "failure", "p"), ("pager", "failure", "p"), ("pager", "recovery", "p")]


def test_a_run_of_other_tasks_is_no_recovery(w: FakeWorld) -> None:
    p = plan(task("a"), task("b"), on_failure=("chat",), on_recovery=("chat",))
    w.runtime.script["a"] = [FAILS]
    w.run(p)
    w.runtime.script["a"] = [Does()]
    w.run(p, only=("b",))
    assert said(w) == [("chat", "failure", "p")]
    w.run(p, only=("a",))
    assert said(w) == [("chat", "recovery", "p")]


def test_a_task_has_its_own_whom_the_pipeline_does_not_tell_as_well(w: FakeWorld) -> None:
    both = task("a", on_failure=("pager", "chat"), on_recovery=("pager",))
    p = plan(
        both,
        task("b", on_success=("chat",)),
        task("c", needs=("a",), on_failure=("chat",)),
        on_failure=("chat",),
    )
    w.runtime.script["a"] = [FAILS]
    w.run(p)
    assert said(w) == [("chat", "failure", "p"), ("pager", "failure", "p.a"), ("chat", "success", "p.b")]
    w.runtime.script["a"] = [Does()]
    w.run(p)
    assert said(w) == [("pager", "recovery", "p.a"), ("chat", "success", "p.b")]


def test_who_says_to_come_much_later_is_told_by_the_next_run_and_not_before(w: FakeWorld) -> None:
    p = plan(on_failure=("chat",))
    w.runtime.script["a"] = [FAILS]
    busy = RetryableError("busy")
    busy.wait = 300.0
    w.refusals = [busy]
    failed = w.run(p)
    assert [(a.sent, a.error, a.attempts) for a in failed.alerts] == [(None, "busy", 1)]
    assert (said(w), w.clock.waits) == ([], [])
    w.run(p)
    assert said(w) == [("chat", "failure", "p")] * 2


def test_what_nobody_took_is_tried_again_at_once_and_by_the_next_runs(w: FakeWorld) -> None:
    p = plan(on_failure=("chat",), on_recovery=("chat",))
    w.runtime.script["a"] = [FAILS]
    w.refusals = [RetryableError("busy"), RetryableError("busy"), RetryableError("still busy")]
    failed = w.run(p)
    assert (failed.run.status, said(w)) == (Status.FAILED, [])
    assert [(a.sent, a.error, a.attempts) for a in failed.alerts] == [(None, "still busy", 3)]
    assert w.clock.waits[-2:] == [1.0, 2.0]
    w.runtime.script["a"] = [Does()]
    w.run(p)
    assert said(w) == [("chat", "failure", "p"), ("chat", "recovery", "p")], "late, and in order"
    w.run(p)
    assert said(w) == []


def test_a_refusal_for_good_is_not_tried_again_at_once(w: FakeWorld) -> None:
    w.runtime.script["a"] = [FAILS]
    w.refusals = [FatalError("the address was revoked")]
    ended = w.run(plan(on_failure=("chat", "pager")))
    assert [(a.connection, a.error, a.attempts) for a in ended.alerts] == [
        ("chat", "the address was revoked", 1),
        ("pager", None, 1),
    ]
    assert said(w) == [("pager", "failure", "p")], "one that cannot be told hides nothing from others"


def test_whatever_a_connector_raises_the_run_ends_as_it_did(w: FakeWorld) -> None:
    w.refusals = [ZeroDivisionError("a connector of another package")]
    ended = w.run(plan(on_success=("chat",)))
    assert ended.run.status == Status.SUCCESS
    assert "ZeroDivisionError" in str(ended.alerts[0].error)


def test_what_is_configured_nowhere_is_not_told_later(w: FakeWorld) -> None:
    p = plan(on_failure=("chat",), on_recovery=("chat",))
    w.runtime.script["a"] = [FAILS]
    w.refusals = [FatalError("not configured", code=Code.NOT_CONFIGURED)]
    w.run(p)
    w.runtime.script["a"] = [Does()]
    w.run(p)
    assert said(w) == [], "and where no failure was told, no recovery is"


def test_a_message_that_broke_off_is_sent_by_the_next_run_unless_its_run_goes_on(w: FakeWorld) -> None:
    p = plan(on_failure=("chat",))
    w.runtime.script["a"] = [FAILS]
    w.refusals = [RetryableError("busy")] * 3
    failed = w.run(p)
    lock = w.history.begin(failed.run, [], alone=False)  # as if it were still at it
    assert w.history.unsent_alerts("p", 99) == []
    lock.close()
    [unsent] = w.history.unsent_alerts("p", 99)
    assert w.history.claim_alert(unsent)
    unsent.attempts -= 1
    assert not w.history.claim_alert(unsent), "two runs that end at once send it once"


def test_the_first_bad_rows_are_told(w: FakeWorld) -> None:
    def quarantine() -> None:
        file = w.state.run(w.runner._record.run_id).quarantine("a")
        file.parent.mkdir(parents=True)
        rows = [{"source": "a.csv", "line": n, "message": "not a number"} for n in range(2, 9)]
        file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))

    w.runtime.script["a"] = [Does(code=2, acts=quarantine)]
    w.run(plan(on_failure=("chat",)))
    assert w.alerts[0][1].told[0].rows == tuple(f"a.csv:{n}: not a number" for n in (2, 3, 4))
