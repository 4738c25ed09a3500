"""JSON Schema validation of single rows (https://json-schema.org), by the jsonschema-rs library."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from windlass.errors import FatalError, extra

__all__ = ["compiled"]


def compiled(schema: dict[str, Any]) -> Callable[[Any], tuple[str, str | None] | None]:
    """A function from a row to (what is wrong with it, the column) or None. Raises FatalError for a bad schema."""
    with extra("validating by JSON Schema", "json-schema"):
        import jsonschema_rs
    try:
        validator = jsonschema_rs.validator_for(schema)
    except jsonschema_rs.ValidationError as exc:
        raise FatalError(f"the JSON Schema is not valid: {exc.message}") from exc

    def first_error(row: Any) -> tuple[str, str | None] | None:
        if validator.is_valid(row):
            return None
        wrong = next(iter(validator.iter_errors(row)))
        column = str(wrong.instance_path[0]) if wrong.instance_path else None
        return wrong.message, column

    return first_error
