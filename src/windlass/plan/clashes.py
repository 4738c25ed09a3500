"""Whether an end of a copy goes with what stands with its connection: the connector knows."""

from __future__ import annotations

from collections.abc import Mapping

from windlass import registry
from windlass.options import Misfit, read_options
from windlass.plan.model import Connection, Source

__all__ = ["clash"]


def clash(end: Source, connections: Mapping[str, Connection]) -> Misfit | None:
    """Why what an end says does not go with what stands with its connection; None if it does."""
    connection = connections.get(end.connection or "")
    connector = registry.find(connection.type) if connection is not None else None
    if connection is None or connector is None or connector.options is None:
        return None
    model = getattr(registry.load(connector.options), "Connection", None)
    if model is None:
        return None
    wrong: Misfit | None = read_options(model, connection.settings).misfit(end.options)
    return wrong
