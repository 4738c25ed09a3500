"""The components of a low-code manifest as they are meant: references followed, and parameters handed down.

`$parameters` of a component hold for all below it: as fields that these do not have themselves, and as `{{ parameters.name }}`
(https://docs.airbyte.com/platform/connector-development/config-based/advanced-topics/parameters). In manifests of before 2023 they are
called `$options` and `options`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from windlass.errors import FatalError
from windlass.importing.documents import Tree
from windlass.importing.templates import constant_or, is_template

__all__ = ["resolved"]

_NAMED = re.compile(
    r"(?:parameters|options)(?:\.(?!get\b)(\w+)|\[\s*['\"]([\w-]+)['\"]\s*\]|\.get\(\s*['\"]([\w-]+)['\"]\s*(?:,[^()]*)?\))"
)
_EXPRESSION = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_COMPONENTS = {
    "retriever",
    "requester",
    "record_selector",
    "extractor",
    "paginator",
    "incremental_sync",
    "stream",
}
_FIELDS = {
    "name",
    "primary_key",
    "path",
    "url_base",
    "http_method",
    "field_path",
    "cursor_field",
    "parent_key",
}
_LEFT = {"schema_loader", "schema", "spec"}
_DEEPEST = 100

Parameters = Mapping[str, Any]


def resolved(
    tree: Tree, value: Any, given: Parameters | None = None, *, key: str = "", depth: int = 0
) -> Any:
    """The component without references and templates of parameters. Raises FatalError for one that contains itself."""
    if depth > _DEEPEST:
        raise FatalError(f"the component {key!r} of the manifest contains itself")
    value, given = tree.followed(value), given or {}
    if isinstance(value, list):
        return [resolved(tree, item, given, key=key, depth=depth + 1) for item in value]
    if isinstance(value, str):
        return _filled(value, given)
    if not isinstance(value, Mapping):
        return value
    own = {**given, **_parameters(tree, value)}
    found = {
        name: _left(tree, name, inner)
        if name in _LEFT
        else resolved(tree, inner, own, key=name, depth=depth + 1)
        for name, inner in value.items()
        if name not in ("$parameters", "$options")
    }
    if key in _COMPONENTS or "type" in value or not key:
        missing = [name for name in _FIELDS & own.keys() if found.get(name) in (None, "")]
        found |= {name: resolved(tree, own[name], own, key=name, depth=depth + 1) for name in missing}
    return found


def _left(tree: Tree, name: str, value: Any) -> Any:
    """What is not looked into: of a schema only which properties it has."""
    if name != "schema_loader":
        return value
    return {"schema": {"properties": tree.at(value, "schema", "properties")}}


def _parameters(tree: Tree, value: Mapping[str, Any]) -> dict[str, Any]:
    said = tree.followed(value.get("$parameters", value.get("$options"))) or {}
    return {name: tree.followed(inner) for name, inner in said.items()} if isinstance(said, Mapping) else {}


def _filled(text: str, given: Parameters) -> Any:
    """A text with the parameters in its templates; what is a constant then is that."""
    if not is_template(text) or not _NAMED.search(text):
        return text

    def named(match: re.Match[str]) -> str:
        return repr(given.get(match[1] or match[2] or match[3]))

    filled = _EXPRESSION.sub(lambda match: _NAMED.sub(named, match[0]), text)
    whole = constant_or(filled)
    if not isinstance(whole, str) or not is_template(whole):
        return whole
    return _EXPRESSION.sub(lambda match: str(constant_or(match[0])), filled)
