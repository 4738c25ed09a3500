"""What a recording says: requests to an API, each with its answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, TypeAdapter, ValidationError

from windlass.errors import Code, FatalError
from windlass.recordings.matchers import TAGS
from windlass.spec.model import Model
from windlass.spec.yaml import read

__all__ = ["Interaction", "Request", "Response", "read_recording"]


class Request(Model):
    """A request to an API, as far as it matters."""

    method: str = "GET"
    """In capitals."""

    path: str | None = None
    """Without parameters. Default: any."""

    query: dict[str, Any] | None = None
    """All of its parameters. Default: any."""

    headers: dict[str, Any] = {}
    """Headers that it has, among others."""

    json_: Any = Field(default=None, alias="json")
    """Its body, as JSON."""


class Response(Model):
    """What a recorded API answers. `{{ url }}` in it is the address of that API."""

    status: int = Field(default=200, ge=100, le=599)
    """The status of the answer."""

    headers: dict[str, str] = {}
    """Headers of the answer."""

    json_: Any = Field(default=None, alias="json")
    """The body, as JSON."""

    text: str | None = None
    """The body, as text."""

    file: str | None = None
    """A file of the project that is the body."""


class Interaction(Model):
    """A request to an API with its answer; one that comes again gets the next that fits, or the last."""

    request: Request = Request()
    """The request. Default: any GET."""

    response: Response
    """The answer."""


_INTERACTIONS = TypeAdapter(list[Interaction])


def read_recording(project: Path, file: str) -> list[Interaction]:
    """The interactions of a YAML file of the project. Raises SpecError and FatalError for what is wrong with it."""
    document = read(project / file, file, TAGS)
    try:
        return _INTERACTIONS.validate_python(document.value)
    except ValidationError as exc:
        first: Any = exc.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise FatalError(f"{file}: {where}: {first['msg'].lower()}", code=Code.WRONG_FORM) from exc
