"""The small value types of a pipeline file: names, times, lists that may be one value."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, date, datetime
from math import inf
from pathlib import PurePosixPath
from typing import Annotated, TypeAlias, TypeVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    GetJsonSchemaHandler,
    PlainSerializer,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from windlass.registry import RUNTIMES
from windlass.units import DURATION_PATTERN, parse_duration

__all__ = [
    "BadRows",
    "FilledName",
    "Group",
    "Header",
    "Inside",
    "LibraryName",
    "Lookback",
    "Name",
    "OneOrMany",
    "Owner",
    "Runtime",
    "RuntimeOrTemplate",
    "Sha256",
    "Start",
    "Tag",
    "Variable",
]

T = TypeVar("T")

_NAME_PATTERN = r"^[A-Za-z_][A-Za-z0-9_-]{0,99}$"
_LIBRARY_PATTERN = r"^[a-z][a-z0-9_-]{0,99}$"
_INSIDE_PATTERN = r"^[^/]"
_HEADER_PATTERN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # RFC 9110, section 5.1
_GROUP_PATTERN = r"^[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z_][A-Za-z0-9_-]*)*$"
_LONGEST_GROUP = 200  # in Airflow, whose ids have `__` for a dot
_FIRST_START, _LAST_START = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)  # in every zone
_BAD_ROWS_PATTERN = r"^\d+(\.\d+)?%$"
_SHA256_PATTERN = r"^[0-9a-fA-F]{64}$|\{\{"


def _name(value: str) -> str:
    if not re.search(_NAME_PATTERN, value) or value.endswith("\n"):
        raise (
            PydanticCustomError(
                "name", "expected a name of letters, digits, '_' and '-' that begins with a letter"
            )
            if len(value) <= 100
            else PydanticCustomError(
                "name", "expected a name of at most 100 characters, got {length}", {"length": len(value)}
            )
        )
    return value


def _library(value: str) -> str:
    if not re.search(_LIBRARY_PATTERN, value) or value.endswith("\n"):
        raise PydanticCustomError(
            "library", "expected a name of small letters, digits, '_' and '-' that begins with a letter"
        )
    return value


def _inside(value: str) -> str:
    path = PurePosixPath(value)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise PydanticCustomError("inside", "expected a path below the project, such as libraries/etl")
    return str(path)


def _variable(value: str) -> str:
    if not value or "=" in value:
        raise PydanticCustomError("variable", "expected the name of an environment variable, without '='")
    return value


def _header(value: str) -> str:
    if not re.fullmatch(_HEADER_PATTERN, value):
        raise PydanticCustomError("header", "expected the name of an HTTP header, such as Accept")
    return value


def _group(value: str) -> str:
    if not re.search(_GROUP_PATTERN, value) or value.endswith("\n"):
        raise PydanticCustomError(
            "group", "expected a name such as load, or load.raw for a group inside another"
        )
    if (length := len(value) + value.count(".")) > _LONGEST_GROUP:
        raise PydanticCustomError(
            "group",
            "expected at most {most} characters, each dot counted twice, got {length}",
            {"most": _LONGEST_GROUP, "length": length},
        )
    return value


def _start(value: object) -> datetime:
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            pass
        else:
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            if not _FIRST_START <= moment <= _LAST_START:
                raise PydanticCustomError(
                    "start", "expected a date that every calendar has, from year 1 to year 9999"
                )
            return moment
    raise PydanticCustomError(
        "start", "expected a date or time such as 2021-10-02, got {got}", {"got": repr(value)}
    )


def _bad_rows(value: object) -> int | str:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str) and re.fullmatch(_BAD_ROWS_PATTERN, value):
        return value
    raise PydanticCustomError(
        "bad_rows", "expected a number of rows or a share such as 1%, got {got}", {"got": repr(value)}
    )


def _lookback(value: object) -> int | float | str:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < inf:
        return value
    if isinstance(value, str):
        with suppress(ValueError):
            parse_duration(value)
            return value
    raise PydanticCustomError(
        "lookback", "expected a duration such as 1h, or a positive number, got {got}", {"got": repr(value)}
    )


def _sha256(value: str) -> str:
    if not re.search(_SHA256_PATTERN, value):
        raise PydanticCustomError("sha256", "expected 64 hexadecimal digits, got {got}", {"got": repr(value)})
    return value


def _runtime(value: str) -> str:
    if not RUNTIMES.has(value):
        raise PydanticCustomError("literal_error", "{expected}", {"expected": ", ".join(RUNTIMES.names())})
    return value


def _runtime_or_template(value: str) -> str:
    return value if "{{" in value else _runtime(value)  # what becomes of a template, the compiler looks at


class _OneOfTheRuntimes:
    """Makes the JSON Schema of the name of a runtime."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"enum": RUNTIMES.names()}


