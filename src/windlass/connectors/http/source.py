"""The records of a JSON API as the source of a copy.

They are asked for page by page, and kept as they are written: no number is read and written again. A page that is the
same as one before is an error: the server does not do what `paginate` says.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from windlass.connectors.ends import ConnectedEnd
from windlass.connectors.http import options
from windlass.connectors.http.answers import Answer, ask
from windlass.connectors.http.paging import Page, Request, next_link, requests
from windlass.connectors.relations import records_relation
from windlass.connectors.scratch import Scratch
from windlass.connectors.source import BaseSource, Reading, Relation
from windlass.errors import Code, FatalError, RetryableError

__all__ = ["HttpSource"]

_MORE = ("next", "next_page", "next_url", "has_more", "hasMore", "next_cursor")
"""Keys by which an answer tells that it is not all."""

_ONE = options.Paginate(type="single_page")


class HttpSource(BaseSource):
    """A path of an API. Implements `Source`."""

    def __init__(self, end: ConnectedEnd[options.Source]) -> None:
        self.options, self.address = end.options, end.address
        self.name = f"{end.connection}: {end.options.path}"
        self._url = _url(end)
        self._first: list[int] = []  # of each page with records: the number of the first one
        self._names: list[str] = []  # what it is called

    def fingerprint(self) -> dict[str, object]:
        return {"url": self._url, "query": dict(self.options.query), "records": self.options.records}

    def open(self, reading: Reading, scratch: Scratch) -> Relation:
        return records_relation(self.name, self._records(), reading, scratch, self._place)

    def _records(self) -> Iterator[bytes]:
        total, seen = 0, dict[bytes, str]()
        for page, records in self._pages():
            digest = hashlib.sha256(b"\n".join(records)).digest()
            self._names.append(page)
            if digest in seen:
                raise FatalError(
                    f"{self.name}: {page} has the same records as {seen[digest]}",
                    hint="say in `paginate` how the API really counts its pages; the first one may have number 0",
                    code=Code.API_ANSWER,
                )
            seen[digest] = page
            self._first.append(total)
            total += len(records)
            yield from records

    def _pages(self) -> Iterator[tuple[str, list[bytes]]]:
        """What each page with records is called, and its records."""
        paginate = self.options.paginate or _ONE
        asking, total = requests(paginate, self.name), 0
        request = next(asking)
        for _ in range(paginate.max_pages):
            url = self._url_of(request)
            answer = ask(url, self.options.headers, self.address, self.options.retry)
            records = self._found(answer, request.name)
            if self.options.paginate is None:
                self._require_last(answer)
            if records:
                yield request.name, records
            total += len(records)
            page = Page(url, answer, len(records))
            try:
                request = asking.send(page)
            except StopIteration:
                self._require_total(page, total)
                return
        raise FatalError(
            f"{self.name} has more than {paginate.max_pages} pages",
            hint="allow more with `max_pages`, or ask for larger pages",
            code=Code.API_ANSWER,
        )

    def _url_of(self, request: Request) -> str:
        if request.url is not None:
            return request.url
        query = {**self.address.options, **self.options.query, **request.query}
        return f"{self._url}?{urlencode(_texts(query))}" if query else self._url

    def _require_total(self, page: Page, count: int) -> None:
        """Raise RetryableError when the last page speaks of more records than have come."""
        path = self.options.paginate.total if self.options.paginate else None
        total = page.at(path)
        if path is None or (isinstance(total, int) and total <= count):
            return
        if not isinstance(total, int) or isinstance(total, bool):
            raise FatalError(
                f"{self.name}: {path} of the answer is no number of records", code=Code.API_ANSWER
            )
        raise RetryableError(
            f"{self.name}: {count} records have come, and {path} of the answer says {total}",
            hint="the pages may have moved while they were read; sort by something that does not change",
            code=Code.API_ANSWER,
        )

    def _found(self, answer: Answer, page: str) -> list[bytes]:
        """The text of each record of an answer."""
        try:
            answer.body.decode()  # which msgspec does not look at in what it leaves as it is
            found = _list_at(self.options.records, answer.body)
        except (msgspec.DecodeError, UnicodeDecodeError) as exc:
            kind = FatalError if answer.known_length else RetryableError  # it may have been cut off
            raise kind(f"{self.name}: {page} is not valid JSON: {exc}", code=Code.API_ANSWER) from exc
        if found is None:
            hint = "say with `records` which keys lead to it, such as data.items"
            message = f"{self.name}: {page} has no list of records at {self.options.records!r}"
            raise FatalError(message, hint=hint, code=Code.API_ANSWER)
        return found

    def _require_last(self, answer: Answer) -> None:
        """Raise FatalError when the answer says that there are others."""
        tells = "a `Link` to the next page" if next_link(answer) else None
        if tells is None and answer.body.lstrip()[:1] == b"{":
            try:
                keys = msgspec.json.decode(answer.body, type=dict[str, Any])
            except msgspec.DecodeError:
                return  # which is told by who looks for the records
            tells = next((f"`{key}`" for key in _MORE if keys.get(key)), None)
        if tells is not None:
            raise FatalError(
                f"{self.name}: the answer has {tells}, so it is not all",
                hint="say how its pages follow each other, such as `paginate: {type: header_link}`; or take this one only, "
                "with `paginate: {type: single_page}`",
                code=Code.API_ANSWER,
            )

    def _place(self, ordinal: int) -> str:
        """Where the record of that number came from."""
        if self.options.paginate is None or self.options.paginate.type == "single_page":
            return self.name
        return f"{self.name}: {self._names[bisect_right(self._first, ordinal) - 1]}"


def _url(end: ConnectedEnd[options.Source]) -> str:
    """The address of the request, without user, password and parameters."""
    address, path = end.address, end.options.path
    host = f"[{address.host}]" if ":" in address.host else address.host
    port = f":{address.port}" if address.port else ""
    base = quote(address.database, safe="/%:@!$&'()*+,;=-._~").strip("/")
    below = quote(path, safe="/%:@!$&'()*+,;=-._~").lstrip("/")
    return f"{address.scheme or 'http'}://{host}{port}/{base}{'/' if base else ''}{below}"


def _texts(query: Mapping[str, object]) -> dict[str, str]:
    """Values as JSON writes them: `true`, not `True`."""
    return {
        key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in query.items()
    }


def _list_at(path: str, body: bytes) -> list[bytes] | None:
    """The items of the list to which keys lead, each as it is written; None where there is none."""
    found = msgspec.json.decode(body, type=msgspec.Raw)
    for key in filter(None, path.removesuffix("[]").split(".")):
        if bytes(found)[:1] != b"{":
            return None
        inner = msgspec.json.decode(found, type=dict[str, msgspec.Raw])
        if key not in inner:
            return None
        found = inner[key]
    if bytes(found)[:1] != b"[":
        return None
    return [bytes(item) for item in msgspec.json.decode(found, type=list[msgspec.Raw])]
