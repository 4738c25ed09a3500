"""The model of `windlass.yaml`, the file that makes a folder a project."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError

from windlass import registry
from windlass.options import Options
from windlass.spec.ends import models_of, options_model, plain
from windlass.spec.fields import Inside, LibraryName, Name, OneOrMany, Owner
from windlass.spec.model import Model, refusal
from windlass.spec.runtimes import Runtimes

__all__ = ["Connection", "Images", "Project", "ProjectImage"]

PYTHON, NODE = "python:3.12-slim", "node:22-slim"


def _known_type(value: str) -> str:
    connector = registry.find(value)
    if connector is None or connector.form is None:
        raise PydanticCustomError("literal_error", "{expected}", {"expected": ", ".join(registry.types())})
    return value


class _OneOfTheTypes:
    """Makes the JSON Schema of a type of connections."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"enum": registry.types()}


def _with_settings(schema: dict[str, Any]) -> None:
    """Make the JSON Schema of a connection: its own keys, and those of every type."""
    for model in models_of("Connection"):
        found = TypeAdapter(model).json_schema()
        schema["properties"] |= found["properties"]
    schema["additionalProperties"] = False


class _DevKeys:
    """Makes the JSON Schema of `dev`: what one of the types takes."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"anyOf": [TypeAdapter(model).json_schema() for model in models_of("DevService")]}


class Connection(Model):
    """A named endpoint, with what its type takes. Its address and secrets are found at run time, never written here."""

    model_config = ConfigDict(extra="allow", json_schema_extra=_with_settings)

    type: Annotated[str, AfterValidator(_known_type), _OneOfTheTypes()]
    """What is at the other end."""

    description: str = ""
    """What it is for; shown by `windlass connections`."""

    dev: Annotated[dict[str, Any], _DevKeys()] = Field(default_factory=dict)
    """How to set up the dev service that stands in for it: what its type takes."""

    @property
    def settings(self) -> dict[str, Any]:
        """The keys of its type, as plain values."""
        return self.model_extra or {}

    @model_validator(mode="before")
    @classmethod
    def _settings_by_its_type(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        rest = {str(key): inner for key, inner in value.items() if key not in cls.model_fields}
        models = _settings_of(value.get("type"))
        known = [field.encode_name for model in models for field in msgspec.structs.fields(model)]
        if unknown := [key for key in rest if key not in known]:
            raise _unknown_keys({key: rest[key] for key in unknown}, [*cls.model_fields, *known])
        own = {key: inner for key, inner in value.items() if key not in rest}
        return own | (plain(models[0], rest) if len(models) == 1 else {})

    @field_validator("dev", mode="plain")
    @classmethod
    def _read_by_its_type(cls, value: Any, info: ValidationInfo) -> dict[str, Any]:
        kind = info.data.get("type")
        model = options_model(kind, "DevService") if kind is not None else None
        if model is not None:
            return plain(model, value)
        if kind is not None and value:
            has_one = registry.require(kind).dev_service is not None
            raise refusal(
                f"the dev service of a {kind} connection takes no keys"
                if has_one
                else f"a {kind} connection has no dev service"
            )
        return {}


def _settings_of(kind: object) -> list[type[Options]]:
    """The models of the keys that a connection of the type takes; all that there are where the type is not known."""
    if isinstance(kind, str) and registry.find(kind) is not None:
        model = options_model(kind, "Connection")
        return [model] if model is not None else []
    return list(models_of("Connection"))


def _unknown_keys(found: dict[str, Any], known: list[str]) -> ValidationError:
    error = PydanticCustomError("extra_forbidden", "unknown key", {"known": known})
    lines = [InitErrorDetails(type=error, loc=(key,), input=value) for key, value in found.items()]
    return ValidationError.from_exception_data("connection", lines)


class ProjectImage(Model):
    """The image of the project itself: windlass, and what the project needs of it."""

    files: OneOrMany[Inside] = []
    """Files and folders of the project that are in it, such as scripts of commands that have no folder of their own."""


class Images(Model):
    """Where the images of the project go, for which machines they are built, and on what."""

    registry: str | None = None
    """The registry and namespace that image names begin with, such as `docker.io/acme`."""

    platforms: OneOrMany[str] = ["linux/amd64"]
    """The platforms to build for, such as `linux/amd64` and `linux/arm64`."""

    python: str = PYTHON
    """What the image of a Python step without a Dockerfile is based on."""

    node: str = NODE
    """What the image of a Node.js step without a Dockerfile is based on."""

    project: bool | ProjectImage = False
    """Whether the project has an image of its own, with windlass in it: `windlass build` builds it, exports name it, and the runtime `docker` executes `copy`, `sql`, `check` and the like in it."""

    sbom: bool | str = True
    """Whether an image that is pushed says what packages are in it (SPDX), where the builder can; or the image of the scanner that finds out, instead of Docker's from Docker Hub."""

    @property
    def of_project(self) -> ProjectImage | None:
        """What is said of the image of the project; None where it has none."""
        said = self.project
        return said if isinstance(said, ProjectImage) else ProjectImage() if said else None


class Project(Model):
    """A folder with pipelines and the connections that they use."""

    project: Name
    """The name of the project."""

    description: str = ""
    """What the project is for."""

    owner: Owner = ""
    """Who looks after its pipelines, such as a team."""

    connections: dict[Name, Connection] = Field(default_factory=dict)
    """The endpoints that the pipelines name."""

    pools: dict[Name, Annotated[int, Field(ge=1, le=2_147_483_647)]] = Field(default_factory=dict)
    """How many tasks of a pool may run at once. A task names its pool under `pool`."""

    libraries: dict[LibraryName, Inside] = Field(default_factory=dict)
    """Folders with code that several steps share, relative to the project, by the name that steps import them by."""

    images: Images | None = None
    """Where images go, and on what they are based."""

    runtimes: Runtimes = Runtimes()
    """What executes tasks, and how they become containers and pods."""

    targets: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """What the project is exported to, such as `kubernetes`, with options of `windlass export`: `windlass validate` checks that each of them can express every pipeline."""
