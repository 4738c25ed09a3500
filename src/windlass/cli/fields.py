"""The fields of a struct as options of a command: declared once, with type, default and docstring."""

from __future__ import annotations

import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import click
from msgspec import NODEFAULT, Struct, structs

from windlass.attribute_docs import attribute_docs

__all__ = ["options_of"]


def options_of(struct: type[Struct]) -> list[click.Option]:
    """An option for each field, `--like-this` for `like_this`."""
    docs, hints = attribute_docs(struct), get_type_hints(struct)
    return [
        click.Option(
            [f"--{field.name.replace('_', '-')}"],
            help=" ".join(docs.get(field.name, "").split()),
            **dict(_kind(hints[field.name])),
            **_default(field),
        )
        for field in structs.fields(struct)
    ]


def _default(field: structs.FieldInfo) -> dict[str, Any]:
    if field.default is NODEFAULT:
        return {"required": field.default_factory is NODEFAULT}
    return {"default": field.default, "show_default": field.default not in (None, False)}


def _kind(hint: Any) -> Iterator[tuple[str, Any]]:
    """What click calls the type of an option."""
    if get_origin(hint) in (Union, types.UnionType):
        (hint,) = (member for member in get_args(hint) if member is not type(None))
    if get_origin(hint) is Literal:
        yield "type", click.Choice(get_args(hint))
    elif hint is bool:
        yield "is_flag", True
    elif hint is Path:
        yield "type", click.Path(path_type=Path)
    else:
        yield "type", hint
