"""The records of an API as the source of a copy.

They are asked for page by page, and kept as they are written: no number is read and written again. A page that is the
same as one before is an error: the server does not do what `paginate` says.
"""

from __future__ import annotations

import hashlib
import json
import threading
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import urlencode

import msgspec

from windlass import web
from windlass.connectors.ends import ConnectedEnd
from windlass.connectors.http import options
from windlass.connectors.http.addresses import texts, url_of
from windlass.connectors.http.ahead import Ahead
from windlass.connectors.http.answers import Answer, Ask
from windlass.connectors.http.asking import Api
from windlass.connectors.http.auth import credentials_of
from windlass.connectors.http.fields import EVERYTHING, Fields
from windlass.connectors.http.formats import FormatError, count_of_csv, records_in, require_csv
from windlass.connectors.http.hook import ApiClient, relation_of
from windlass.connectors.http.loading import arriving_relation
from windlass.connectors.http.more import tells_of_more
from windlass.connectors.http.pace import Pace, turns_of
from windlass.connectors.http.paging import Page, Request, following, next_link, requests
from windlass.connectors.http.parents import Child, children, side_by_side
from windlass.connectors.http.since import Span, spans
from windlass.connectors.relations import csv_relation
from windlass.connectors.scratch import Scratch
from windlass.connectors.source import BaseSource, Reading, Relation
from windlass.errors import Code, FatalError, RetryableError
from windlass.options import read_options
from windlass.web_session import Session

__all__ = ["HttpSource"]

_GIVEN = ("cursor", "json_link", "header_link")
"""The ways in which the answer itself says what comes next."""

_ENDLESS = ("csv", "ndjson")
"""The formats in which half an answer looks like a whole one."""

_UTF8 = "utf-8"
_ONE = options.Paginate(type="single_page")
_ACCEPTED = {
    "json": "application/json",
    "ndjson": "application/x-ndjson, application/jsonl, application/json",
    "csv": "text/csv",
    "xml": "application/xml, text/xml, application/rss+xml, application/atom+xml",
}


