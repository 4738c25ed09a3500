"""The keys of a Feather file in `from:` and `to:`."""

from __future__ import annotations

from windlass.connectors.options import DestinationOptions, SourceOptions

__all__ = ["Destination", "Source"]


class Source(SourceOptions):
    """The rows of a Feather file."""


class Destination(DestinationOptions):
    """A Feather file, made when it is missing."""
