"""For what each request of a stream is made: rows of other streams, or values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from windlass.importing.configuration import Configuration
from windlass.importing.names import name_of, open_name
from windlass.importing.paginators import PLACES, WRITTEN
from windlass.importing.templates import Place, path_of, value_of

__all__ = ["Partitions", "partitions_of"]

_MOST_VALUES = 12
_ABOVE = ("parent_slice", "extra_fields", "parent", "cursor_slice")

Note = Callable[[str], None]
TaskOf = Callable[[Mapping[str, Any]], str | None]


@dataclass
class Partitions:
    """What a request is made for each of, and where its values go."""

    parent: dict[str, Any] = field(default_factory=dict)
    task: str | None = None
    """The task whose rows are the parents."""

    names: dict[str, str] = field(default_factory=dict)
    """What a field of a slice is called here: `parent.id`."""

    constants: dict[str, Any] = field(default_factory=dict)
    """The values that are the same for all requests."""

    sent: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What goes into the query, the headers or the body of each request."""

    fields: dict[str, str] = field(default_factory=dict)
    suffix: str = ""

    def named(self, place: Place) -> Any:
        """A value of a slice as it is written; None where there is none."""
        path = list(place.path)
        while len(path) > 1 and path[0] in _ABOVE:
            path.pop(0)
        if not path or not isinstance(path[0], str):
            return None
        if path[0] in self.constants:
            return self.constants[path[0]]
        if path[0] in self.names:
            return f"{{{'.'.join([self.names[path[0]], *map(str, path[1:])])}}}"
        return (
            f"{{parent.{open_name(path[0])}}}" if self.task is not None and place.path[0] in _ABOVE else None
        )


def partitions_of(
    retriever: Mapping[str, Any], task_of: TaskOf, configuration: Configuration, note: Note
) -> list[Partitions]:
    """One for each task that a stream becomes: several where it has several parents; none where they have no translation."""
    routers = retriever.get("partition_router") or retriever.get("stream_slicer") or []
    routers = routers if isinstance(routers, list) else [routers]
    routers = [
        router for router in routers if router.get("type") not in ("DatetimeStreamSlicer", "SingleSlice")
    ]
    lists = [router for router in routers if router.get("type") == "ListPartitionRouter"]
    others = [router for router in routers if router.get("type") != "ListPartitionRouter"]
    if len(others) > 1 or (others and others[0].get("type") != "SubstreamPartitionRouter"):
        kinds = ", ".join(str(router.get("type")) for router in others)
        note(f"the partition router {kinds} has no translation; the stream was left out")
        return []
    if not others and len(lists) == 1:
        found = _list_of(lists[0], configuration, note)
        return [found] if found is not None else []
    results = _substreams(others[0], task_of, note) if others else [Partitions()]
    for router in lists:
        values = _values_of(router, configuration, note)
        if len(values) * len(results) > _MOST_VALUES:
            note(
                f"{len(values)} partitions beside another router have no translation; the stream was left out"
            )
            return []
        results = [_with_constant(each, router, value) for each in results for value in values]
    return results


def _values_of(router: Mapping[str, Any], configuration: Configuration, note: Note) -> list[Any]:
    values = router.get("values", router.get("slice_values"))
    place = value_of(values)
    if isinstance(place, Place) and place.root == "config":
        known = configuration.values(place)
        key = ".".join(map(str, place.path))
        if known:
            note(
                f"`config.{key}` has its partitions: {', '.join(map(str, known))} stand for them, say your own in `values`"
            )
            return known
    if not isinstance(place, list) or not place:
        note(f"its partitions come from {values!r}, which has no translation; the stream was left out")
        return []
    return place


def _list_of(router: Mapping[str, Any], configuration: Configuration, note: Note) -> Partitions | None:
    cursor = str(router.get("cursor_field"))
    name, place = name_of(cursor), value_of(router.get("values", router.get("slice_values")))
    if isinstance(place, Place) and place.root == "config" and not configuration.values(place):
        file = f"{name}.csv"
        note(
            f"`config.{'.'.join(map(str, place.path))}` has its partitions: write them into {file}, below the line {name!r}"
        )
        found = Partitions({"path": file}, names={cursor: f"parent.{name}"})
        found.sent = _sent(router.get("request_option") or {}, f"{{parent.{name}}}")
        return found
    if not (values := _values_of(router, configuration, note)):
        return None
    found = Partitions({"values": values, "as": name}, names={cursor: name})
    found.sent = _sent(router.get("request_option") or {}, f"{{{name}}}")
    return found


def _with_constant(partitions: Partitions, router: Mapping[str, Any], value: Any) -> Partitions:
    sent = {**partitions.sent}
    for place, values in _sent(router.get("request_option") or {}, value).items():
        sent[place] = {**sent.get(place, {}), **values}
    constants = {**partitions.constants, str(router.get("cursor_field")): value}
    suffix = f"{partitions.suffix} {value}".strip()
    return Partitions(
        partitions.parent, partitions.task, partitions.names, constants, sent, partitions.fields, suffix
    )


def _substreams(router: Mapping[str, Any], task_of: TaskOf, note: Note) -> list[Partitions]:
    configs = router.get("parent_stream_configs") or []
    found = []
    for config in configs:
        other = config.get("stream") or {}
        task = task_of(other)
        if task is None:
            note(f"its parent {other.get('name')!r} has no translation; it was left out")
            continue
        key, name = _key(config.get("parent_key")), str(config.get("partition_field"))
        suffix = f"of {other.get('name')}" if len(configs) > 1 else ""
        partitions = Partitions({}, task, {name: f"parent.{key}"}, fields={name: key}, suffix=suffix)
        partitions.sent = _sent(config.get("request_option") or {}, f"{{parent.{key}}}")
        for path in config.get("extra_fields") or ():
            partitions.names[str(path[-1])] = f"parent.{'.'.join(map(str, path))}"
        found.append(partitions)
    return found


def _key(key: object) -> str:
    return path_of(Place("", tuple(key))) if isinstance(key, list) else str(key)


def _sent(option: Mapping[str, Any], value: Any) -> dict[str, dict[str, Any]]:
    name = option.get("field_name") or ".".join(map(str, option.get("field_path") or ()))
    place = PLACES.get(str(option.get("inject_into", "request_parameter")), "query")
    return {WRITTEN[place]: {name: value}} if name else {}
