"""The bundle: every plan of a project in one JSON document, with how its tasks are executed.

It is what an export puts beside what a scheduler reads. Each pipeline in it is the plan as everywhere.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from windlass import __version__
from windlass.plan.codec import to_json
from windlass.plan.model import Plan

__all__ = ["BUNDLE_VERSION", "bundle_to_json"]

BUNDLE_VERSION = 1


def bundle_to_json(project: str, plans: Mapping[str, Plan], runtime: Mapping[str, object]) -> str:
    """The bundle as one JSON document, the same for the same project, pipelines in the order of their names."""
    pools: dict[str, int] = {}
    for plan in plans.values():
        pools.update(getattr(plan, "pools", {}))
    document = {
        "version": BUNDLE_VERSION,
        "windlass": __version__,
        "project": project,
        "runtime": dict(runtime),
        "pools": dict(sorted(pools.items())),
        "pipelines": {name: json.loads(to_json(plans[name])) for name in sorted(plans)},
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"
