"""Tells people that a run failed, over the connections that `on_failure` names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from windlass import logs, registry
from windlass.connectors.resolve import resolve
from windlass.errors import WindlassError
from windlass.plan.model import Plan

__all__ = ["Alert", "send_alerts"]


@dataclass(frozen=True)
class Alert:
    """What there is to say of a failed run."""

    project: str
    pipeline: str
    run_id: str
    logical_date: str
    failed: tuple[tuple[str, str], ...]
    """The tasks that failed, each with its error."""


def send_alerts(plan: Plan, project: Path, result: Any) -> None:
    """Send one alert over each connection. What goes wrong with it is logged and changes nothing else."""
    failed = tuple((task.task, task.error or "") for task in result.tasks if task.status == "failed")
    alert = Alert(plan.project, plan.pipeline, result.run.run_id, result.run.logical_date, failed)
    for name in plan.on_failure:
        connection = plan.connections[name]
        try:
            address = resolve(name, connection.type, project)
            module = registry.CONNECTORS[connection.type].alert
            if address is None or module is None:
                logs.warning("alert_not_sent", connection=name, because="it is not configured")
                continue
            registry.load(module).send(address, alert)
            logs.info("alert_sent", connection=name)
        except WindlassError as exc:
            logs.error("alert_not_sent", connection=name, because=exc.message)
