"""The keys of an API in `from:` and `dev:`."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from windlass.connectors.options import DevServiceOptions, SourceOptions
from windlass.options import Duration, Minimum, Options

__all__ = ["DevService", "Paginate", "Retry", "Source"]

_RECORDS = re.compile(r"\[\]|[A-Za-z_]\w*(\.[A-Za-z_]\w*)*(\[\])?")


class Paginate(Options):
    """How the pages of an API follow each other."""

    type: Literal["page_number", "single_page"]
    """`page_number` counts pages until one has no records; `single_page` is one answer, whatever it says of others."""

    param: str = "page"
    """The parameter of the query that has the number of the page."""

    start: Annotated[int, Minimum(0)] = 1
    """The number of the first page."""

    max_pages: Annotated[int, Minimum(1)] = 1000
    """More pages than these are an error."""


class Retry(Options):
    """What happens when an answer does not come, breaks off, or has a status of 408, 425, 429, 500, 502, 503 or 504."""

    attempts: Annotated[int, Minimum(1)] = 5
    """How often a page is asked for."""

    max_wait: Duration = 600.0
    """The longest wait before an attempt. A `Retry-After` that asks for more ends the attempt of the task."""


class Source(SourceOptions):
    """The records of a JSON API, which answers GET requests with pages of them."""

    path: str
    """The path of the request, behind the address of the connection."""

    query: dict[str, str | int | float | bool] = {}
    """The parameters of the request."""

    headers: dict[str, str] = {}
    """Headers of the request."""

    paginate: Paginate | None = None
    """How the pages follow each other. Without it there is one answer, and one that tells of further pages is an error."""

    records: str = "[]"
    """Where the list of records is in an answer: `[]`, the answer itself, or keys such as `data.items` (JMESPath)."""

    retry: Retry = Retry()
    """When a page is asked for again."""

    def refusal(self) -> str | None:
        if not _RECORDS.fullmatch(self.records):
            return f"`records` is `[]` or the keys that lead to the list, such as data.items; got {self.records!r}"
        if "?" in self.path or "#" in self.path:
            return "`path` has no parameters; they belong into `query`"
        if (
            self.paginate is not None
            and self.paginate.type == "page_number"
            and self.paginate.param in self.query
        ):
            return f"`query` has {self.paginate.param!r}, which `paginate` counts"
        return None


class DevService(DevServiceOptions):
    """A server of files that stands in for an API."""

    serve: str | None = None
    """The folder, relative to the project, whose files are served."""

    def lacks(self) -> str | None:
        return "nothing to serve" if self.serve is None else None
