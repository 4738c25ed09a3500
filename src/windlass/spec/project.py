"""The model of `windlass.yaml`, the file that makes a folder a project."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from windlass import registry
from windlass.spec.fields import Name, OneOrMany
from windlass.spec.model import Model, refuse
from windlass.spec.runtimes import Runtimes

__all__ = ["Connection", "DevService", "Images", "Project"]


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


class DevService(Model):
    """The throw-away server that stands in for a connection which is not configured."""

    init: OneOrMany[str] = []
    """SQL files, relative to the project, run once in this order when the dev service is new."""

    serve: str | None = None
    """For `http`: the folder, relative to the project, whose files are served."""


class Connection(Model):
    """A named endpoint. Its address and secrets are found at run time, never written here."""

    type: Annotated[str, AfterValidator(_known_type), _OneOfTheTypes()]
    """What is at the other end."""

    description: str = ""
    """What it is for; shown by `windlass connections`."""

    dev: DevService = DevService()
    """How to set up the dev service that stands in for it."""

    @model_validator(mode="after")
    def _dev_service_fits(self) -> Self:
        for key in self.dev.model_fields_set - set(registry.require(self.type).dev_keys):
            raise refuse(f"the dev service of a {self.type} connection has no `{key}`")
        return self


class Images(Model):
    """Where the images of the project go, and for which machines they are built."""

    registry: str
    """The registry and namespace that image names begin with, such as `docker.io/acme`."""

    platforms: OneOrMany[str] = ["linux/amd64"]
    """The platforms to build for, such as `linux/amd64` and `linux/arm64`."""


class Project(Model):
    """A folder with pipelines and the connections that they use."""

    project: Name
    """The name of the project."""

    description: str = ""
    """What the project is for."""

    connections: dict[Name, Connection] = Field(default_factory=dict)
    """The endpoints that the pipelines name."""

    pools: dict[Name, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)
    """How many tasks of a pool may run at once. A task names its pool under `pool`."""

    images: Images | None = None
    """Where images go."""

    runtimes: Runtimes = Runtimes()
    """How tasks become containers and pods where they are exported so."""