class HttpSource(BaseSource):
    """A path of an API. Implements `Source`."""

    def __init__(self, end: ConnectedEnd[options.Source]) -> None:
        self.options, self._end = end.options, end
        self.name = f"{end.connection}: {end.options.path or end.options.python}"
        self._session = Session()
        self._apis = _Apis(end, self._session)
        self._fields = Fields(end.options.fields)
        self._spans: list[Span] = [Span()]
        self._first: list[int] = []  # of each page with records: the number of the first one
        self._names: list[str] = []  # what it is called

    def fingerprint(self) -> dict[str, object]:
        said = self.options
        if said.python is not None:
            return {"url": url_of(self._end.address, ""), "python": said.python, "arguments": said.arguments}
        asked = {
            "url": url_of(self._end.address, said.path),
            "query": dict(said.query),
            "records": said.records,
        }
        more = {
            "body": said.body,
            "form": said.form,
            "parent": said.parent and msgspec.to_builtins(said.parent),
            "fields": said.fields,
        }
        return asked | {key: value for key, value in more.items() if value}

    def open(self, reading: Reading, scratch: Scratch) -> Relation:
        if self.options.python is not None:
            client = ApiClient(
                lambda path: url_of(self._end.address, path), self._apis.of(self.options.auth).answer
            )
            project = self._end.workspace.project
            return relation_of(
                self.name, self.options.python, self.options.arguments, client, project, reading, scratch
            )
        if self.options.since is not None:
            self._spans = self._spans_of(self.options.since, reading)
        if self.options.format == "csv":
            pages = ((page.name, page.body) for page in self._pages(scratch))
            return csv_relation(self.name, pages, self.options.csv, reading, scratch)
        names = tuple(self.options.fields) if EVERYTHING not in self.options.fields else ()
        return arriving_relation(self.name, self._records(scratch), reading, scratch, self._place, names)

    def close(self) -> None:
        self._session.close()

    def _spans_of(self, said: options.Since, reading: Reading) -> list[Span]:
        """The spans of time to ask for. Raises FatalError where what windows have in common cannot be told."""
        if said.window is not None and reading.since is None:
            raise FatalError(
                f"{self.name}: `window` of `since` needs `incremental` with a `cursor`",
                hint="windows overlap, and what comes twice is known by its time",
            )
        end = self._end.interval[1] if self._end.interval is not None else datetime.now(UTC)
        return list(spans(said, reading.since, end))

    def _records(self, scratch: Scratch) -> Iterator[bytes]:
        total = 0
        for page in self._pages(scratch):
            self._names.append(page.name)
            self._first.append(total)
            total += len(page.records)
            yield from page.records

    def _pages(self, scratch: Scratch) -> Iterator[_Read]:
        """The pages with records, of all parents."""
        asked, parent = children(self._end, scratch), self.options.parent
        if parent is None or parent.concurrency == 1:
            for child in asked:
                yield from self._windows_of(child)
            return
        for pages in side_by_side(lambda child: list(self._windows_of(child)), asked, parent.concurrency):
            yield from pages

    def _windows_of(self, child: Child) -> Iterator[_Read]:
        """The pages of one parent, of each span of time: without the records that the span before had, too."""
        before = Counter[bytes]()
        for span in self._spans:
            named = f"since {span.since}" if len(self._spans) > 1 else ""
            window = replace(child, name=", ".join(filter(None, (child.name, named))), span=span)
            if len(self._spans) == 1:
                yield from self._pages_of(window)
                return
            there, before = before, Counter()
            for page in self._pages_of(window):
                before.update(map(_digest, page.records))
                yield page._replace(records=list(_not_yet(page.records, there)))

    def _pages_of(self, child: Child) -> Iterator[_Read]:
        paginate = self.options.paginate or _ONE
        name = f"{self.name}: {child.name}" if child.name else self.name
        asking, total, seen = requests(paginate, name), 0, dict[bytes, str]()
        request = next(asking)
        with Ahead(paginate.concurrency, lambda each: self._asked(child, each)) as ahead:
            for _ in range(paginate.max_pages):
                more = following(paginate, request) if paginate.concurrency > 1 else ()
                ask, answer = ahead.answer(request, more)
                if answer.skipped:
                    return
                read = self._read(child, request, answer, name, seen)
                if read is not None:
                    yield read
                page = Page(ask.url, answer, read.amount if read is not None else 0)
                total += page.records
                try:
                    request = asking.send(page)
                except StopIteration:
                    self._require_end(name, request, page)
                    self._require_total(name, page, total)
                    return
        raise FatalError(
            f"{name} has more than {paginate.max_pages} pages",
            hint="allow more with `max_pages`, or ask for larger pages",
            code=Code.API_ANSWER,
        )

    def _asked(self, child: Child, request: Request) -> tuple[Ask, Answer]:
        ask = self._ask(child.said, request, child.span)
        return ask, self._apis.of(child.said.auth).answer(ask)

    def _read(
        self, child: Child, request: Request, answer: Answer, name: str, seen: dict[bytes, str]
    ) -> _Read | None:
        """What an answer has; None where that is not a record. Raises FatalError for a page that came before."""
        records = self._found(answer, f"{name}: {request.name}")
        if self.options.paginate is None:
            self._require_last(answer)
        count = count_of_csv(answer.body) if self.options.format == "csv" else len(records)
        if not count:
            return None
        self._require_new(name, request.name, answer, records, seen)
        return _Read(_named(child, request), self._shaped(records, child, name), answer.body, count)

    def _shaped(self, records: list[bytes], child: Child, name: str) -> list[bytes]:
        """The records with those fields that are wanted of them and of their parent."""
        if self.options.fields:
            records = [self._fields.of(record) for record in records]
        return [_with(record, child, name) for record in records] if child.fields else records

    def _ask(self, said: options.Source, request: Request, span: Span) -> Ask:
        placed: dict[str, dict[str, object]] = {"query": {}, "body": {}, "header": {}}
        if said.since is not None:
            told = {said.since.param: span.since, said.since.until: span.until}
            placed[said.since.in_] |= {str(key): value for key, value in told.items() if value is not None}
        placed[(said.paginate or _ONE).in_] |= request.values
        headers = {
            "Accept": _ACCEPTED[said.format],
            "Accept-Encoding": "gzip",
            "User-Agent": web.AGENT,
            **said.headers,
            **texts(placed["header"]),
        }
        url = request.url
        if url is None:
            query = texts({**said.query, **placed["query"]})
            url = url_of(self._end.address, said.path) + (f"?{urlencode(query)}" if query else "")
        ask = Ask(url, headers) if said.method == "GET" else _posted(url, headers, said, placed["body"])
        return replace(ask, is_read_as_sent=said.format == "csv" and said.csv.encoding != _UTF8)

    def _require_new(
        self, name: str, page: str, answer: Answer, records: list[bytes], seen: dict[bytes, str]
    ) -> None:
        """Raise FatalError when another page was the same."""
        digest = hashlib.sha256(b"\n".join(records) if records else answer.body).digest()
        if digest in seen:
            raise FatalError(
                f"{name}: {page} has the same records as {seen[digest]}",
                hint="say in `paginate` how the API really counts its pages; the first one may have number 0",
                code=Code.API_ANSWER,
            )
        seen[digest] = page

    def _require_total(self, name: str, page: Page, count: int) -> None:
        """Raise RetryableError when the last page speaks of more records than have come."""
        path = self.options.paginate.total if self.options.paginate else None
        total = page.answer.at(path)
        if path is None:
            return
        if not isinstance(total, int) or isinstance(total, bool):
            raise FatalError(f"{name}: {path} of the answer is not a number of records", code=Code.API_ANSWER)
        if total <= count:
            return
        raise RetryableError(
            f"{name}: {count} records have come, and {path} of the answer says {total}",
            hint="the pages may have moved while they were read; sort by something that does not change",
            code=Code.API_ANSWER,
        )

    def _found(self, answer: Answer, page: str) -> list[bytes]:
        """The text of each record of an answer; none of CSV, which is read as a file."""
        if self.options.format in _ENDLESS and not answer.known_length:
            hint = "let its server say how long it is (`Content-Length`, chunks or gzip), or ask for JSON"
            message = f"{page} may have been cut off: it has no length, and {self.options.format} no end"
            raise FatalError(message, hint=hint, code=Code.API_ANSWER)
        try:
            if self.options.format == "csv":
                require_csv(answer.body)
                return []
            found = records_in(self.options.format, self.options.records, answer.body)
        except FormatError as exc:
            kind = FatalError if answer.known_length else RetryableError  # it may have been cut off
            raise kind(f"{page} is not {exc}", code=Code.API_ANSWER) from exc
        if found is None:
            hint = "say with `records` which keys lead to it, such as data.items; [@] takes the answer for one record"
            message = f"{page} has no list of records at {self.options.records!r}"
            raise FatalError(message, hint=hint, code=Code.API_ANSWER)
        return found

    def _require_last(self, answer: Answer) -> None:
        """Raise FatalError when the answer says that there are others."""
        tells = _told_of_more(answer)
        if tells is not None:
            raise FatalError(
                f"{self.name}: the answer has {tells}, so it is not all",
                hint="say how its pages follow each other, such as `paginate: {type: header_link}`; or take this one only, "
                "with `paginate: {type: single_page}`",
                code=Code.API_ANSWER,
            )

    def _require_end(self, name: str, request: Request, page: Page) -> None:
        """Raise FatalError when the last answer says that there are others, and only not where `paginate` looks."""
        paginate = self.options.paginate
        if paginate is None or paginate.type not in _GIVEN or paginate.more is not None or not page.records:
            return
        if (tells := _told_of_more(page.answer)) is not None:
            looked = f"`{paginate.next}`" if paginate.next is not None else "the `Link` header"
            raise FatalError(
                f"{name}: {request.name} has {tells}, so it is not the last, but nothing in {looked}",
                hint="say with `next` of `paginate` where the answer has the next one, or with `more` what ends them",
                code=Code.API_ANSWER,
            )

    def _place(self, ordinal: int) -> str:
        """Where the record of that number came from."""
        page = self._names[bisect_right(self._first, ordinal) - 1]
        return f"{self.name}: {page}" if page else self.name


