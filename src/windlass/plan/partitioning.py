"""Which copies `partition` splits: a key that would change nothing is refused."""

from __future__ import annotations

from windlass import registry
from windlass.plan.mapping import are_in_reach, is_complete_in_parts
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
        return None  # at least, they are read at once
    if are_in_reach(copy) and is_complete_in_parts(copy):
        return None
    message = f"`partition` does not split a copy from {source} to {destination}"
    if _can_be_tasks(copy):
        hint = (
            "each part is a load of its own: of a `table`, with a column in `by`, by `mode: append` (or a merge that has the "
            "column in its key), and without `incremental`, `max_bad_rows` and `quarantine: {path: …}`"
        )
        return Refusal(("partition",), message, hint)
    able = ", ".join(each.type for each in registry.all_connectors() if each.loads_in_parts)
    hint = f"it does between two connections of one of these types: {able}; leave it out: other copies use all cores by themselves"
    return Refusal(("partition",), message, hint)


def _can_be_tasks(copy: Copy) -> bool:
    """Whether the parts of another copy between these ends can be loads of their own."""
    source, destination = registry.find(copy.source.type), registry.find(copy.destination.type)
    return bool(source and source.splits and destination and destination.loads_in_parts)
