"""The keys that say what else a request depends on: other rows, and the last load."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

import msgspec

from windlass.connectors.http.keys import is_path
from windlass.options import Duration, Many, Minimum, Options

__all__ = ["Parent", "Since"]

_FORMATS = ("iso", "date", "unix", "unix_ms")
_OF_TIME = ("%H", "%I", "%S", "%s", "%f", "%X", "%c", "%T")
_DAY = 86_400.0


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

    format: str = "iso"
    """How a time is written: `iso` as `2024-02-29T12:00:00Z`, `date` as `2024-02-29`, `unix` or `unix_ms` in seconds or
    milliseconds since 1970, or as a pattern of strftime says, such as `"%d/%m/%Y %H:%M"`; in UTC, rounded down to whole seconds.
    Numbers and text are sent as they are."""

    start: str | int | float | None = None
    """What is sent as long as nothing was loaded: as it is, but for a time such as `2024-02-29`, which is written as the `format`
    `unix`, `unix_ms` or a pattern says. Default: nothing."""

    until: str | None = None
    """The parameter, sent in the same place, that says until when: the end of the run's data interval, or now where there is
    none."""

    window: Duration | None = None
    """With `until`: the longest time that is asked for at once, such as `30d`. Longer ones are asked for piece by piece."""

    @property
    def is_date(self) -> bool:
        """Whether times are written without their hours."""
        return self.format == "date" or (
            "%" in self.format and not any(code in self.format for code in _OF_TIME)
        )

    def refusal(self) -> str | None:
        if "%" not in self.format and self.format not in _FORMATS:
            return f"`format` is one of {', '.join(_FORMATS)}, or a pattern such as '%d/%m/%Y %H:%M'; got {self.format!r}"
        if self.window is None:
            return None
        if self.until is None:
            return "`window` needs `until`, the parameter that says where a window ends"
        if self.window < (2 * _DAY if self.is_date else 2.0):
            unit = "day" if self.is_date else "second"
            return f"`window` is 2 {unit}s or longer, since windows overlap by one {unit}"
        return None
