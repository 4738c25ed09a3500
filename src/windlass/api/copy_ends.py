"""The two ends of a copy, from what somebody writes: paths, tables of connections, and addresses of databases.

`warehouse:trips` is a table of the project's connection `warehouse`, and `warehouse?query=SELECT …` is a query of it,
wherever there is a connection of that name; a file that is called so is `./warehouse:trips`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal, NamedTuple, TypeAlias
from urllib.parse import parse_qsl, unquote

from msgspec import structs

from windlass import registry
from windlass.api.connections import NearConnections
from windlass.connections import Address, parse_address
from windlass.errors import FatalError, UsageError, nearest
from windlass.options import read_options
from windlass.plan.model import Destination, Source
from windlass.plan.roles import misfit
from windlass.registry import Connector
from windlass.splitting_urls import split_url
from windlass.workspace import is_stored, local_path, require_writable, scheme_of

__all__ = ["Named", "destination_of", "name_of", "named_in", "path_of", "source_of", "tells_format"]

_STANDARD = "-"
_OF_THE_WEB = ("http", "https")
_NAMED = re.compile(r"([A-Za-z_][\w-]*)(:|\?(?=table=|query=)|$)(.*)", re.DOTALL)

Role: TypeAlias = Literal["source", "destination"]


class Named(NamedTuple):
    """A connection of the project, and what is said of its rows: a table or a query, or nothing."""

    connection: str
    rows: dict[str, str]


def source_of(text: str, of_files: dict[str, Any], near: NearConnections) -> tuple[Source, Address | None]:
    """Where the rows come from. `of_files` are options that only files have. Raises UsageError."""
    if (named := named_in(text, near)) is not None:
        address, options = _table_of(named, text, "source", {}, near)
        return Source(connection=named.connection, type=address.type, options=options), address
    if (path := path_of(text, "/dev/stdin")) is not None:
        _require_format(text, "input", "from_format", of_files)
        return Source(options={"path": path, **of_files}), None
    address, options = _table_at(text, "source", {})
    return Source(connection="from", type=address.type, options=options), address


def name_of(text: str, destination: Destination, address: Address | None) -> str:
    """What a destination is called: without secrets, and another wherever the rows go elsewhere."""
    if address is None or destination.connection != "to":
        return text
    return f"{replace(address, user='', password='', options={})}?table={destination.rows_in}"


def destination_of(
    text: str, of_files: dict[str, Any], common: dict[str, Any], near: NearConnections
) -> tuple[Destination, Address | None]:
    """Where the rows go. `common` are options that every destination has. Raises UsageError."""
    if (named := named_in(text, near)) is not None:
        address, options = _table_of(named, text, "destination", common, near)
        return Destination(connection=named.connection, type=address.type, options=options), address
    if (path := path_of(text, "/dev/stdout")) is not None:
        if not is_stored(path):
            local_path(path)
        require_writable(path)
        _require_format(text, "output", "to_format", of_files)
        return Destination(options={"path": path, **of_files, **common}), None
    address, options = _table_at(text, "destination", common)
    return Destination(connection="to", type=address.type, options=options), address


def named_in(text: str, near: NearConnections) -> Named | None:
    """The connection that the text names; None where it is a path or an address.

    Raises UsageError for the name of a connection that there is not, unless a file may be meant.
    """
    found = _NAMED.fullmatch(text)
    if found is None or scheme_of(text) is not None:
        return None
    name, mark, rest = found.groups()
    if not mark and near.may_be_file(text):
        return None
    if name not in near.declared and not _means_connection(name, mark, text, near):
        return None
    near.require(name)
    if mark == "?":
        key, _, value = rest.partition("=")
        return Named(name, {key: unquote(value)})
    return Named(name, {registry.require(near.declared[name].type).rows_in: rest} if rest else {})


def _means_connection(name: str, mark: str, text: str, near: NearConnections) -> bool:
    """Whether somebody who writes so, where there is no connection of that name, has misspelt one."""
    if mark == "":
        return nearest(name, near.declared) is not None
    return mark == "?" or not near.may_be_file(text)


def path_of(text: str, standard: str) -> str | None:
    """The path, `standard` for `-`; None where the text is the address of something that has rows."""
    scheme = scheme_of(text)
    if scheme is None or scheme in ("file", *_OF_THE_WEB) or is_stored(text):
        return standard if text == _STANDARD else text
    return None


def tells_format(text: str) -> bool:
    """Whether the name of a file tells its format."""
    from windlass.connectors.files.formats import format_of

    try:
        format_of(split_url(text).path if scheme_of(text) else text)
    except FatalError:
        return False
    return True


def _require_format(text: str, what: str, argument: str, of_files: dict[str, Any]) -> None:
    if text == _STANDARD and "format" not in of_files:
        raise UsageError(
            f"standard {what} has no name that tells its format", hint=f"say it: `{argument}` csv"
        )


def _table_of(
    named: Named, text: str, role: Role, common: dict[str, Any], near: NearConnections
) -> tuple[Address, dict[str, Any]]:
    """The address of a connection, and what is said of its rows. Raises UsageError."""
    connector = registry.require(near.require(named.connection).type)
    if (wrong := misfit(connector.type, role)) is not None:
        raise UsageError(f"the connection {named.connection!r} {wrong[0]}", hint=wrong[1])
    way = f"{named.connection}:{connector.rows_in.upper()}"
    options = _read(connector, role, named.rows, common, text, way, f"'{named.connection}?query=SELECT …'")
    return near.address(named.connection), options


def _table_at(text: str, role: Role, common: dict[str, Any]) -> tuple[Address, dict[str, Any]]:
    """An address of a database, and what its query says of the rows. Raises UsageError."""
    scheme = str(scheme_of(text))
    connector = registry.by_scheme(scheme)
    wrong = misfit(connector.type, role) if connector is not None else None
    if connector is None or wrong is not None:
        raise UsageError(f"{scheme}:// {wrong[0] if wrong else 'is not supported'}", hint=_known(role))
    address = parse_address(text, "the arguments of copy")
    rows, way = dict(parse_qsl(split_url(text).query)), f"?{connector.rows_in}=NAME"
    return address, _read(connector, role, rows, common, str(address), way, "?query=SELECT …")


def _read(
    connector: Connector,
    role: Role,
    said: Mapping[str, str],
    common: dict[str, Any],
    shown: str,
    by_name: str,
    by_query: str,
) -> dict[str, Any]:
    """The options of an end. `by_name` and `by_query` are how somebody says which rows.

    Raises UsageError where that is not said, or not in a way that the connector knows.
    """
    model = getattr(registry.load(str(connector.options)), role.capitalize())
    taken = {field.name: field.default for field in structs.fields(model)}
    ways = {connector.rows_in: by_name} if connector.rows_in in taken else {}
    if taken.get("query", "") is None:  # text, and not the parameters of a request
        ways["query"] = by_query
    if "table" in said:  # is said of every database, also of one without tables
        said = {connector.rows_in: said["table"], **said}
    if not ways and connector.rows_in in said:
        raise UsageError(f"{shown}: rows of {connector.type} have no names", hint="copy them in a pipeline")
    options = {
        key: text.split(",") if isinstance(taken[key], tuple) else text
        for key, text in said.items()
        if key in taken and key in (*ways, *connector.told_by_address)
    }
    try:
        read_options(model, options | common)
    except FatalError as exc:
        hint = f"say it with {' or '.join(ways.values())}" if ways else "copy them in a pipeline"
        raise UsageError(f"{shown}: which {'rows' if role == 'source' else 'table'}?", hint=hint) from exc
    return options | common


def _known(role: Role) -> str:
    fit = [
        c
        for c in registry.all_connectors()
        if c.form not in (None, "url", "store") and misfit(c.type, role) is None
    ]
    return f"expected a file, or an address such as {', '.join(connector.example for connector in fit)}"
