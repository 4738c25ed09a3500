"""Tells people that a run failed, over the connections that `on_failure` names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from windlass import logs, registry
from windlass.connections import resolve
from windlass.errors import WindlassError

__all__ = ["Alert", "send_alert"]


@dataclass(frozen=True)
class Alert:
    """What there is to say of a failed run."""

    project: str
    pipeline: str
    run_id: str
    logical_date: str
    failed: tuple[tuple[str, str], ...]
    """The tasks that failed, each with its error."""

    changed: tuple[tuple[str, str], ...] = ()
    """The tasks that added or widened columns of their destination, each with what it did."""


def send_alert(alert: Alert, connections: Mapping[str, str], project: Path) -> None:
    """Send an alert over each connection (name to type). What goes wrong is logged and changes nothing else."""
    for name, kind in connections.items():
        try:
            address, send = resolve(name, kind, project), registry.require(kind).alert
            if address is None or send is None:
                logs.warning("alert_not_sent", connection=name, because="it is not configured")
                continue
            registry.load(send)(address, alert)
            logs.info("alert_sent", connection=name)
        except WindlassError as exc:
            logs.error("alert_not_sent", connection=name, because=exc.message)
