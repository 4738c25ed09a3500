"""What the environment of a command refers to: connections, whole or in parts, and secrets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from windlass.connections import ORIGIN, PREFIX, parse_address, secret_value, variable
from windlass.errors import Code, FatalError
from windlass.plan.model import Connection, Reference, RunCommand, Service, Task

__all__ = ["environment_given"]

_MAY_BE_EMPTY = ("user", "password")


def environment_given(
    task: Task, addresses: Mapping[str, str], connections: Mapping[str, Connection], project: Path
) -> dict[str, str]:
    """The variables that a task is given: of its connections, and what its environment refers to.

    `addresses` has the variables of all connections that it names. A command gets those of them that it asks for whole.
    Raises FatalError.
    """
    action = task.action
    if not isinstance(action, RunCommand | Service):
        return dict(addresses)
    whole = {variable(name, prefix) for name in action.connections for prefix in (PREFIX, ORIGIN)}
    given = {name: value for name, value in addresses.items() if name in whole}
    for name, reference in action.references.items():
        given[name] = _value(name, reference, addresses, connections, project)
    return given


def _value(
    wanted_by: str,
    reference: Reference,
    addresses: Mapping[str, str],
    connections: Mapping[str, Connection],
    project: Path,
) -> str:
    if reference.connection is None:
        return secret_value(str(reference.secret), reference.key, project)
    name, part = reference.connection, reference.part
    uri = addresses[variable(name)]
    if part is None:
        return uri
    value = getattr(parse_address(uri, variable(name), connections[name].type), part)
    if not value and part not in _MAY_BE_EMPTY:
        hint = f"add it to the address of {name!r}"
        message = f"the address of connection {name!r} has no {part}, which is to be {wanted_by}"
        raise FatalError(message, hint=hint, code=Code.NOT_CONFIGURED)
    return str(value)
