"""Who else is told of runs: systems that collect traces, metrics or lineage.

An observer is a folder here and a line in the table. It is asked for by the environment variables of its own standard;
where none of them is set, nothing of it is imported, nor of what is here:

telling.py    everybody who is asked for, told beside the display
complaints.py what their libraries log
one_task.py   a task that a scheduler started: told of as part of a run that goes on elsewhere
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from msgspec import Struct

from windlass.tracing import OBSERVED

__all__ = ["KINDS", "Kind", "is_observed"]


class Kind(Struct, frozen=True):
    """When an observer is wanted, and where it is."""

    variables: tuple[str, ...]
    """By one of these it is asked for."""

    disabled: str
    """The variable that says `true` where it is not wanted all the same."""

    extra: str
    module: str
    """Has `observe(around) -> Closable`."""

    def is_wanted(self, environ: Mapping[str, str]) -> bool:
        return environ.get(self.disabled, "").lower() != "true" and any(map(environ.get, self.variables))


KINDS = {
    "opentelemetry": Kind(
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
            "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
        ),
        "OTEL_SDK_DISABLED",
        "otel",
        "windlass.observers.otel",
    ),
    "openlineage": Kind(
        ("OPENLINEAGE_URL", "OPENLINEAGE_CONFIG", "OPENLINEAGE__TRANSPORT", "OPENLINEAGE__TRANSPORT__TYPE"),
        "OPENLINEAGE_DISABLED",
        "openlineage",
        "windlass.observers.openlineage",
    ),
}


def is_observed(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether anybody wants to be told of what this process does, whose runner does not tell already."""
    return not environ.get(OBSERVED) and any(kind.is_wanted(environ) for kind in KINDS.values())
