"""What a task names a connection for, and whether a connection of its type can be that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

from windlass import registry
from windlass.registry import Connector

__all__ = ["Role", "misfit"]

Role: TypeAlias = Literal["source", "destination", "sql", "store", "download", "alert", "command", "engine"]

_ROLES: dict[str, tuple[str, Callable[[Connector], bool]]] = {
    "source": ("cannot be read by a copy", lambda connector: connector.source is not None),
    "destination": ("cannot be written by a copy", lambda connector: connector.destination is not None),
    "engine": ("does not spread a copy over machines", lambda connector: connector.engine is not None),
    "sql": ("runs no SQL", lambda connector: connector.sql is not None),
    "store": ("has no bucket that files are put into", lambda connector: connector.has_store_to_write),
    "download": ("has no files to download", lambda connector: connector.form == "url"),
    "alert": ("takes no alerts", lambda connector: connector.alert is not None),
}


def misfit(kind: str, role: Role) -> tuple[str, str] | None:
    """Why a connection of that type cannot have the role, and what to do; None if it can."""
    connector = registry.find(kind)
    if role not in _ROLES or connector is None:
        return None
    what, can = _ROLES[role]
    if can(connector):
        return None
    others = ", ".join(c.type for c in registry.all_connectors() if c.form is not None and can(c))
    return f"is of type {kind}, which {what}", f"types that fit: {others}"
