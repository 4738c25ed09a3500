"""The targets there are: a line each. Others come from packages with entry points `windlass.targets`."""

from __future__ import annotations

from windlass.plugins import Table
from windlass.targets import Target

__all__ = ["TARGETS"]

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
