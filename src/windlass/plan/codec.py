"""Plans as JSON, both ways."""

from __future__ import annotations

import msgspec

from windlass.errors import Code, FatalError
from windlass.plan.model import PLAN_VERSION, Plan

__all__ = ["from_json", "to_json"]


class _Versioned(msgspec.Struct):
    version: int


def to_json(plan: Plan) -> str:
    """The plan as one JSON document, indented, keys in the order of the model."""
    return msgspec.json.format(msgspec.json.encode(plan), indent=2).decode()


def from_json(text: str | bytes) -> Plan:
    """The plan that `to_json` wrote. Raises FatalError for another version or another thing."""
    try:
        version = msgspec.json.decode(text, type=_Versioned).version
    except msgspec.DecodeError as exc:
        message = "this is not a plan: expected the JSON that `windlass compile` writes"
        raise FatalError(message, code=Code.NOT_A_PLAN) from exc
    if version != PLAN_VERSION:
        hint = "compile it again with: windlass compile"
        message = f"the plan has version {version}, expected {PLAN_VERSION}"
        raise FatalError(message, hint=hint, code=Code.NOT_A_PLAN)
    try:
        return msgspec.json.decode(text, type=Plan)
    except msgspec.ValidationError as exc:
        raise FatalError(f"this is not a plan: {exc}", code=Code.NOT_A_PLAN) from exc
