"""Options: a key of a YAML file is declared once, where it is used.

A connector declares the keys that its ends take in a pipeline file, and its dev service in `windlass.yaml`, as a
struct; the text under an attribute is the key's documentation. From that one declaration come the validation of a file
with the place of each problem, the JSON Schema, the pages of the reference, the defaults, and the object that the
connector gets when it runs.

pydantic reads files, and is slow to import; a task that runs only converts. So it is imported here in the
methods that pydantic itself calls, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    NamedTuple,
    TypeAlias,
    TypeVar,
    dataclass_transform,
    get_args,
    get_type_hints,
)

import msgspec
from msgspec import Struct, StructMeta

from windlass.attribute_docs import attribute_docs
from windlass.errors import FatalError, WindlassError
from windlass.units import DURATION_PATTERN, SIZE_PATTERN, parse_duration, parse_size
from windlass.workspace import (
    bucket_and_key,
    is_stored,
    local_path,
    require_not_of_project,
    require_writable,
)

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic_core import CoreSchema

__all__ = [
    "Character",
    "Duration",
    "FileOfRows",
    "FilePath",
    "FileToRead",
    "FileToWrite",
    "Many",
    "Minimum",
    "Misfit",
    "OneOrMany",
    "Options",
    "Size",
    "documentation",
    "read_options",
]

T = TypeVar("T")
O = TypeVar("O", bound="Options")


class _AllByKeyword(StructMeta):
    """Has every field given by its name, as in a file, so that a subclass may add one without a default."""

    def __new__(mcls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **config: Any) -> Any:
        return super().__new__(mcls, name, bases, namespace, **{"kw_only": True, **config})


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class Options(Struct, metaclass=_AllByKeyword, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A mapping in a file. Keys that it does not declare are refused."""

    def refusal(self) -> str | None:
        """What is wrong with the keys taken together. May raise FatalError instead, which has a hint, or a code.

        It is asked at `validate`, too, where a value may still have templates, of which nothing is known.
        """
        return None

    def refusal_unseen(self) -> str | None:
        """What else is wrong as far as the keys tell, for `validate`. A run finds it out by itself, and better, because it
        has looked at what is there.
        """
        return None

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import PydanticCustomError
        from pydantic_core import core_schema as cs

        known = msgspec.structs.fields(cls)
        hints = get_type_hints(cls, include_extras=True)
        names = {field.encode_name: field.name for field in known}

        def unknown(_: object) -> object:
            raise PydanticCustomError("extra_forbidden", "unknown key", {"known": sorted(names)})

        def make(values: dict[str, Any]) -> Options:
            made = cls(**{names[key]: value for key, value in values.items()})
            try:
                why, told = made.refusal() or made.refusal_unseen(), {}
            except FatalError as exc:
                why, told = exc.message, _told_with(exc)
            if why is not None:
                raise PydanticCustomError("refused", "{message}", {"message": why, **told})
            return made

        fields = {
            field.encode_name: cs.typed_dict_field(
                handler.generate_schema(hints[field.name]), required=field.required
            )
            for field in known
        }
        mapping = cs.typed_dict_schema(
            fields,
            extra_behavior="allow",
            extras_schema=cs.no_info_after_validator_function(unknown, cs.any_schema()),
            cls_name=cls.__name__,
            config={"strict": True, "title": cls.__name__},
        )
        return cs.no_info_after_validator_function(make, mapping)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        found = dict(handler(schema), additionalProperties=False)
        texts, defaults = documentation(cls), _defaults(cls)
        properties = found.setdefault("properties", {})
        for key, value in properties.items():
            properties[key] = {**value, "description": texts[key]}
            if key in defaults:
                properties[key]["default"] = defaults[key]
        return found


class Misfit(NamedTuple):
    """Why an end of a copy does not go with its connection."""

    key: str
    """The key of the end."""

    message: str
    hint: str


def _told_with(error: WindlassError) -> dict[str, Any]:
    """What an error says beside its message, for the problem that is made of it."""
    code = error.code if error.code is not type(error).code else None
    return {key: value for key, value in (("hint", error.hint), ("code", code)) if value is not None}


def read_options(model: type[O], written: Mapping[str, Any]) -> O:
    """The options that a plan or a command says. Raises FatalError for what the model does not take."""
    try:
        made = msgspec.convert(written, model)
    except msgspec.ValidationError as exc:
        raise FatalError(str(exc)) from exc
    for each in _with_inner(made):
        if (why := each.refusal()) is not None:
            raise FatalError(why)
    return made


def _with_inner(options: Options) -> Iterator[Options]:
    """Options, and those that are values of theirs; inner ones first, as when a file is read."""
    for value in msgspec.structs.astuple(options):
        several = (
            value if isinstance(value, tuple) else value.values() if isinstance(value, dict) else (value,)
        )
        for inner in several:
            if isinstance(inner, Options):
                yield from _with_inner(inner)
    yield options


# --- documentation ----------------------------------------------------------------------------------


