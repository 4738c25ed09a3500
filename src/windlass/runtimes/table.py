"""The runtimes there are: a line each. Others come from packages with entry points `windlass.runtimes`."""

from __future__ import annotations

from windlass.plugins import Table
from windlass.runtimes import RuntimeFactory

__all__ = ["DEFAULT_RUNTIME", "RUNTIMES"]

DEFAULT_RUNTIME = "process"

RUNTIMES: Table[RuntimeFactory] = Table(
    "runtime", "windlass.runtimes", {DEFAULT_RUNTIME: "windlass.runtimes.process:ProcessRuntime"}
)
