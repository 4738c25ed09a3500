"""The keys of a source of dlt."""

from __future__ import annotations

from typing import Any

from windlass.connectors.options import ConnectionOptions, SourceOptions

__all__ = ["Connection", "Source"]


class Connection(ConnectionOptions):
    """A function that dlt calls a source, or a resource."""

    source: str | None = None
    """Where it is, as `dlt:///module:function`: of the project, or of a package beside windlass."""


class Source(SourceOptions):
    """A resource of a source."""

    resource: str | None = None
    """Its name. Default: the only one."""

    arguments: dict[str, Any] = {}
    """What the function is called with. What it does not get here, dlt looks for in its own configuration."""
