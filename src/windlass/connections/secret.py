"""Finds the value of a secret that a task names, in the places where connections are looked for too."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from windlass import logs
from windlass.connections.env_file import read_env_file
from windlass.connections.resolve import read_secret_file, variable
from windlass.errors import Code, FatalError

__all__ = ["PREFIX", "secret_places", "secret_value", "secret_variable"]

PREFIX = "WINDLASS_SECRET_"


def secret_variable(name: str, key: str | None) -> str:
    """The environment variable of a secret, or of a key in it."""
    return variable(name if key is None else f"{name}_{key}", PREFIX).replace(".", "_")


def secret_places(
    name: str, key: str | None, project: Path, environ: Mapping[str, str] = os.environ
) -> dict[str, Callable[[], str | None]]:
    """Every place that is looked at, in order: what it is called, and how to look."""
    named = secret_variable(name, key)
    env_file, file = project / ".env", Path("/run/secrets") / name / (key or "")
    return {
        f"the environment variable {named}": lambda: environ.get(named),
        f"{named} in {env_file}": lambda: read_env_file(env_file, environ).get(named),
        f"the file {file}": lambda: read_secret_file(file),
    }


def secret_value(name: str, key: str | None, project: Path, environ: Mapping[str, str] = os.environ) -> str:
    """The value of a secret, or of a key in it. Raises FatalError that lists every place looked at."""
    places = secret_places(name, key, project, environ)
    for look in places.values():
        if value := look():
            logs.add_secret(value)
            return value
    looked = "\n    ".join(places)
    what = f"secret {name!r}" if key is None else f"key {key!r} of secret {name!r}"
    raise FatalError(f"{what} is not configured; looked for it in\n    {looked}", code=Code.NOT_CONFIGURED)
