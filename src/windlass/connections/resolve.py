"""Finds the address of a connection, in the places that DESIGN names and in their order."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from windlass import registry
from windlass.connections.address import Address, parse_address
from windlass.connections.env_file import read_env_file
from windlass.errors import Code, FatalError, reason_of

__all__ = ["ORIGIN", "PREFIX", "declared_address", "places", "read_secret_file", "resolve", "variable"]

PREFIX = "WINDLASS_CONN_"

ORIGIN = "WINDLASS_ORIGIN_"
"""Begins the variable that says where the address in `WINDLASS_CONN_<NAME>` was found, where a runner hands it on."""


def variable(name: str, prefix: str = PREFIX) -> str:
    """The environment variable of a connection: `pg-x` is `WINDLASS_CONN_PG_X`."""
    return prefix + name.upper().replace("-", "_")


def resolve(name: str, kind: str, project: Path, environ: Mapping[str, str] = os.environ) -> Address | None:
    """The first address found, or None when the connection is configured nowhere. Raises FatalError
    for one that cannot be read: a broken configuration must not turn into a dev service.
    """
    for origin, lookup in places(name, project, environ):
        text = lookup()
        if text:
            return parse_address(text, origin, kind)
    return None


def declared_address(name: str, kind: str, settings: Mapping[str, object]) -> Address | None:
    """The address that stands with a connection in `windlass.yaml`, where its type has a key for one."""
    key = registry.require(kind).address_key
    text = settings.get(key) if key is not None else None
    return parse_address(str(text), f"`{key}` of {name!r} in windlass.yaml", kind) if text else None


def places(
    name: str, project: Path, environ: Mapping[str, str] = os.environ
) -> list[tuple[str, Callable[[], str | None]]]:
    """Every place that is looked at, in order: what it is called, and how to look."""
    own, airflow = variable(name), variable(name, "AIRFLOW_CONN_")
    env_file, secret = project / ".env", Path("/run/secrets") / name
    return [
        (environ.get(variable(name, ORIGIN)) or f"the environment variable {own}", lambda: environ.get(own)),
        (f"the environment variable {airflow}", lambda: environ.get(airflow)),
        (f"{own} in {env_file}", lambda: read_env_file(env_file, environ).get(own)),
        (f"{airflow} in {env_file}", lambda: read_env_file(env_file, environ).get(airflow)),
        (f"the file {secret}", lambda: read_secret_file(secret)),
        (f"the Airflow connection {name!r}", lambda: _from_airflow(name, environ)),
    ]


def read_secret_file(file: Path) -> str | None:
    """What stands in the file of a secret; None where there is no such file. Raises FatalError."""
    try:
        return file.read_text(encoding="utf-8").strip()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as exc:
        raise FatalError(f"cannot read {file}: {reason_of(exc)}", code=Code.UNREADABLE_ADDRESS) from exc


def _from_airflow(name: str, environ: Mapping[str, str]) -> str | None:
    """Inside a task of Airflow 3, its connections are reached through the task SDK."""
    if "AIRFLOW_CTX_DAG_ID" not in environ:
        return None
    try:
        from airflow.sdk import Connection
        from airflow.sdk.exceptions import AirflowRuntimeError
    except ImportError:
        return None
    try:
        uri: str = Connection.get(name).get_uri()
    except AirflowRuntimeError:
        return None
    return uri
