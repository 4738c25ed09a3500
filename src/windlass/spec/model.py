"""The base of every model in a pipeline or project file: frozen, strict, no unknown keys.

The docstring under an attribute is the documentation of that key: `windlass.spec.schema` puts it
into the JSON Schema, and so into editors and the manual.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticCustomError

__all__ = ["Model", "refusal"]


class Model(BaseModel):
    """A mapping in a file."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        populate_by_name=False,
    )


def refusal(message: str) -> PydanticCustomError:
    """The error that a validator raises to refuse a whole mapping.

    The message has each key of the mapping that it is about in backticks: where one of those is wrong by itself, this
    error is not told, which may only come from it.
    """
    return PydanticCustomError("refused", "{message}", {"message": message})
