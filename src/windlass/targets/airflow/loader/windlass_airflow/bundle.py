"""Reads `plan.json`, the plans of a project, compiled beforehand; and hands on the plan of one task."""

from __future__ import annotations

import base64
import json
import zlib
from pathlib import Path
from typing import Any

__all__ = ["Json", "PlanError", "head_of", "packed", "read_bundle"]

VERSION = 3

Json = dict[str, Any]


class PlanError(Exception):
    """`plan.json` cannot be used; the message says what to do."""


# --- the plan ---------------------------------------------------------------------------------------


def read_bundle(file: Path) -> Json:
    """The bundle of plans. Raises PlanError, which Airflow shows as an import error of this file."""
    again = f"write it again with `windlass export airflow`, and deploy both files together ({file})"
    try:
        bundle = json.loads(file.read_bytes())
    except FileNotFoundError:
        raise PlanError(f"there is no plan.json beside windlass_dags.py: {again}") from None
    except (OSError, ValueError) as exc:
        raise PlanError(f"plan.json cannot be read, {exc}: {again}") from None
    if not isinstance(bundle, dict) or not isinstance(bundle.get("pipelines"), dict):
        raise PlanError(f"plan.json is not what `windlass export airflow` writes: {again}")
    if bundle.get("version") != VERSION:
        found = bundle.get("version")
        raise PlanError(f"plan.json has version {found}, windlass_dags.py reads version {VERSION}: {again}")
    return bundle


_HEAD = (
    *("version", "project", "pipeline", "schedule", "timezone"),
    *("params", "params_open", "connections", "containers"),
)


def head_of(plan: Json) -> Json:
    """What there is of a plan besides its tasks, as far as executing one takes it."""
    return {name: plan[name] for name in _HEAD}


def packed(head: Json, task: Json) -> str:
    """What WINDLASS_PLAN holds for a task: its plan, compressed; its digest where that is too long."""
    if task["unit"]["digest"]:
        return str(task["unit"]["digest"])
    document = json.dumps({**head, "tasks": [task]}, separators=(",", ":"))
    return base64.b64encode(zlib.compress(document.encode(), 9)).decode("ascii")
