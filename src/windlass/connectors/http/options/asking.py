"""The keys that say what else a request depends on: other rows, and the last load."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

import msgspec

from windlass.connectors.http.keys import is_path
from windlass.options import Many, Minimum, Options

__all__ = ["Parent", "Since"]


class Parent(Options):
    """Other rows, for each of which there is a request: those of a connection, of a file, or `values`."""

    as_: str = msgspec.field(default="parent", name="as")
    """What a row is called in `{…}`, such as `issue` for `{issue.number}`; `{issue}` is a value by itself."""

    values: Many[Any] = ()
    """The rows, or single values."""

    connection: str | None = None
    """The connection that has them."""

    table: str | None = None
    """Its table."""

    query: str | None = None
    """A SELECT instead of a table."""

    path: str | None = None
    """A file, relative to the workspace; or the path of another API."""

    records: str | None = None
    """Where the other API has the list of them."""

    auth: str | None = None
    """Which of the `auths` of the other API says who asks."""

    fields: dict[str, str] = {}
    """What each record gets of its parent: `{issue: number}` adds its `number` as `issue`."""

    concurrency: Annotated[int, Minimum(1)] = 1
    """For how many of them requests are made at once."""

    def refusal(self) -> str | None:
        if not re.fullmatch(r"[A-Za-z_]\w*", self.as_):
            return f"`as` is a name; got {self.as_!r}"
        if self.connection is None and (self.table or self.query or self.records or self.auth):
            return "`table`, `query`, `records` and `auth` need `connection`"
        if [bool(self.values), self.path is not None or self.connection is not None].count(True) != 1:
            return "needs one of `values`, `path` and `connection`"
        for path in self.fields.values():
            if path and not is_path(path):
                return f"`fields` has what leads to a value of the parent, such as author.id; got {path!r}"
        return None


class Since(Options):
    """What an API is told so that it sends only what may be new: with `incremental`, the highest value of the cursor that was
    loaded, less `lookback`."""

    param: str
    """The parameter that it is sent as."""

    in_: Literal["query", "body", "header"] = msgspec.field(default="query", name="in")
    """Where it is sent. In a body, `param` leads to its place, such as `variables.since`."""

    format: Literal["iso", "date", "unix", "unix_ms"] = "iso"
    """How a time is written: as `2024-02-29T12:00:00Z`, as `2024-02-29`, or in seconds or milliseconds since 1970; rounded
    down to whole seconds. Numbers and text are sent as they are."""

    start: str | int | float | None = None
    """What is sent as long as nothing was loaded. Default: nothing."""
