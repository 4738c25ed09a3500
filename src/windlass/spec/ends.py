"""The ends of a copy in a pipeline file: what the connector of each takes, it knows itself.

Which connector that is follows from the connection, whose type stands in `windlass.yaml`, so a pipeline file is
read with the types of the project's connections at hand. What a connection takes that nobody has declared cannot
be known; that it is not declared is told elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import Struct
from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, TypeAdapter, ValidationError, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, PydanticKnownError
from pydantic_core import core_schema as cs

from windlass import registry
from windlass.errors import nearest
from windlass.options import Options
from windlass.spec.fields import Name

__all__ = ["CopyEnd", "OptionsOf", "Part", "models_of", "options_model", "plain"]

Part: TypeAlias = Literal["Source", "Destination", "Connection", "DevService"]
"""The name of a model in a connector's module of options."""

_WHERE = ["connection", "path"]
_name: TypeAdapter[str] = TypeAdapter(Name)


class CopyEnd(Struct, frozen=True):
    """`from` or `to`: a connection, or files; and what its connector takes, as plain values."""

    connection: str | None
    type: str | None
    """None where the connection is not declared; its options are then not looked at."""

    options: dict[str, Any]


class OptionsOf:
    """Makes a field of a model one that a connector reads: an end of a copy."""

    def __init__(self, part: Literal["Source", "Destination"]) -> None:
        self._part: Part = part

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return cs.with_info_plain_validator_function(self._end)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"anyOf": [_schema_of(kinds, model) for model, kinds in models_of(self._part).items()]}

    def _end(self, value: Any, info: ValidationInfo) -> CopyEnd:
        if not isinstance(value, dict):
            raise PydanticKnownError("dict_type")
        rest = {str(key): inner for key, inner in value.items()}
        connection = rest.pop("connection", None)
        if connection is None:
            if "path" not in rest:
                raise _neither(rest)
            return CopyEnd(None, registry.FILES, self._read(registry.FILES, rest))
        connection = _read_at("connection", _name, connection)
        kind = (info.context or {}).get(connection)
        return CopyEnd(connection, kind, self._read(kind, rest) if kind is not None else rest)

    def _read(self, kind: str, written: dict[str, Any]) -> dict[str, Any]:
        model = options_model(kind, self._part)
        return written if model is None else plain(model, written)


def plain(model: type[Options], written: Any) -> dict[str, Any]:
    """What stands in the file, read by the model, as plain values. Raises ValidationError."""
    read = _adapter(model).validate_python(written)
    values: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(read))
    return values


def options_model(kind: str, part: Part) -> type[Options] | None:
    """The model that the connector of a type has for an end, a connection or its dev service; None if it has none."""
    connector = registry.find(kind)
    if connector is None or connector.options is None:
        return None
    model: type[Options] | None = getattr(registry.load(connector.options), part, None)
    return model


def models_of(part: Part) -> Mapping[type[Options], list[str]]:
    """Every model of that name that there is, with the types of connectors that have it, files first."""
    has = {
        "Source": "source",
        "Destination": "destination",
        "Connection": "form",
        "DevService": "dev_service",
    }[part]
    found: dict[type[Options], list[str]] = {}
    kinds = [connector.type for connector in registry.all_connectors() if getattr(connector, has) is not None]
    for kind in sorted(kinds, key=lambda kind: kind != registry.FILES):
        if (model := options_model(kind, part)) is not None:
            found.setdefault(model, []).append(kind)
    return found


@cache
def _adapter(model: type[Options]) -> TypeAdapter[Options]:
    return TypeAdapter(model)


def _read_at(key: str, adapter: TypeAdapter[Any], value: Any) -> Any:
    """Read the value of one key. Raises ValidationError that says where it stands."""
    try:
        return adapter.validate_python(value)
    except ValidationError as exc:
        errors = [
            {"type": _error_type(error), "loc": (key, *error["loc"]), "input": error["input"]}
            for error in exc.errors()
        ]
        raise ValidationError.from_exception_data(exc.title, errors) from None  # type: ignore[arg-type]


def _neither(written: dict[str, Any]) -> PydanticCustomError | ValidationError:
    """The error that there is neither a connection nor a path, but perhaps one that is misspelt."""
    for key, value in written.items():
        if nearest(key, _WHERE):
            unknown = PydanticCustomError("extra_forbidden", "unknown key", {"known": _WHERE})
            return ValidationError.from_exception_data(
                "end", [{"type": unknown, "loc": (key,), "input": value}]
            )
    return PydanticCustomError("refused", "needs `path`, or `connection`")


def _error_type(error: Any) -> Any:
    known = error["type"] == "string_type"
    return error["type"] if known else PydanticCustomError(error["type"], error["msg"])


def _schema_of(kinds: list[str], model: type[Options]) -> JsonSchemaValue:
    """The JSON Schema of an end on connections of these types, or of files."""
    schema = _adapter(model).json_schema()
    if kinds == [registry.FILES]:
        return schema
    name = {**_name.json_schema(), "description": f"A connection of type {' or '.join(kinds)}."}
    required = ["connection", *schema.get("required", ())]
    return {**schema, "properties": {"connection": name, **schema["properties"]}, "required": required}
