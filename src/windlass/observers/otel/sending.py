"""The SDK of OpenTelemetry as the environment says: where to send, how, and as what service."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from windlass import __version__
from windlass.observers.complaints import take_complaints

__all__ = ["Sender"]

_MODULES = {
    "http/protobuf": "opentelemetry.exporter.otlp.proto.http",
    "grpc": "opentelemetry.exporter.otlp.proto.grpc",
}


@dataclass(frozen=True)
class Sender:
    """Providers of our own: a program that uses windlass as a library may have others."""

    traces: TracerProvider
    metrics: MeterProvider
    settled: threading.Event = field(default_factory=threading.Event)
    """All is sent, or an exporter has found that it cannot be."""

    @classmethod
    def from_environment(cls) -> Sender:
        """The providers that the variables `OTEL_…` describe. Raises ImportError where a package is missing."""
        resource = Resource.create(_service())
        traces = TracerProvider(resource=resource, shutdown_on_exit=False)
        if _is_sent("TRACES"):
            exporter = _part("TRACES", "trace_exporter", "OTLPSpanExporter")
            traces.add_span_processor(BatchSpanProcessor(exporter))
        readers = []
        if _is_sent("METRICS"):
            exporter = _part("METRICS", "metric_exporter", "OTLPMetricExporter")
            readers.append(PeriodicExportingMetricReader(exporter))
        metrics = MeterProvider(metric_readers=readers, resource=resource, shutdown_on_exit=False)
        sender = cls(traces, metrics)
        take_complaints("opentelemetry", sender.note)
        return sender

    def note(self, module: str) -> None:
        """A module of the SDK complains."""
        if module.startswith("opentelemetry.exporter"):
            self.settled.set()

    def close(self) -> None:
        """Send what is left. An exporter that complains would try again for long: it is not waited for."""
        self.settled.clear()
        threading.Thread(target=self._shut_down, name="opentelemetry", daemon=True).start()
        self.settled.wait()

    def _shut_down(self) -> None:
        try:
            self.traces.shutdown()
            self.metrics.shutdown()
        finally:
            self.settled.set()


def _service() -> dict[str, Any]:
    """What we are, as far as the environment does not say otherwise."""
    said = os.environ.get("OTEL_SERVICE_NAME") or "service.name=" in os.environ.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    )
    return {} if said else {SERVICE_NAME: "windlass", SERVICE_VERSION: __version__}


def _is_sent(signal: str) -> bool:
    """Whether a signal goes anywhere: it has an endpoint, and its exporter is not `none`."""
    names = (f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
    exporter = os.environ.get(f"OTEL_{signal}_EXPORTER", "otlp").strip().lower()
    return exporter == "otlp" and any(map(os.environ.get, names))


def _part(signal: str, module: str, name: str) -> Any:
    """The exporter of a signal, of the package that speaks its protocol."""
    names = (f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
    protocol = next(filter(None, map(os.environ.get, names)), "http/protobuf")
    if protocol not in _MODULES:
        raise ValueError(f"unknown protocol {protocol!r}; expected one of {', '.join(_MODULES)}")
    return getattr(import_module(f"{_MODULES[protocol]}.{module}"), name)()
