"""The targets there are: a line each. Others come from packages with entry points `windlass.targets`."""

from __future__ import annotations

from typing import Any

from windlass.plugins import Table
from windlass.targets import Target

__all__ = ["TARGETS", "able"]

TARGETS: Table[Target] = Table(
    "target",
    "windlass.targets",
    {
        "airflow": "windlass.targets.airflow.target:TARGET",
        "argo": "windlass.targets.argo.target:TARGET",
        "kubernetes": "windlass.targets.kubernetes.target:TARGET",
        "compose": "windlass.targets.compose.target:TARGET",
        "ci": "windlass.targets.ci.target:TARGET",
        "cron": "windlass.targets.cron.target:TARGET",
    },
)


def able(protocol: type[Any]) -> list[str]:
    """The targets that satisfy this one of the protocols in `windlass.targets`."""
    return [name for name in TARGETS.names() if isinstance(TARGETS.load(name), protocol)]
