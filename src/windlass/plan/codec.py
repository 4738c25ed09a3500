"""Plans as JSON, both ways."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING

from windlass.errors import FatalError
from windlass.plan.model import PLAN_VERSION, Plan

if TYPE_CHECKING:
    from pydantic import TypeAdapter

__all__ = ["from_json", "to_json"]


def to_json(plan: Plan) -> str:
    """The plan as one JSON document, indented, keys in the order of the dataclasses."""
    return _adapter().dump_json(plan, indent=2).decode()


def from_json(text: str | bytes) -> Plan:
    """The plan that `to_json` wrote. Raises FatalError for another version or another thing."""
    from pydantic import ValidationError

    try:
        version = json.loads(text)["version"]
    except (ValueError, TypeError, KeyError) as exc:
        raise FatalError("this is no plan: expected the JSON that `windlass compile` writes") from exc
    if version != PLAN_VERSION:
        hint = "compile it again with: windlass compile"
        raise FatalError(f"the plan has version {version}, expected {PLAN_VERSION}", hint=hint)
    try:
        return _adapter().validate_json(text)
    except ValidationError as exc:
        raise FatalError(
            f"this is no plan: {exc.error_count()} errors, first: {exc.errors()[0]['msg']}"
        ) from exc


@cache
def _adapter() -> TypeAdapter[Plan]:
    from pydantic import TypeAdapter

    return TypeAdapter(Plan)
