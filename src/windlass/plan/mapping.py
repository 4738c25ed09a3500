"""Which copies a scheduler may make a task a part of: what becomes dynamic task mapping on Airflow.

A part in a task of its own is a transaction of its own, so what holds for a copy as a whole must hold for each
part alone. That excludes `replace` and `delete_insert` (the parts would have to become visible together),
`incremental` and `max_bad_rows` (of the whole), a file of bad rows (of one writer), and a merge in which two parts
could bring the same key.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from windlass import registry
from windlass.plan.model import Action, Connection, Copy

__all__ = ["are_in_reach", "is_complete_in_parts", "with_mapping"]


def with_mapping(action: Action, connections: Mapping[str, Connection]) -> Action:
    """The action; a partition whose parts can be loads of their own says so."""
    if not isinstance(action, Copy) or action.partition is None:
        return action
    mapped = _is_splittable(action, connections) and is_complete_in_parts(action)
    return replace(action, partition=replace(action.partition, mapped=mapped))


def _is_splittable(copy: Copy, connections: Mapping[str, Connection]) -> bool:
    """Whether there are bounds that stay the same whatever arrives, and a ledger with a writer a part."""
    waiting = copy.quarantine.connection if copy.quarantine is not None else None
    there = connections.get(waiting) if waiting is not None else None
    takes_bad_rows = waiting is None or (there is not None and _can(there.type, "loads_in_parts"))
    return are_in_reach(copy) and takes_bad_rows


def are_in_reach(copy: Copy) -> bool:
    """Whether both ends of a copy, and its column, are such that its parts may be loads of their own."""
    partition = copy.partition
    by_column = partition is not None and partition.by != "ctid" and partition.parts > 1
    ends = _can(copy.source.type, "splits") and _can(copy.destination.type, "loads_in_parts")
    return by_column and ends and copy.source.table is not None


def _can(kind: str, what: str) -> bool:
    connector = registry.find(kind)
    return connector is not None and bool(getattr(connector, what))


def is_complete_in_parts(copy: Copy) -> bool:
    """Whether a part alone is a load that makes sense."""
    one_file = copy.quarantine is not None and copy.quarantine.path is not None
    if copy.incremental is not None or copy.max_bad_rows is not None or one_file:
        return False
    return copy.destination.mode == "append" or _merges_apart(copy)


def _merges_apart(copy: Copy) -> bool:
    """Whether rows of the same key are always in the same part: the column that splits them is in the key."""
    by = copy.partition.by if copy.partition else ""
    names = {c.name for c in copy.select if c.source == by and c.type is None} if copy.select else {by}
    return copy.destination.mode == "merge" and not names.isdisjoint(copy.destination.key)
