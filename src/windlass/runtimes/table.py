"""The runtimes there are: a line each. Others come from packages with entry points `windlass.runtimes`."""

from __future__ import annotations

from windlass.plugins import Table
from windlass.runtimes import RuntimeFactory

__all__ = ["OF_IMAGES", "OF_THIS_MACHINE", "RUNTIMES"]

OF_THIS_MACHINE = "process"
OF_IMAGES = "docker"

RUNTIMES: Table[RuntimeFactory] = Table(
    "runtime",
    "windlass.runtimes",
    {
        OF_THIS_MACHINE: "windlass.runtimes.process:ProcessRuntime",
        OF_IMAGES: "windlass.runtimes.docker.runtime:DockerRuntime",
    },
)
