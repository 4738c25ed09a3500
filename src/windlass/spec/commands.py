"""The models of `run` and `service`: a command of the user's, in an image or in an environment of its own."""

from __future__ import annotations

from typing import Annotated, Literal, Self, TypeAlias

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    GetJsonSchemaHandler,
    model_validator,
)
from pydantic import Tag as Option
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from windlass.options import Duration, Size
from windlass.spec.fields import Name, OneOrMany, RuntimeOrTemplate, Variable
from windlass.spec.model import Model, refusal

__all__ = ["Build", "Command", "Part", "Reference", "Run", "Service", "StepResources"]

_PLATFORM = r"^[a-z0-9]+/[a-z0-9_]+(/[a-z0-9]+)?$|\{\{"
_ABSOLUTE = r"^/"

Part: TypeAlias = Literal["host", "port", "user", "password", "database"]
"""A part of the address of a connection."""


class Build(Model):
    """How the image of a step is built."""

    context: str
    """The folder that the image is built from, relative to the project."""

    dockerfile: str = "Dockerfile"
    """The Dockerfile, relative to `context`. As a process, the step runs in its folder. Where there is none, one is generated for a Python or Node.js step."""

    target: str | None = None
    """The stage of the Dockerfile to build. Default: the last one."""

    args: dict[str, str] = Field(default_factory=dict)
    """Build arguments; no secrets."""


def _context(value: object) -> object:
    return {"context": value} if isinstance(value, str) else value


class _OrText:
    """Makes the JSON Schema of a mapping also accept text."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"anyOf": [{"type": "string"}, handler(schema)]}


class Reference(Model):
    """The value of an environment variable that stands elsewhere: a connection, a part of one, or a secret."""

    connection: Name | None = None
    """The connection whose address it is."""

    part: Part | None = None
    """The part of its address. Default: all of it, as a URI."""

    secret: Name | None = None
    """The secret whose value it is: `WINDLASS_SECRET_<NAME>` in the environment or in `.env`, or a file in `/run/secrets`."""

    key: Annotated[str, Field(pattern=r"^[-._a-zA-Z0-9]+$")] | None = None
    """The key in the secret, where that has several: `WINDLASS_SECRET_<NAME>_<KEY>`, or a file in `/run/secrets/NAME`."""

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.connection is None) == (self.secret is None):
            raise refusal("needs exactly one of `connection` and `secret`")
        if self.part is not None and self.connection is None:
            raise refusal("`part` is of a `connection`")
        if self.key is not None and self.secret is None:
            raise refusal("`key` is of a `secret`")
        return self


def _form(value: object) -> str | None:
    if isinstance(value, str):
        return "[text]"
    return "[mapping]" if isinstance(value, dict | Reference) else None


_Value: TypeAlias = Annotated[
    Annotated[str, Option("[text]")] | Annotated[Reference, Option("[mapping]")],
    Discriminator(
        _form,
        custom_error_type="text_or_reference",
        custom_error_message="expected text, or a mapping with `connection` or `secret`",
    ),
]


class StepResources(Model):
    """What a container may use."""

    memory: Size | None = None
    """How much memory it may use; what takes more is killed."""

    cpus: Annotated[float, Field(gt=0)] | None = None
    """The share of processors that it gets, such as `1.5`."""


class Command(Model):
    """What `run` and `service` have in common: a command, and what it finds around it."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [{"required": [key]} for key in ("command", "build", "image")],
            "not": {"required": ["build", "image"]},
        }
    )

    build: Annotated[Build | None, BeforeValidator(_context), _OrText()] = None
    """The folder of the step, relative to the project: its code, and `requirements.txt`, `pyproject.toml` or `package.json`. A container runs the image that its Dockerfile makes, or one that is made by what is in the folder; a mapping says more about that."""

    image: str | None = None
    """The image of a container, such as `docker.io/acme/ingest:1.4`, instead of `build`."""

    libraries: OneOrMany[str] = []
    """Folders of `libraries` in windlass.yaml that its code imports, each by its name. They are copied into the image that is built."""

    command: OneOrMany[str] = Field(default=[], min_length=1)
    """The command and its arguments, without a shell. A process runs in the `build` folder, a container where its image says; an image has a command of its own, which is taken where none stands here."""

    env: dict[Variable, _Value] = Field(default_factory=dict)
    """Environment variables: text, no secrets; or where the value is: `{connection: warehouse, part: password}`, `{secret: slack, key: WEBHOOK}`."""

    connections: OneOrMany[Name] = []
    """The connections that it gets, each as `WINDLASS_CONN_<NAME>`."""

    runtime: RuntimeOrTemplate | None = None
    """What executes it under `windlass run`: `process` or `docker`. Default: as `defaults.runtime` says; a container where it has an `image`, else a process."""

    mount: Annotated[str, Field(pattern=_ABSOLUTE)] = "/data"
    """Where the workspace is in its container."""

    user: str | None = None
    """Who its container runs as: `UID:GID`, a name, or `image` for whom the image says. Default: who runs windlass."""

    network: str | None = None
    """The network of its container, as `docker run --network` takes it."""

    resources: StepResources = StepResources()
    """What its container may use."""

    platform: Annotated[str, Field(pattern=_PLATFORM)] | None = None
    """The platform of its image, such as `linux/amd64`. Default: the engine's own."""

    pull: Literal["missing", "always", "never"] = "missing"
    """When its image is pulled."""

    @model_validator(mode="after")
    def _something_to_start(self) -> Self:
        if self.build is not None and self.image is not None:
            raise refusal("an `image` is there already, or is made by `build`; say one of them")
        if self.image is not None and self.libraries:
            raise refusal("`libraries` go into an image that is built, and an `image` is there already")
        if not self.command and self.build is None and self.image is None:
            raise refusal("needs a `command`, or an `image` or a `build` that has one")
        return self


class Run(Command):
    """Run a command: a step in any language. Exit code 0 is success."""


class Service(Command):
    """Run a command in the background for the tasks that use it."""

    port: int | None = Field(default=None, ge=1, le=65535)
    """The TCP port it listens on, also given to it as `PORT`. Default: a free one."""

    health: str | None = None
    """The HTTP path that answers 2xx once the service is ready. Default: the port accepts connections."""

    ready_timeout: Duration = 60.0
    """How long it may take to be ready."""
