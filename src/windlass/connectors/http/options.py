"""The keys of an API in `from:` and `dev:`."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from windlass.connectors.http.keys import is_path
from windlass.connectors.options import DevServiceOptions, SourceOptions
from windlass.options import Duration, Minimum, Options

__all__ = ["DevService", "Paginate", "Retry", "Source"]

_RECORDS = re.compile(r"\[\]|[A-Za-z_]\w*(\.[A-Za-z_]\w*)*(\[\])?")


class Paginate(Options):
    """How the pages of an API follow each other."""

    type: Literal["page_number", "offset", "cursor", "json_link", "header_link", "single_page"]
    """`page_number` counts pages and `offset` records, each until a page has none; `cursor` sends what the answer
    gives for the next page, `json_link` and `header_link` follow the link that it gives in its body or in its `Link`
    header; `single_page` is one answer, whatever it says of others."""

    param: str | None = None
    """The parameter of the query that has the number (`page` unless said), the offset (`offset`), or the cursor."""

    start: Annotated[int, Minimum(0)] | None = None
    """The number of the first page, 1 unless said; or the first offset, 0."""

    limit_param: str = "limit"
    """For `offset`: the parameter of the query that has how many records a page may have."""

    limit: Annotated[int, Minimum(1)] = 100
    """For `offset`: how many records a page may have."""

    next: str | None = None
    """For `cursor` and `json_link`: where the answer has it, such as `meta.next` or `data[-1].id` (JMESPath)."""

    more: str | None = None
    """Where the answer says whether there are other pages, such as `has_more` (JMESPath): false, null or nothing there
    ends them."""

    total: str | None = None
    """Where the answer says how many records there are in all (JMESPath). Fewer than that are an error."""

    max_pages: Annotated[int, Minimum(1)] = 1000
    """More pages than these are an error."""

    @property
    def counted_by(self) -> str:
        """The parameter that tells pages apart."""
        return self.param or {"page_number": "page", "offset": "offset"}[self.type]

    @property
    def first(self) -> int:
        """The first number or offset."""
        return self.start if self.start is not None else int(self.type == "page_number")

    def refusal(self) -> str | None:
        counts = self.type in ("page_number", "offset")
        if self.type == "cursor" and (self.param is None or self.next is None):
            return (
                "`cursor` needs `param`, the parameter that it is sent as, and `next`, where an answer has it"
            )
        if self.type == "json_link" and self.next is None:
            return "`json_link` needs `next`, where an answer has the link to the next page"
        if self.next is not None and self.type not in ("cursor", "json_link"):
            return f"`next` is for `cursor` and `json_link`, and the type is {self.type}"
        if self.start is not None and not counts:
            return f"`start` is for what is counted, and the type is {self.type}"
        if self.param is not None and not counts and self.type != "cursor":
            return f"`param` is for what a request says, and the type is {self.type}"
        for key in ("next", "more", "total"):
            if (path := getattr(self, key)) is not None and not is_path(path):
                return f"`{key}` is where an answer has it, such as meta.next or data[-1].id; got {path!r}"
        return None


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
        for name in self._paged_by():
            if name in self.query:
                return f"`query` has {name!r}, which `paginate` sets"
        return None

    def _paged_by(self) -> tuple[str, ...]:
        """The parameters that `paginate` sets."""
        if self.paginate is None or self.paginate.type not in ("page_number", "offset", "cursor"):
            return ()
        limit = (self.paginate.limit_param,) if self.paginate.type == "offset" else ()
        return (self.paginate.counted_by, *limit)


class DevService(DevServiceOptions):
    """A server of files that stands in for an API."""

    serve: str | None = None
    """The folder, relative to the project, whose files are served."""

    def lacks(self) -> str | None:
        return "nothing to serve" if self.serve is None else None
