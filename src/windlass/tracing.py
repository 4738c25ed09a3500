"""Trace context in an environment: who started us says what we are part of, and we say so to what we start.

It is W3C Trace Context (https://www.w3.org/TR/trace-context/), in the variables TRACEPARENT and TRACESTATE, as
OpenTelemetry has it for processes. Nothing of OpenTelemetry is needed to hand it on, or to log the ids in it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

__all__ = ["OBSERVED", "TRACEPARENT", "TRACESTATE", "handed_on", "ids_of"]

OBSERVED = "WINDLASS_OBSERVED"
"""The variable by which a process of windlass knows that the run that started it tells of it, too."""

TRACEPARENT, TRACESTATE = "TRACEPARENT", "TRACESTATE"

_PARENT = re.compile(r"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}(?:-.*)?")


def handed_on(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables of the context in an environment; none where it has no valid one."""
    if not ids_of(environ):
        return {}
    return {name: environ[name] for name in (TRACEPARENT, TRACESTATE) if environ.get(name)}


def ids_of(environ: Mapping[str, str]) -> dict[str, str]:
    """`trace_id` and `span_id` of the context, for log lines; none where it has no valid one."""
    found = _PARENT.fullmatch(environ.get(TRACEPARENT, ""))
    return {"trace_id": found[1], "span_id": found[2]} if found else {}