class _OrTemplate:
    """Makes a JSON Schema also accept a template."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"anyOf": [handler(schema), {"type": "string", "pattern": r"\{\{"}]}


def _list(value: object) -> object:
    return value if isinstance(value, list) else [value]


class _OrOneItem:
    """Makes the JSON Schema of a list also accept one of its items."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        array = handler(schema)
        return {"anyOf": [array, array["items"]]}


Name: TypeAlias = Annotated[
    str, AfterValidator(_name), WithJsonSchema({"type": "string", "pattern": _NAME_PATTERN})
]
"""Letters, digits, `_` and `-`; safe in a file name, an environment variable and a DAG id."""

FilledName: TypeAlias = Annotated[
    str, AfterValidator(_name), WithJsonSchema({"type": "string", "pattern": rf"{_NAME_PATTERN}|\{{\{{"})
]
"""The same; in a file with `for_each` a template that gives one."""

LibraryName: TypeAlias = Annotated[
    str, AfterValidator(_library), WithJsonSchema({"type": "string", "pattern": _LIBRARY_PATTERN})
]
"""What code imports a shared folder by, and a Dockerfile a stage."""

Inside: TypeAlias = Annotated[
    str, AfterValidator(_inside), WithJsonSchema({"type": "string", "pattern": _INSIDE_PATTERN})
]
"""A folder below the project, relative to it."""

Variable: TypeAlias = Annotated[
    str, AfterValidator(_variable), WithJsonSchema({"type": "string", "pattern": "^[^=]+$"})
]
"""The name of an environment variable."""

Header: TypeAlias = Annotated[
    str, AfterValidator(_header), WithJsonSchema({"type": "string", "pattern": f"^{_HEADER_PATTERN}$"})
]
"""The name of an HTTP header."""

Group: TypeAlias = Annotated[
    str, AfterValidator(_group), WithJsonSchema({"type": "string", "pattern": _GROUP_PATTERN})
]
"""Names with dots between them: the last group is inside the one before it."""

Tag: TypeAlias = Annotated[str, Field(min_length=1, max_length=100)]
"""A word to find pipelines by; Airflow allows 100 characters."""

Owner: TypeAlias = Annotated[str, Field(max_length=100)]
"""A person or a team, or several with commas between them."""

Start: TypeAlias = Annotated[
    datetime,
    BeforeValidator(_start),
    PlainSerializer(datetime.isoformat),
    WithJsonSchema({"type": "string", "examples": [date(2021, 10, 2).isoformat()]}),
]
"""A date or an ISO 8601 time; UTC unless it says otherwise."""

BadRows: TypeAlias = Annotated[
    int | str,
    BeforeValidator(_bad_rows),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 0}, {"pattern": _BAD_ROWS_PATTERN}]}),
]
"""A number of rows, or a share of those read such as `1%`."""

Lookback: TypeAlias = Annotated[
    int | float | str,
    BeforeValidator(_lookback),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "exclusiveMinimum": 0},
                {"type": "string", "pattern": DURATION_PATTERN},
            ]
        }
    ),
]
"""A duration such as `1h`, or a positive number."""

Runtime: TypeAlias = Annotated[str, AfterValidator(_runtime), _OneOfTheRuntimes()]
"""The name of a runtime, ours or of a package that is installed."""

RuntimeOrTemplate: TypeAlias = Annotated[
    str, AfterValidator(_runtime_or_template), _OneOfTheRuntimes(), _OrTemplate()
]
"""The same, or a template that gives one."""

Sha256: TypeAlias = Annotated[
    str, AfterValidator(_sha256), WithJsonSchema({"type": "string", "pattern": _SHA256_PATTERN})
]
"""A SHA-256 in hexadecimal, or a template that gives one."""

OneOrMany: TypeAlias = Annotated[list[T], BeforeValidator(_list), _OrOneItem()]
"""A list that may also be written as its only value."""
