"""Traces and metrics by OpenTelemetry: its own SDK, its own variables (https://opentelemetry.io/docs/specs/otel/).

observer.py   a span a run, task and attempt, and the numbers of each task
sending.py    the SDK as the environment says: exporters over OTLP, resource, what it complains of
"""

from __future__ import annotations

from windlass.observers.otel.observer import TelemetryObserver
from windlass.observers.otel.sending import Sender
from windlass.observers.telling import Around

__all__ = ["observe"]


def observe(_: Around) -> TelemetryObserver:
    """The observer that the environment asks for. Raises ImportError where the SDK is not there."""
    return TelemetryObserver(Sender.from_environment())
