"""What the environment of a command refers to: connections, whole or in parts, and secrets of the worker."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from .bundle import Json
from .connections import hide, variable
from .names import AirflowException

__all__ = ["declared", "environment_given", "is_command", "references_of", "whole"]


def is_command(job: Json) -> bool:
    """Whether the task is a program of the user's own, and not windlass."""
    return job["plan"][1]["action"]["kind"] in ("run", "service")


def whole(job: Json) -> list[str]:
    """The connections that a task gets whole: a command those that it asks for, windlass all that it names."""
    return list(job["plan"][1]["action"]["connections"] if is_command(job) else job["connections"])


def declared(job: Json) -> dict[str, str]:
    """The addresses, by variable, of connections that need not be configured: the project's file says where they are."""
    known = {name: job["plan"][0]["connections"][name].get("address") for name in job["connections"]}
    return {variable(name): address for name, address in known.items() if address}


def references_of(job: Json) -> dict[str, Json]:
    return dict(job["plan"][1]["action"].get("references", {}))


def environment_given(job: Json, addresses: Mapping[str, str]) -> dict[str, str]:
    """The variables that a task is given, from those of all connections that it names."""
    if is_command(job):  # windlass has its plan, and may find an address in the container first
        addresses = {**declared(job), **addresses}
    names = {
        variable(name, prefix) for name in whole(job) for prefix in ("WINDLASS_CONN_", "WINDLASS_ORIGIN_")
    }
    given = {name: value for name, value in addresses.items() if name in names}
    return given | {
        name: _value(name, reference, addresses) for name, reference in references_of(job).items()
    }


def _value(wanted_by: str, reference: Json, addresses: Mapping[str, str]) -> str:
    if reference["connection"] is None:
        return _secret(reference["secret"], reference["key"])
    name, part = reference["connection"], reference["part"]
    uri = addresses.get(variable(name))
    if uri is None:
        raise AirflowException(f"connection {name!r}, which is to be {wanted_by}, is not configured")
    return uri if part is None else _part(uri, part)


def _part(uri: str, part: str) -> str:
    parts = urlsplit(uri)
    found: dict[str, Any] = {
        "host": parts.hostname,
        "port": parts.port,
        "user": parts.username and unquote(parts.username),
        "password": parts.password and unquote(parts.password),
        "database": unquote(parts.path.lstrip("/")),
    }
    return str(found[part] or "")


def _secret(name: str, key: str | None) -> str:
    named = variable(name if key is None else f"{name}_{key}", "WINDLASS_SECRET_").replace(".", "_")
    file = Path("/run/secrets") / name / (key or "")
    value = os.environ.get(named) or (file.read_text(encoding="utf-8").strip() if file.is_file() else "")
    if not value:
        raise AirflowException(
            f"a secret is not configured; looked for {named} of the worker, and for {file}"
        )
    hide(value)
    return value
