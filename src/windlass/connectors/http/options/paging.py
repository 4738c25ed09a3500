"""The keys that say how pages follow each other."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from windlass.connectors.http.conditions import is_condition
from windlass.connectors.http.keys import is_path
from windlass.options import Minimum, Options

__all__ = ["Paginate"]


class Paginate(Options):
    """How the pages of an API follow each other."""

    type: Literal["page_number", "offset", "cursor", "json_link", "header_link", "single_page"]
    """`page_number` counts pages and `offset` records, each until a page has none; `cursor` sends what the answer
    gives for the next page, `json_link` and `header_link` follow the link that it gives in its body or in its `Link`
    header; `single_page` is one answer, whatever it says of others."""

    in_: Literal["query", "body", "header"] = msgspec.field(default="query", name="in")
    """Where number, offset or cursor are sent. In a body, `param` leads to its place, such as `variables.after`."""

    param: str | None = None
    """The parameter that has the number (`page` unless said), the offset (`offset`), or the cursor."""

    start: Annotated[int, Minimum(0)] | None = None
    """The number of the first page, 1 unless said; or the first offset, 0."""

    limit_param: str = "limit"
    """For `offset`: the parameter that has how many records a page may have."""

    limit: Annotated[int, Minimum(1)] = 100
    """For `offset`: how many records a page may have."""

    next: str | None = None
    """For `cursor` and `json_link`: where the answer has it, such as `meta.next` or `data[-1].id` (JMESPath)."""

    more: str | None = None
    """Where the answer says whether there are other pages, such as `has_more` (JMESPath): false, null or nothing there
    ends them. Or what it says as long as there are, such as `done != true` or `status == "partial"`."""

    total: str | None = None
    """Where the answer says how many records there are in all (JMESPath). Fewer than that are an error."""

    max_pages: Annotated[int, Minimum(1)] = 1000
    """More pages than these are an error."""

    concurrency: Annotated[int, Minimum(1)] = 1
    """For `page_number` and `offset`: how many pages are asked for at once. The last ones may be asked for in vain."""

    @property
    def reads_the_answer(self) -> bool:
        """Whether it needs something that is in an answer's JSON."""
        return any(key is not None for key in (self.next, self.more, self.total))

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
        if self.in_ != "query" and not counts and self.type != "cursor":
            return f"`in` is for what a request says, and the type is {self.type}"
        if self.concurrency > 1 and not counts:
            return f"`concurrency` is for what is counted, and the type is {self.type}"
        if self.more is not None and not is_condition(self.more):
            return f"`more` is where an answer has it, such as has_more, or a comparison such as done != true; got {self.more!r}"
        for key in ("next", "total"):
            if (path := getattr(self, key)) is not None and not is_path(path):
                return f"`{key}` is where an answer has it, such as meta.next or data[-1].id; got {path!r}"
        return None
