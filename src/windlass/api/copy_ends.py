"""The two ends of a copy, from what somebody writes: paths, and addresses of databases."""

from __future__ import annotations

from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

from windlass import registry
from windlass.connections import Address, parse_address
from windlass.errors import FatalError, UsageError
from windlass.options import read_options
from windlass.plan.model import Destination, Source
from windlass.plan.roles import misfit
from windlass.workspace import local_path, scheme_of

__all__ = ["destination_of", "path_of", "source_of"]

_STANDARD = "-"
_WAYS = {"table": "?table=NAME", "query": "?query=SELECT …", "collection": "?collection=NAME"}
"""The keys of an end that an address may say, and how."""


def source_of(text: str, of_files: dict[str, Any]) -> tuple[Source, Address | None]:
    """Where the rows come from. `of_files` are options that only files have. Raises UsageError."""
    if (path := path_of(text, "/dev/stdin")) is not None:
        _require_format(text, "input", "from_format", of_files)
        return Source(options={"path": path, **of_files}), None
    address, options = _table(text, "source", {})
    return Source(connection="from", type=address.type, options=options), address


def destination_of(
    text: str, of_files: dict[str, Any], common: dict[str, Any]
) -> tuple[Destination, Address | None]:
    """Where the rows go. `common` are options that every destination has. Raises UsageError."""
    if (path := path_of(text, "/dev/stdout")) is not None:
        _require_format(text, "output", "to_format", of_files)
        return Destination(options={"path": path, **of_files, **common}), None
    address, options = _table(text, "destination", common)
    return Destination(connection="to", type=address.type, options=options), address


def path_of(text: str, standard: str) -> str | None:
    """The path, `standard` for `-`; None where the text is the address of a database."""
    scheme = scheme_of(text)
    found = registry.by_scheme(scheme) if scheme else None
    if scheme is not None and (found is None or found.form is not None):
        return None
    return standard if text == _STANDARD else text


def _require_format(text: str, what: str, argument: str, of_files: dict[str, Any]) -> None:
    if text == _STANDARD and "format" not in of_files:
        raise UsageError(
            f"standard {what} has no name that tells its format", hint=f"say it: `{argument}` csv"
        )


def _table(
    text: str, role: Literal["source", "destination"], common: dict[str, Any]
) -> tuple[Address, dict[str, Any]]:
    """An address of a database, and what its query says of the rows. Raises UsageError."""
    scheme = str(scheme_of(text))
    connector = registry.by_scheme(scheme)
    if connector is not None and connector.form == "url":
        local_path(text)  # it says what to do instead
    wrong = misfit(connector.type, role) if connector is not None else None
    if connector is None or wrong is not None:
        raise UsageError(f"{scheme}:// {wrong[0] if wrong else 'is not supported'}", hint=_known(role))
    address = parse_address(text, "the arguments of copy")
    model = getattr(registry.load(str(connector.options)), role.capitalize())
    keys = [key for key in model.__struct_fields__ if key in _WAYS]
    options = {key: value for key, value in parse_qsl(urlsplit(text).query) if key in keys}
    try:
        read_options(model, {**options, **common})
    except FatalError as exc:
        ways = " or ".join(_WAYS[key] for key in _WAYS if key in keys)
        raise UsageError(
            f"{address}: which {'rows' if role == 'source' else 'table'}?",
            hint=f"end the address with {ways}",
        ) from exc
    return address, {**options, **common}


def _known(role: Literal["source", "destination"]) -> str:
    fit = [
        c for c in registry.all_connectors() if c.form not in (None, "url") and misfit(c.type, role) is None
    ]
    return f"expected a file, or an address such as {', '.join(connector.example for connector in fit)}"