class _Read(NamedTuple):
    """A page with records."""

    name: str
    """What it is called among the pages of the source; nothing where it is the only one."""

    records: list[bytes]
    """Each as it is written; none of CSV."""

    body: bytes
    amount: int
    """How many records it has."""


def _digest(record: bytes) -> bytes:
    return hashlib.blake2b(record, digest_size=16).digest()


def _not_yet(records: list[bytes], there: Counter[bytes]) -> Iterator[bytes]:
    """The records that are not there yet, each as often as it is."""
    for record in records:
        digest = _digest(record)
        if there[digest] > 0:
            there[digest] -= 1
        else:
            yield record


def _told_of_more(answer: Answer) -> str | None:
    """What of an answer tells that there are others."""
    if next_link(answer):
        return "a `Link` to the next page"
    path = tells_of_more(answer.content) if answer.body.lstrip()[:1] == b"{" else None
    return f"`{path}`" if path is not None else None


def _named(child: Child, request: Request) -> str:
    paginate = child.said.paginate or _ONE
    page = "" if paginate.type == "single_page" else request.name
    return ": ".join(filter(None, (child.name, page)))


def _with(record: bytes, child: Child, name: str) -> bytes:
    """A record with the fields of its parent before its own. One that is not an object stays as it is, a bad row."""
    if record[:1] != b"{":
        return record
    own = msgspec.json.decode(record, type=dict[str, msgspec.Raw])
    if taken := sorted(own.keys() & child.fields):
        hint = "give them other names in `fields` of `parent`"
        raise FatalError(
            f"{name}: a record has {', '.join(taken)} of its own", hint=hint, code=Code.API_ANSWER
        )
    fields = msgspec.json.encode(child.fields)
    return fields[:-1] + (b"," if own else b"") + record[1:].lstrip()


