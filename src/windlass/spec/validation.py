"""What is wrong with a document, in words, where its model says so in pydantic's."""

from __future__ import annotations

import copy
import types
from dataclasses import replace
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from windlass.errors import Code, Problem, did_you_mean, near_word, nearest
from windlass.spec.model import Model
from windlass.spec.yaml import Document, KeyPath

__all__ = ["as_text_where_wanted", "near_key", "path_of", "problem_of"]

_KINDS_OF_VALUE = {
    "string_type": "text",
    "text_or_reference": "text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}

_TEXT = ("string_type", "text_or_reference")

_LIMITS = {  # what pydantic calls it: how we say it, and where the limit is
    "greater_than_equal": ("at least", "ge"),
    "less_than_equal": ("at most", "le"),
}


def path_of(error: ErrorDetails) -> KeyPath:
    """Where the error is, in the document."""
    return tuple(part for part in error["loc"] if part not in ("[key]", "[text]", "[mapping]"))


def problem_of(model: type[Model], document: Document, error: ErrorDetails) -> Problem:
    """What the error says, and what to do about it."""
    path, kind = path_of(error), error["type"]
    name = _name(path, document)
    where = f" in {_dotted(path[:-1])}" if len(path) > 1 else ""
    if kind == "extra_forbidden":
        name = str(path[-1])
        hint = did_you_mean(name, _keys_instead(model, error))
        return document.problem(
            path, Code.UNKNOWN_KEY, f"unknown key {name!r}{where}", hint=hint, at_key=True
        )
    if kind == "missing":
        message = f"{_dotted(path[:-1]) or 'the file'} needs the key {str(path[-1])!r}"
        return document.problem(path[:-1], Code.MISSING_KEY, message, at_key=True)
    if kind == "literal_error":
        expected = str(error.get("ctx", {}).get("expected", ""))
        got = error["input"]
        known = [word.strip(" '") for word in expected.replace(" or ", ",").split(",")]
        hint = near_word(got, known) if isinstance(got, str) else None
        message = f"{name}: expected {expected}, got {_describe(got)}"
        return document.problem(path, Code.UNKNOWN_WORD, message, hint=hint)
    if kind in _KINDS_OF_VALUE:
        message = f"{name}: expected {_KINDS_OF_VALUE[kind]}, got {_describe(error['input'])}"
        hint = "put it in quotes to make it text" if kind in _TEXT else None
        hint = hint if _is_scalar(error["input"]) else None
        return document.problem(path, Code.WRONG_TYPE, message, hint=hint)
    if kind == "too_short":
        return document.problem(path, Code.OUT_OF_RANGE, f"{name}: expected at least one, got none")
    if kind in _LIMITS:
        wording, limit = _LIMITS[kind]
        least = error.get("ctx", {}).get(limit)
        message = f"{name}: expected {wording} {least}, got {_describe(error['input'])}"
        return document.problem(path, Code.OUT_OF_RANGE, message)
    at_key, told = "[key]" in error["loc"] or kind == "refused", error.get("ctx", {})
    code = told.get("code") or (Code.KEYS_DO_NOT_FIT if kind == "refused" else Code.WRONG_FORM)
    is_ours = kind in ("refused", "value")
    message = error["msg"] if is_ours else _lower_first(error["msg"])
    message = f"{name}: {message}" if name else message
    return document.problem(path, code, message, hint=told.get("hint"), at_key=at_key)


def as_text_where_wanted(document: Document, exc: ValidationError) -> Document | None:
    """The document with the numbers that entries have put where text is wanted as that text, as in a longer template.

    None where there are no such numbers. What is written as a number stays one: it may be a mistake, such as 1.10.
    """
    wrong = [error for error in exc.errors() if error["type"] in _TEXT and _is_scalar(error["input"])]
    paths = [path for path in map(path_of, wrong) if document.is_template(path)]
    if not paths:
        return None
    value: Any = copy.deepcopy(document.value)
    for *parents, key in paths:
        part = value
        for parent in parents:
            part = part[parent]
        part[key] = str(part[key])
    return replace(document, value=value)


def _name(path: KeyPath, document: Document) -> str:
    """What a message calls the value: its key, with the place in a list that is written as one."""
    while path and path not in document.marks:
        path = path[:-1]
    places = ""
    while path and isinstance(path[-1], int):
        path, places = path[:-1], f"[{path[-1]}]{places}"
    return f"{path[-1]}{places}" if path else ""


def near_key(model: type[Model], error: ErrorDetails) -> str | None:
    """The key that may have been meant by one that is not known."""
    return nearest(str(path_of(error)[-1]), _keys_instead(model, error))


def _keys_instead(model: type[Model], error: ErrorDetails) -> list[str]:
    """The keys that are known where one is not."""
    known: list[str] | None = error.get("ctx", {}).get("known")
    return known or _keys_at(model, path_of(error)[:-1])


def _keys_at(model: type[Model], path: KeyPath) -> list[str]:
    """The keys that the model at the end of `path` knows, by walking the annotations."""
    annotation: Any = model
    for part in path:
        annotation = _step(annotation, part)
    found = _model_in(annotation)
    return [f.alias or n for n, f in found.model_fields.items()] if found else []


def _step(annotation: Any, part: str | int) -> Any:
    if (found := _model_in(annotation)) is not None:
        fields = {f.alias or n: f for n, f in found.model_fields.items()}
        return fields[str(part)].annotation if part in fields else None
    for option in _options(annotation):
        if get_origin(option) in (dict, list):
            return get_args(option)[-1]
    return None


def _options(annotation: Any) -> list[Any]:
    """The members of a union, with `Annotated` taken off; a single type is its own only member."""
    if get_origin(annotation) is Annotated:
        return _options(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return [inner for member in get_args(annotation) for inner in _options(member)]
    return [annotation]


def _model_in(annotation: Any) -> type[Model] | None:
    for option in _options(annotation):
        if isinstance(option, type) and issubclass(option, Model):
            return option
    return None


def _dotted(path: KeyPath) -> str:
    return ".".join(str(part) for part in path)


def _is_scalar(value: object) -> bool:
    return value is not None and not isinstance(value, dict | list)


def _describe(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value!r}"


def _lower_first(message: str) -> str:
    return message[:1].lower() + message[1:]