def documentation(model: type[Options]) -> dict[str, str]:
    """What each key means: key to docstring, own keys before inherited ones."""
    texts: dict[str, str] = {}
    for cls in model.__mro__:
        if issubclass(cls, Options) and cls is not Options:
            texts = {**texts, **{k: text for k, text in attribute_docs(cls).items() if k not in texts}}
    names = {field.name: field.encode_name for field in msgspec.structs.fields(model)}
    return {names[name]: text for name, text in texts.items() if name in names}


def _defaults(cls: type[Options]) -> dict[str, Any]:
    """The defaults that are worth saying."""
    said = {field.encode_name: field.default for field in msgspec.structs.fields(cls)}
    return {key: value for key, value in said.items() if isinstance(value, str | int | float) and value != ""}


# --- the types of values ----------------------------------------------------------------------------


class _Read:
    """How a value is read from what stands in the file, and what it looks like there.

    With nothing `expected` it is text, and what is wrong with it the reader says.
    """

    def __init__(self, read: Callable[[Any], object], expected: str, schema: dict[str, Any]) -> None:
        self._read, self._expected, self._schema = read, expected, schema

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import core_schema as cs

        return cs.no_info_plain_validator_function(self._value)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return self._schema

    def _value(self, value: object) -> object:
        from pydantic_core import PydanticCustomError, PydanticKnownError

        if not self._expected and not isinstance(value, str):
            raise PydanticKnownError("string_type")
        try:
            return self._read(value)
        except (ValueError, TypeError, AttributeError):
            message = f"expected {self._expected}, got {{got}}"
            raise PydanticCustomError("value", message, {"got": repr(value)}) from None
        except FatalError as exc:
            raise PydanticCustomError("value", "{why}", {"why": exc.message, **_told_with(exc)}) from None


class _Items:
    """A list; with `or_one` also its only item by itself. It is a tuple afterwards."""

    def __init__(self, *, or_one: bool) -> None:
        self._or_one = or_one

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import core_schema as cs

        items = cs.list_schema(handler.generate_schema(get_args(source)[0]), strict=True)
        made = cs.no_info_after_validator_function(tuple, items)
        return cs.no_info_before_validator_function(_as_list, made) if self._or_one else made

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        array = handler(schema)
        return {"anyOf": [array, array["items"]]} if self._or_one else array


class Minimum:
    """A number that is not less than this one."""

    def __init__(self, least: int) -> None:
        self._least = least

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return {**handler(source), "ge": self._least}


def _as_list(value: object) -> object:
    return value if isinstance(value, list) else [value]


def _one_character(value: str) -> str:
    if len(value) != 1:
        raise FatalError(f"expected exactly one character, got {value!r}")
    return value


def _file_to_read(value: str) -> str:
    return value if value.lower().startswith(("http://", "https://")) else _file_or_object(value)


def _file_to_write(value: str) -> str:
    require_writable(value)
    return _file_or_object(value)


def _file_or_object(value: str) -> str:
    if not is_stored(value):
        return _file_path(value)
    if "{{" not in value:
        bucket_and_key(value)
    return value


def _file_of_rows(value: str) -> str:
    _file_to_write(value)
    if not is_stored(value) and "{{" not in value:
        require_not_of_project(local_path(value))
    return value


def _file_path(value: str) -> str:
    written, template, _ = value.partition("{{")
    if written == "-" and not template:
        raise FatalError("`-` is standard output only for `windlass copy`; a file of that name is ./-")
    local_path(written)
    return value


Duration: TypeAlias = Annotated[
    float,
    _Read(
        parse_duration,
        "a duration such as 30s, 5m or 1h30m",
        {"type": "string", "pattern": DURATION_PATTERN, "examples": ["30s", "1h30m"]},
    ),
]
"""Seconds, written as `30s`, `5m`, `1h30m`, `250ms` or `2d`."""

Size: TypeAlias = Annotated[
    int,
    _Read(
        parse_size,
        "a size such as 512MB or 1.5GB",
        {"type": "string", "pattern": SIZE_PATTERN, "examples": ["512MB"]},
    ),
]
"""Bytes, written as `512MB` or `1.5GB`; powers of ten."""

Character: TypeAlias = Annotated[
    str, _Read(_one_character, "", {"type": "string", "minLength": 1, "maxLength": 1})
]
"""A single character."""

FilePath: TypeAlias = Annotated[str, _Read(_file_path, "", {"type": "string"})]
"""The path of a file: relative to the workspace, absolute, or `file:///…`."""

FileToRead: TypeAlias = Annotated[str, _Read(_file_to_read, "", {"type": "string"})]
"""The path of a file that is read, here or in a store of objects, or its address on a web server."""

FileToWrite: TypeAlias = Annotated[str, _Read(_file_to_write, "", {"type": "string"})]
"""The path of a file that is written, here or in a store of objects."""

FileOfRows: TypeAlias = Annotated[str, _Read(_file_of_rows, "", {"type": "string"})]
"""The path of a file that rows are written to, here or in a store: none that the project itself is made of."""

Many: TypeAlias = Annotated[tuple[T, ...], _Items(or_one=False)]
"""A list."""

OneOrMany: TypeAlias = Annotated[tuple[T, ...], _Items(or_one=True)]
"""A list that may also be written as its only value."""
