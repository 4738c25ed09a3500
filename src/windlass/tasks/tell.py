"""What a scheduler has found out about its run, told: the messages come with the environment (`WINDLASS_MESSAGES`)."""

from __future__ import annotations

import hashlib
import json
import os
from typing import Any

from windlass import logs
from windlass.alerts import Message
from windlass.alerts.delivery import hand_over
from windlass.errors import FatalError, RetryableError, WindlassError
from windlass.plan.model import Plan
from windlass.tasks.context import Context, TaskResult
from windlass.tasks.notify import Noted, noted_of

__all__ = ["VARIABLE", "run_tell"]

VARIABLE = "WINDLASS_MESSAGES"
"""Pairs of a connection and a message, as JSON."""


def run_tell(plan: Plan, task: str, context: Context) -> TaskResult:
    """Deliver the messages, each once. Raises WindlassError when one was not taken, after all were tried."""
    noted = noted_of(plan, task, context)
    errors: dict[str, WindlassError] = {}
    messages: list[tuple[str, Any]] = json.loads(os.environ.get(VARIABLE) or "[]")
    for connection, values in messages:
        try:
            _tell(connection, values, noted, context)
        except WindlassError as exc:
            logs.error("alert_not_sent", connection=connection, because=exc.message)
            errors[connection] = exc
    if errors:
        said = "; ".join(f"{name}: {exc.message}" for name, exc in errors.items())
        kind = RetryableError if any(isinstance(e, RetryableError) for e in errors.values()) else FatalError
        raise kind(said, code=next(iter(errors.values())).code)
    return TaskResult(path="message", detail={"told": len(messages)})


def _tell(connection: str, values: Any, noted: Noted, context: Context) -> None:
    """A task that is tried again tells nobody again."""
    key = hashlib.sha256(json.dumps([connection, values], sort_keys=True).encode()).hexdigest()[:32]
    if noted.has(key):
        return
    hand_over(Message.from_dict(values), context.address(connection), connection)
    noted.add(key)
    logs.info("alert_sent", connection=connection)
