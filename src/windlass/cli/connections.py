"""`windlass connections` and `windlass doctor`: what there is around a project."""

from __future__ import annotations

import json
import os
from contextlib import closing
from typing import TYPE_CHECKING, TypedDict

import click

from windlass.cli.echo import echo, echo_json
from windlass.cli.main import App, error_mark
from windlass.cli.options import complete_connection, json_option

if TYPE_CHECKING:
    from pathlib import Path

    from windlass.connections import Address
    from windlass.spec.project import Connection as Declared

__all__ = ["connections_command", "doctor_command"]


class _Connection(TypedDict):
    name: str
    type: str
    address: str | None
    origin: str | None
    description: str
    error: str | None
    """Why what is configured cannot be used."""

    code: str | None


@click.group("connections", invoke_without_command=True)
@json_option
@click.pass_context
def connections_command(ctx: click.Context, *, as_json: bool) -> int:
    """List the connections, and where each is configured. Secrets are not shown."""
    if ctx.invoked_subcommand is not None:
        return 0
    found = _connections(ctx.obj)
    if as_json:
        echo_json(json.dumps(found, indent=2))
    else:
        _print(found)
    _tell_unknown(ctx.obj, [c["name"] for c in found])
    wrong = [c for c in found if c["error"]]
    for c in () if as_json else wrong:
        echo(f"{error_mark(str(c['code']))} {c['error']}", err=True)
    return 1 if wrong else 0


def _print(found: list[_Connection]) -> None:
    from windlass.cli.display import print_table

    rows = [(c["name"], c["type"], c["address"] or "", _place(c), c["description"]) for c in found]
    header = ("connection", "type", "address", "from", "description")
    width = len(header) if any(c["description"] for c in found) else len(header) - 1
    print_table(header[:width], [row[:width] for row in rows])


def _place(connection: _Connection) -> str:
    """Where it was found."""
    otherwise = "unusable" if connection["error"] else "not configured: a dev service in `run`"
    return connection["origin"] or otherwise


def _tell_unknown(app: App, declared: list[str]) -> None:
    """Variables that look like the addresses of connections, and are of none."""
    from windlass.connections import unknown_connections

    for variable, place, hint in unknown_connections(declared, app.project, os.environ):
        told = f"warning: {variable} in {place} is of no connection" + (f": {hint}" if hint else "")
        echo(told, err=True)


@connections_command.command("test")
@click.argument("names", nargs=-1, shell_complete=complete_connection)
@json_option
@click.pass_obj
def test_command(app: App, names: tuple[str, ...], *, as_json: bool) -> int:
    """Test the connections that are configured: NAMES, or all."""
    from windlass.errors import Code, UsageError, did_you_mean

    known = {c["name"]: c for c in _connections(app)}
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known)
            raise UsageError(f"there is no connection {name!r}", hint=hint, code=Code.UNKNOWN_CONNECTION)
    results = [_tried(app, c) for c in known.values() if not names or c["name"] in names]
    if as_json:
        echo_json(json.dumps(results, indent=2))
    for result in () if as_json else results:
        echo(f"{result['name']}: {result['result']}")
    return 1 if any(result["ok"] is False for result in results) else 0


def _connections(app: App) -> list[_Connection]:
    """All that the project declares; one whose address makes no sense does not hide the others."""
    from windlass.errors import WindlassError
    from windlass.logs import mask
    from windlass.spec import load_project

    files = load_project(app.project).checked()
    found: list[_Connection] = []
    for name, connection in files.spec.connections.items():
        try:
            address, error, code = _address(name, connection, files.root), None, None
        except WindlassError as exc:
            address, error, code = None, mask(str(exc)), str(exc.code)
        found.append(
            {
                "name": name,
                "type": connection.type,
                "address": str(address) if address else None,
                "origin": address.origin if address else None,
                "description": connection.description,
                "error": error,
                "code": code,
            }
        )
    return found


def _address(name: str, connection: Declared, root: Path) -> Address | None:
    """Where it is by what is configured, else by the project file. Raises WindlassError for an address that cannot be read."""
    from windlass.connections import declared_address, resolve
    from windlass.devservices import can_stand_in
    from windlass.plan.actions import connection_of

    address = resolve(name, connection.type, root)
    if address is None and not can_stand_in(connection_of(connection)):
        address = declared_address(name, connection.type, connection.settings)
    return address


def _tried(app: App, connection: _Connection) -> dict[str, str | bool | None]:
    from windlass import registry
    from windlass.connections import parse_address, resolve
    from windlass.errors import WindlassError
    from windlass.logs import mask

    name, kind = connection["name"], connection["type"]
    if connection["error"] is not None:
        return {"name": name, "ok": False, "result": f"failed: {connection['error']}"}
    address = resolve(name, kind, app.project)
    if address is None and connection["address"] is not None:  # of windlass.yaml, without secrets
        address = parse_address(connection["address"], str(connection["origin"]), kind)
    if address is None:
        return {"name": name, "ok": None, "result": "not configured"}
    try:
        connector = registry.require(kind)
        if connector.store is not None:
            return {"name": name, "ok": True, "result": f"connected, {_listed(name, address)}"}
        if connector.sql is not None:
            with closing(registry.load(connector.sql)(address)) as connected:
                return {"name": name, "ok": True, "result": f"connected, {len(connected.tables())} tables"}
        usual = connector.port or (443 if address.scheme == "https" else 80)
        _reach(address.host, address.port or usual)
    except (WindlassError, OSError) as exc:
        return {"name": name, "ok": False, "result": mask(f"failed: {exc}")}
    return {"name": name, "ok": True, "result": "reachable"}


def _listed(name: str, address: Address) -> str:
    """What is in a bucket, as far as one look tells."""
    from windlass.connectors.stores.where import store_at

    where = store_at(address, name, "")
    first = next(where.store.list(where.key), None)
    return "nothing is in it" if first is None else f"the first object is {first.key}"


def _reach(host: str, port: int) -> None:
    import socket

    with socket.create_connection((host, port), timeout=10):
        pass


@click.command("doctor")
@json_option
@click.pass_obj
def doctor_command(app: App, *, as_json: bool) -> int:
    """Check whether this machine has what windlass needs, and say how to get what is missing."""
    from windlass.cli.doctor import examine

    findings = examine(app.folder)
    if as_json:
        echo_json(json.dumps([finding.__dict__ for finding in findings], indent=2))
    for finding in () if as_json else findings:
        mark = {"ok": click.style("ok", fg="green"), "missing": click.style("--", fg="yellow")}.get(
            finding.state, click.style("!!", fg="red")
        )
        echo(f"{mark}  {finding.what}: {finding.found}" + (f"\n      {finding.hint}" if finding.hint else ""))
    return 1 if any(finding.state == "broken" for finding in findings) else 0
