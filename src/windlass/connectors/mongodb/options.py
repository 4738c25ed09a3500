"""The keys of a collection in `from:`, `to:` and `dev:`."""

from __future__ import annotations

from typing import Any, Literal

from windlass.connectors.options import DestinationOptions, DevServiceOptions, SourceOptions
from windlass.options import OneOrMany

__all__ = ["Destination", "DevService", "Source"]


class Source(SourceOptions):
    """A collection. Each field of its documents is a column."""

    collection: str
    """The name of the collection, or of a view."""

    filter: dict[str, Any] = {}
    """Which documents: a filter as MongoDB has it. What YAML has no word for is written as Extended JSON, such as
    `{at: {$gte: {$date: "2024-01-01T00:00:00Z"}}}`."""

    projection: dict[str, Any] = {}
    """Which fields, as MongoDB has it: `{name: 1}`, or `{secret: 0}`."""


class Destination(DestinationOptions):
    """A collection. Each column becomes a field."""

    collection: str
    """The name of the collection; it is created when it is missing."""

    microseconds: Literal["refuse", "drop", "text"] = "refuse"
    """MongoDB keeps times to the millisecond. What becomes of one with microseconds: its row is bad, or they are cut
    off; or `text`, and times are text in ISO 8601 instead of dates."""

    object_ids: OneOrMany[str] = ()
    """Columns whose text of 24 hexadecimal digits becomes an ObjectId."""

    def refusal(self) -> str | None:
        if self.collection.startswith(("system.", "_windlass")) or "$" in self.collection:
            return f"a collection cannot be called {self.collection!r}"
        return super().refusal()


class DevService(DevServiceOptions):
    """A server that stands in for MongoDB."""

    image: str = "mongo:8"
    """The image of its container, where neither `mongod` nor `ferretdb` is on this machine's PATH."""

    init: OneOrMany[str] = ()
    """Files of the project with a document a line, in Extended JSON; each goes into the collection that is called as
    the file is, when the dev service is new."""

    def files(self) -> tuple[str, ...]:
        return self.init