class _Apis:
    """The API as each asks it: a parent may say who. All of them have one budget, and one session. From any thread."""

    def __init__(self, end: ConnectedEnd[options.Source], session: Session) -> None:
        self._end, self._session = end, session
        self._said = read_options(options.Connection, end.address.settings)
        own = end.options.rate_limit
        shared = turns_of(end.shared, end.connection) if end.shared is not None and own is None else None
        self._pace = Pace(own or self._said.rate_limit, session.pause, shared)
        self._made: dict[str | None, Api] = {}
        self._making = threading.Lock()
        if not end.options.auth_is_of_parent:
            self.of(end.options.auth)  # what it lacks is said before anything is asked

    def of(self, auth: str | None) -> Api:
        """The API as it is asked by one of the `auths`. Raises FatalError."""
        with self._making:
            if auth not in self._made:
                end, asking = self._end, Api(self._end.options.retry).answer
                credentials = credentials_of(end.connection, end.address, self._said, asking, auth)
                self._made[auth] = Api(
                    end.options.retry, credentials, self._pace, end.options.errors, self._session
                )
            return self._made[auth]


def _posted(url: str, headers: dict[str, str], said: options.Source, values: Any) -> Ask:
    """A POST of a form, or of JSON, in which a dotted name leads to its place."""
    if said.form:
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return Ask(url, {**kind, **headers}, urlencode(texts({**said.form, **values})).encode())
    body = said.body
    for name, value in values.items():
        body = _put(body, name.split("."), value)
    return Ask(url, {"Content-Type": "application/json", **headers}, json.dumps(body).encode())


def _put(body: Any, path: list[str], value: object) -> dict[str, Any]:
    """A copy of an object with the value at the end of the path."""
    key, *rest = path
    inner = body if isinstance(body, dict) else {}
    return {**inner, key: _put(inner.get(key), rest, value) if rest else value}
