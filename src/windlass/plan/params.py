"""The parameters of a run: those of the pipeline, with what was given instead."""

from __future__ import annotations

import math
from collections.abc import Mapping

from windlass.errors import Code, UsageError, did_you_mean
from windlass.plan.model import Param

__all__ = ["param", "with_overrides"]


def with_overrides(
    pipeline: str, declared: Mapping[str, Param], params: Mapping[str, object]
) -> dict[str, Param]:
    """The parameters of a pipeline with those that a run gives. Raises UsageError for one that does not fit."""
    for name in params:
        if name not in declared:
            hint = did_you_mean(name, declared)
            message = f"pipeline {pipeline!r} has no parameter {name!r}"
            raise UsageError(message, hint=hint, code=Code.UNKNOWN_PARAMETER)
    return {name: param(name, declared[name], params.get(name, declared[name])) for name in declared}


def param(name: str, default: Param, value: object) -> Param:
    """The value of a parameter, of its default's type; text for another type means what YAML would make of it."""
    if isinstance(value, str) and not isinstance(default, str):
        from windlass.spec.yaml import scalar  # which who only executes a plan seldom needs

        value = scalar(value)
    if isinstance(default, float) and type(value) is int:
        value = float(value)
    if isinstance(value, float) and not math.isfinite(value):
        message = f"parameter {name!r}: expected a finite number, got {value}"
        raise UsageError(message, code=Code.PARAMETER_OF_OTHER_TYPE)
    is_scalar = value is None or isinstance(value, str | int | float)
    if value is None or type(value) is type(default) or (default is None and is_scalar):
        return value  # type: ignore[return-value]  # one of the two types, or None
    kind = {"str": "text", "int": "a whole number", "float": "a number", "bool": "true or false"}
    expected = kind.get(type(default).__name__, "text, a number, or true or false")
    message = (
        f"parameter {name!r}: expected {expected}, like its default {_said(default)}, got {_said(value)}"
    )
    raise UsageError(message, code=Code.PARAMETER_OF_OTHER_TYPE)


def _said(value: object) -> str:
    """The value as a file has it."""
    return str(value).lower() if isinstance(value, bool) else "null" if value is None else repr(value)
