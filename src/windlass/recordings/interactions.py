"""What a recording says: requests to an API, each with its answer."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from windlass.errors import Code, FatalError, Problem, SpecError, reason_of
from windlass.recordings.matchers import TAGS
from windlass.spec.model import Model
from windlass.spec.validation import problem_of
from windlass.spec.yaml import read

__all__ = ["Interaction", "Request", "Response", "check_bodies", "read_named", "read_recording"]


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


def read_named(project: Path, name: str) -> bytes:
    """What a file of the project has that a case or a recording names. Raises FatalError where it cannot be read."""
    try:
        return (project / name).read_bytes()
    except OSError as exc:
        raise FatalError(f"cannot read {name!r}: {reason_of(exc)}", code=Code.NAMED_FILE) from exc


def check_bodies(project: Path, interactions: Iterable[Interaction]) -> None:
    """Raises FatalError for a file that shall be a body, and cannot be read."""
    for interaction in interactions:
        if interaction.response.file is not None:
            read_named(project, interaction.response.file)


def read_recording(project: Path, file: str) -> list[Interaction]:
    """The interactions of a YAML file of the project. Raises SpecError and FatalError for what is wrong with it."""
    document = read(project / file, file, TAGS)
    if not isinstance(document.value, list):
        raise SpecError(
            [document.problem((), Code.WRONG_TYPE, "expected a list of requests, each with its `response`")]
        )
    found, problems = list[Interaction](), list[Problem](document.problems)
    for i, value in enumerate(document.value):
        try:
            found.append(Interaction.model_validate(value))
        except ValidationError as exc:
            part = document.part(i)
            problems.extend(problem_of(Interaction, part, error) for error in exc.errors())
    if problems:
        raise SpecError(problems)
    try:
        check_bodies(project, found)
    except FatalError as exc:
        raise FatalError(f"{file}: {exc.message}", code=exc.code) from exc
    return found
