"""How the pages of an API follow each other: each way is a generator that gives a request and is sent its page.

It ends when the API has said that there is no other page. What it says that cannot be is an error: a cursor or link
that was followed before, a total that the records do not reach, a link to another server.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeAlias
from urllib.parse import quote, urljoin, urlsplit

from windlass.connectors.http.answers import Answer
from windlass.connectors.http.conditions import holds
from windlass.connectors.http.keys import is_path
from windlass.connectors.http.options import Paginate
from windlass.errors import Code, FatalError

__all__ = ["Page", "Request", "following", "next_link", "requests"]


@dataclass(frozen=True)
class Request:
    """What is asked for next."""

    name: str
    """What errors and the quarantine call its page."""

    values: Mapping[str, object] = field(default_factory=dict)
    """What is sent beside what the source says: in the query, the body or the headers."""

    url: str | None = None
    """The whole address, where the API has given it; it has its parameters already."""


@dataclass(frozen=True)
class Page:
    """What has come."""

    url: str
    answer: Answer
    records: int


Requests: TypeAlias = Generator[Request, Page, None]


def requests(paginate: Paginate, name: str) -> Requests:
    """The requests for all pages. Raises FatalError for what an API must not say."""
    return _WAYS[paginate.type](paginate, name)


def following(paginate: Paginate, request: Request) -> Iterator[Request]:
    """The requests that come after one that counts, if its page is full."""
    step, make = (1, _numbered) if paginate.type == "page_number" else (paginate.limit, _at_offset)
    counted = request.values[paginate.counted_by]
    assert isinstance(counted, int)
    yield from (make(paginate, counted + step * number) for number in range(1, paginate.concurrency))


def _numbered(paginate: Paginate, number: int) -> Request:
    return Request(f"page {number}", {paginate.counted_by: number})


def _at_offset(paginate: Paginate, offset: int) -> Request:
    return Request(
        f"the page at {offset}", {paginate.counted_by: offset, paginate.limit_param: paginate.limit}
    )


def _by_number(paginate: Paginate, name: str) -> Requests:
    number = paginate.first
    while True:
        page = yield _numbered(paginate, number)
        if not page.records or _is_last(paginate, page):
            return
        number += 1


def _by_offset(paginate: Paginate, name: str) -> Requests:
    offset = paginate.first
    while True:
        page = yield _at_offset(paginate, offset)
        offset += page.records  # a server may give fewer than it was asked for
        if not page.records or _is_last(paginate, page):
            return


def _by_cursor(paginate: Paginate, name: str) -> Requests:
    seen, number = set[str](), 1
    page = yield Request("page 1")
    while not _is_last(paginate, page) and (cursor := _next_at(paginate, page, name)):
        if cursor in seen:
            raise _goes_round(name, f"the cursor {cursor!r} leads to itself")
        seen.add(cursor)
        number += 1
        page = yield Request(f"page {number}", {paginate.counted_by: cursor})


def _by_json_link(paginate: Paginate, name: str) -> Requests:
    return _by_link(paginate, name, lambda page: _next_at(paginate, page, name))


def _by_header_link(paginate: Paginate, name: str) -> Requests:
    return _by_link(paginate, name, lambda page: next_link(page.answer))


def _by_link(paginate: Paginate, name: str, link_of: Callable[[Page], str | None]) -> Requests:
    seen, number = set[str](), 1
    page = yield Request("page 1")
    while not _is_last(paginate, page) and (link := link_of(page)):
        url = _led_to(page.url, link, f"{name}: page {number}")
        if _server(url) != _server(page.url):
            raise FatalError(
                f"{name}: page {number} leads to {url}, which is another server", code=Code.API_ANSWER
            )
        if url in seen:
            raise _goes_round(name, f"the link to {url} leads to itself")
        seen.add(url)
        number += 1
        page = yield Request(f"page {number}", url=url)


def _led_to(url: str, link: str, where: str) -> str:
    """The address of a link, written as a request has it. Raises FatalError for one that is not an address."""
    try:
        led_to = quote(urljoin(url, link), safe=_AS_IT_IS)
        _server(led_to)
    except ValueError as exc:
        raise FatalError(
            f"{where} has a link that is not an address: {link!r}", code=Code.API_ANSWER
        ) from exc
    return led_to


def _once(paginate: Paginate, name: str) -> Requests:
    yield Request("the answer")


_WAYS: Mapping[str, Callable[[Paginate, str], Requests]] = {
    "page_number": _by_number,
    "offset": _by_offset,
    "cursor": _by_cursor,
    "json_link": _by_json_link,
    "header_link": _by_header_link,
    "single_page": _once,
}


def _is_last(paginate: Paginate, page: Page) -> bool:
    """Whether the answer says so: where `more` leads is false, null, 0 or nothing, or it is not as `more` says."""
    if paginate.more is None:
        return False
    if is_path(paginate.more):
        return not page.answer.at(paginate.more)
    return not holds(paginate.more, page.answer.content)


def _next_at(paginate: Paginate, page: Page, name: str) -> str | None:
    """The cursor or link of an answer as it is sent; None for what means that there is none."""
    value = page.answer.at(paginate.next)
    if isinstance(value, bool) or value is None or value == "":
        return None
    if isinstance(value, dict | list):
        what = "an object" if isinstance(value, dict) else "a list"
        hint = "say with `next` which of its values it is"
        raise FatalError(
            f"{name}: {paginate.next} of the answer is {what}, and no {_CALLED[paginate.type]}",
            hint=hint,
            code=Code.API_ANSWER,
        )
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


_CALLED = {"cursor": "cursor", "json_link": "link"}


def _goes_round(name: str, what: str) -> FatalError:
    hint = "its pages would never end; say in `paginate` how they really follow each other"
    return FatalError(f"{name}: {what}", hint=hint, code=Code.API_ANSWER)


_AS_IT_IS = "%/:=&?~#+!$,;'@()*[]"


def _server(url: str) -> tuple[str, str]:
    return urlsplit(url)[:2]


_LINK = re.compile(r'<([^>]*)>((?:\s*;\s*[\w*-]+(?:\s*=\s*(?:"[^"]*"|[^",;\s]+))?)*)')
_PARAMETER = re.compile(r';\s*([\w*-]+)(?:\s*=\s*(?:"([^"]*)"|([^",;\s]+)))?')


def next_link(answer: Answer) -> str | None:
    """The target of the `Link` whose relation is `next` (RFC 8288)."""
    for target, parameters in _LINK.findall(", ".join(answer.headers.get_all("Link", []))):
        said = _PARAMETER.findall(parameters)  # each whole: a title may have `; rel=` in it
        relations = next((quoted or word for name, quoted, word in said if name.lower() == "rel"), "")
        if "next" in relations.lower().split():
            return quote(target.encode("latin-1"), safe=_AS_IT_IS)  # as http.client has decoded it
    return None
