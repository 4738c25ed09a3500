"""The Celery workers of the stack, and what they say of themselves: whether they answer, their queues, their tasks.

The supervisor asks them over the broker, as Flower does. Celery is imported when it asks first.
"""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from windlass.stack.layout import RunningTask, WorkerState

__all__ = ["Workers"]

_NODE = "{}@localhost"
_PATIENCE = 1.0  # for an answer; one that is there comes within milliseconds
_FRESH = 1.0
_HEARTBEAT_TIMEOUT = 30


class Workers:
    """The workers of one stack, at its broker; there may be none."""

    def __init__(self, count: int, broker_url: str) -> None:
        names = [f"worker-{number}" for number in range(1, count + 1)]
        self.states = {name: WorkerState(name, _slots_of_each(count)) for name in names}
        self._url = broker_url
        self._looked, self._since, self._answers = 0.0, datetime.min.replace(tzinfo=UTC), set[str]()

    @property
    def secrets(self) -> str:
        """What Airflow's configuration file says of it. Celery keeps its results in Airflow's own database."""
        return f"[celery]\nbroker_url = {self._url}\n" if self.states else ""

    def settings(self) -> dict[str, dict[str, object]]:
        """Airflow's settings for it. The tasks of a worker that was killed are noticed by their silence."""
        if not self.states:
            return {}
        return {
            "core": {"executor": "CeleryExecutor"},
            "scheduler": {
                "task_instance_heartbeat_timeout": _HEARTBEAT_TIMEOUT,
                "task_instance_heartbeat_timeout_detection_interval": 5,
            },
            # the DAGs are in a folder, of which there are no old versions: it would be a process of 0.1 GB each
            "dag_processor": {"stale_bundle_cleanup_interval": 0},
        }

    def command(self, name: str) -> tuple[str, ...]:
        """What `airflow` is told to be the worker. They need not know of each other."""
        slots = str(self.states[name].slots)
        alone = ("--without-mingle", "--without-gossip", "--skip-serve-logs")
        return ("celery", "worker", "--celery-hostname", _NODE.format(name), "--concurrency", slots, *alone)

    def answers(self, name: str, since: datetime) -> bool:
        """Whether the worker has answered since it was started."""
        if self._since < since or time.monotonic() - self._looked > _FRESH:
            self.look()
        return name in self._answers

    def look(self) -> None:
        """Ask all of them for their queues and tasks. Those that say nothing keep their queues."""
        self._since = datetime.now(UTC)
        queues = self._ask("active_queues")
        running = self._ask("active") if queues else {}
        for name, state in self.states.items():
            node = _NODE.format(name)
            if node in queues:
                state.queues = [queue["name"] for queue in queues[node]]
            state.running = sorted(filter(None, map(_task_of, running.get(node, []))), key=str)
        self._answers = {name for name in self.states if _NODE.format(name) in queues}
        self._looked = time.monotonic()

    def _ask(self, what: str) -> dict[str, Any]:
        from kombu.exceptions import OperationalError

        nodes = [_NODE.format(name) for name in self.states]
        inspect = self._celery.control.inspect(destination=nodes, timeout=_PATIENCE)
        try:
            return getattr(inspect, what)() or {}
        except (OperationalError, OSError):  # the broker does not answer: who asks for its health says so
            return {}

    @cached_property
    def _celery(self) -> Any:
        from celery import Celery

        app = Celery(broker=self._url, set_as_current=False)
        app.conf.broker_transport_options = {
            "socket_timeout": _PATIENCE,
            "socket_connect_timeout": _PATIENCE,
        }
        return app


def _slots_of_each(count: int) -> int:
    """As many tasks at once as without Celery, over all workers."""
    return max(2, -(-max(4, 2 * (os.cpu_count() or 1)) // count))


def _task_of(message: dict[str, Any]) -> RunningTask | None:
    """The task instance in a message of Airflow's executor, which has a token beside it that nobody may see.

    None for what is not one, such as a callback.
    """
    ti = json.loads(message["args"][0]).get("ti")
    if ti is None:
        return None
    part = ti.get("map_index", -1)
    return RunningTask(
        ti["dag_id"], ti["task_id"], ti["run_id"], ti["try_number"], None if part < 0 else part
    )
