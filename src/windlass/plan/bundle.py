"""The bundle: every plan of a project in one JSON document, with how its tasks are executed.

It is what an export puts beside what a scheduler reads. Each pipeline in it is the plan as everywhere.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import msgspec

from windlass import __version__
from windlass.errors import Code, FatalError, UsageError, did_you_mean
from windlass.plan.codec import from_json
from windlass.plan.model import Plan

__all__ = ["BUNDLE_VERSION", "bundle_to_json", "plan_of_bundle"]

BUNDLE_VERSION = 3


def bundle_to_json(
    project: str,
    plans: Mapping[str, Plan],
    runtime: Mapping[str, object],
    sources: Mapping[str, Mapping[str, str]] | None = None,
) -> str:
    """The bundle as one JSON document, the same for the same project, pipelines in the order of their names.

    `sources` has the `file` of each pipeline and its `text`, for a scheduler to show.
    """
    pools: dict[str, int] = {}
    for plan in plans.values():
        pools.update(plan.pools)
    document = {
        "version": BUNDLE_VERSION,
        "windlass": __version__,
        "project": project,
        "runtime": dict(runtime),
        "pools": dict(sorted(pools.items())),
        "sources": {name: dict(source) for name, source in sorted((sources or {}).items())},
        "pipelines": {name: plans[name] for name in sorted(plans)},
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=1).decode() + "\n"


def plan_of_bundle(text: str | bytes, pipeline: str) -> Plan:
    """The plan of a pipeline, from a bundle or from what `windlass compile` writes.

    Raises FatalError for what is neither, UsageError for a pipeline that the bundle does not have.
    """
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    if not isinstance(document, dict) or not isinstance(plans := document.get("pipelines"), dict):
        return from_json(text)
    if document.get("version") != BUNDLE_VERSION:
        raise FatalError(
            f"the plans have version {document.get('version')}, expected {BUNDLE_VERSION}",
            hint="write them again with: windlass export",
            code=Code.NOT_A_PLAN,
        )
    if pipeline not in plans:
        hint = did_you_mean(pipeline, plans)
        raise UsageError(f"no pipeline {pipeline!r} among the plans", hint=hint, code=Code.UNKNOWN_PIPELINE)
    return from_json(json.dumps(plans[pipeline]))
