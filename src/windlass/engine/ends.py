"""Opens the two ends of a copy: a database through its connector, anything with a path as files."""

from __future__ import annotations

from windlass import registry
from windlass.connectors.protocol import Destination, Source
from windlass.engine.job import Job

__all__ = ["open_destination", "open_source"]


def open_source(job: Job) -> Source:
    """Connect to the source. Raises WindlassError when that is not possible."""
    end = job.copy.source
    if end.connection is None:
        from windlass.connectors.files.opening import open_source as open_files

        return open_files(end, job.workspace, job.scratch_folder)
    address = job.addresses[end.connection]
    source: Source = registry.load(str(registry.require(address.type).source))(address, end)
    return source


def open_destination(job: Job) -> Destination:
    """Connect to the destination. Raises WindlassError when that is not possible."""
    end = job.copy.destination
    if end.connection is None:
        from windlass.connectors.files.opening import open_destination as open_files

        return open_files(end, job.workspace)
    address = job.addresses[end.connection]
    open_it = registry.load(str(registry.require(address.type).destination))
    destination: Destination = open_it(address, end, job.interval)
    return destination
