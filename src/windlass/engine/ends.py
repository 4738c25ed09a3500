"""Opens the two ends of a copy, each by its connector."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from windlass import registry
from windlass.connections import Address
from windlass.connectors.destination import Destination, Load, Shortcut
from windlass.connectors.ends import ConnectedEnd, End
from windlass.connectors.source import HasObjects, Reading, Source
from windlass.engine.job import Job
from windlass.options import Options, read_options
from windlass.plan import model as plan
from windlass.workspace import Workspace

__all__ = ["open_destination", "open_for_reading", "open_source", "shortcut_between"]

O = TypeVar("O", bound=Options)


def open_source(job: Job) -> Source:
    """Connect to the source. Raises WindlassError when that is not possible."""
    return _opened_source(_type(job, job.copy.source), lambda model: _end(job, job.copy.source, model))


def open_for_reading(
    source: plan.Source, addresses: Mapping[str, Address], workspace: Workspace, scratch_folder: Path | None
) -> Source:
    """Connect to a source outside a copy. Raises WindlassError when that is not possible."""
    address = addresses[source.connection] if source.connection is not None else None

    def end(model: type[O]) -> End[O]:
        options = read_options(model, source.options)
        if address is None:
            return End(options=options, workspace=workspace, scratch_folder=scratch_folder)
        return ConnectedEnd(
            options=options,
            workspace=workspace,
            scratch_folder=scratch_folder,
            connection=str(source.connection),
            address=address,
            others=addresses,
        )

    return _opened_source(registry.FILES if address is None else address.type, end)


def _opened_source(kind: str, end: Callable[[type[Any]], End[Any]]) -> Source:
    connector = registry.require(kind)
    source: Source = registry.load(str(connector.source))(end(registry.load(str(connector.options)).Source))
    return source


def open_destination(job: Job) -> Destination:
    """Connect to the destination. Raises WindlassError when that is not possible."""
    connector = registry.require(_type(job, job.copy.destination))
    model = registry.load(str(connector.options)).Destination
    opened = registry.load(str(connector.destination))(_end(job, job.copy.destination, model))
    destination: Destination = opened
    return destination


def shortcut_between(job: Job, source: Source, load: Load, reading: Reading) -> Shortcut | None:
    """A shorter path between the two, if one of their connectors knows one and all its conditions hold."""
    into = registry.require(_type(job, job.copy.destination))
    known = registry.require(_type(job, job.copy.source)).shortcuts.get(into.type)
    if known is None and isinstance(source, HasObjects):
        known = into.loads_objects
    found: Shortcut | None = registry.load(known)(source, load, reading, job.copy) if known else None
    return found


def _type(job: Job, end: plan.Source | plan.Destination) -> str:
    return end.type if end.connection is None else job.addresses[end.connection].type


def _end(job: Job, end: plan.Source | plan.Destination, model: type[O]) -> End[O]:
    common: dict[str, Any] = {
        "options": read_options(model, end.options),
        "workspace": job.workspace,
        "scratch_folder": job.scratch_folder,
        "shared": job.shared,
        "interval": job.interval,
        "alone": job.copy.destination.mode != "append" or job.copy.incremental is not None,
    }
    if end.connection is None:
        return End(**common)
    address = job.addresses[end.connection]
    return ConnectedEnd(**common, connection=end.connection, address=address, others=job.addresses)
