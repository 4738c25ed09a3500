"""Which copies `partition` splits: a key that would change nothing is refused."""

from __future__ import annotations

from windlass import registry
from windlass.plan.model import Copy
from windlass.plan.spreading import Refusal

__all__ = ["why_not_in_parts"]


def why_not_in_parts(copy: Copy) -> Refusal | None:
    """Why a copy is not split; None if it is, or nobody asks for it."""
    if copy.partition is None or copy.engine is not None:  # `engine` has a refusal of its own
        return None
    source, destination = copy.source.type, copy.destination.type
    connector = registry.find(source)
    if connector is not None and connector.loads_in_parts and source == destination:
        return None
    able = ", ".join(each.type for each in registry.all_connectors() if each.loads_in_parts)
    message = f"`partition` does not split a copy from {source} to {destination}"
    hint = f"it does between two connections of one of these types: {able}; leave it out: other copies use all cores by themselves"
    return Refusal(("partition",), message, hint)
