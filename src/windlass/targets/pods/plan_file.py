"""The plan that containers execute, as a file out of a ConfigMap.

Its name has a digest of what it says. So a run that has begun keeps its plan whatever is applied meanwhile, and a manifest
that changes changes both together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from windlass.plan.bundle import bundle_to_json
from windlass.plan.model import Plan
from windlass.targets.pods.names import dns_name

__all__ = ["LONGEST", "PLAN", "config_map", "is_too_long", "mount", "volume"]

PLAN = "/windlass/plan/plan.json"
"""Where containers have it."""

LONGEST = 1_000_000  # bytes of a ConfigMap, all of it 1 MiB at most
_VOLUME, _FILE = "plan", "plan.json"


def config_map(name: str, project: str, plans: Iterable[Plan]) -> dict[str, Any]:
    """The ConfigMap with the plans of a pipeline, and of those that it triggers."""
    text = bundle_to_json(project, {plan.pipeline: plan for plan in plans}, {})
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": dns_name(f"{name}-plan-{digest}")},
        "immutable": True,
        "data": {_FILE: text},
    }


def is_too_long(one: dict[str, Any]) -> bool:
    """Whether the object is a ConfigMap that no cluster takes."""
    return len(one.get("data", {}).get(_FILE, "").encode()) > LONGEST


def volume(config_map: str) -> dict[str, Any]:
    """The volume with the plan."""
    return {"name": _VOLUME, "configMap": {"name": config_map}}


def mount() -> dict[str, Any]:
    """Where a container has it."""
    return {"name": _VOLUME, "mountPath": PLAN.removesuffix(f"/{_FILE}"), "readOnly": True}
