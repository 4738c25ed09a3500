"""One request to an API, and its answer: the whole of it, or an error."""

from __future__ import annotations

import http
import http.client
import urllib.request
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from email.message import Message
from functools import cached_property
from urllib.parse import quote, urlencode

import msgspec

from windlass import web
from windlass.connectors.http import keys
from windlass.connectors.http.charsets import as_utf8
from windlass.errors import Code, FatalError, RetryableError
from windlass.web_session import Session

__all__ = ["Answer", "Ask", "send"]

_LARGEST = 256_000_000
_PIECE = 1 << 20
_EXACT = msgspec.json.Decoder(float_hook=Decimal)
"""A cursor may be a number with more digits than a float keeps."""

_GZIP = zlib.MAX_WBITS | 16


@dataclass(frozen=True)
class Ask:
    """What is asked for."""

    url: str
    """The address, which anybody may see."""

    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    """What is posted; None for a GET."""

    statuses: tuple[int, ...] = (http.HTTPStatus.OK,)
    """Those of an answer."""

    is_read_as_sent: bool = False
    """Whether its reader knows what the text of the answer is encoded in."""

    secrets: Mapping[str, str] = field(default_factory=dict)
    """Parameters of the query that nobody but the server may see."""

    def request(self) -> urllib.request.Request:
        """The request, secrets included. Raises FatalError for a header that cannot be sent."""
        for name, value in self.headers.items():
            if not _can_be_sent(value):
                message = (
                    f"the header {name!r} for {self.url} has a line end, or characters that no header has"
                )
                raise FatalError(message, code=Code.API_ANSWER)
        return urllib.request.Request(self.whole_url(), self.body, dict(self.headers))

    def whole_url(self) -> str:
        """The address with the secrets in it."""
        if not self.secrets:
            return self.url
        return f"{self.url}{'&' if '?' in self.url else '?'}{urlencode(self.secrets, quote_via=quote)}"


@dataclass(frozen=True)
class Answer:
    """A body that has arrived whole, as far as its server says how long it is."""

    body: bytes
    headers: Message
    known_length: bool
    """Whether the server has said how long it is."""

    skipped: bool = False
    """Whether a rule says that it has no records, and is the last."""

    @cached_property
    def content(self) -> object:
        """What it says as JSON; None where it is not JSON, which is told by who looks for the records."""
        return content_of(self.body)

    def at(self, path: str | None) -> object:
        """What it has there; None without a path."""
        return None if path is None else keys.find(keys.parse(path), self.content)


def _can_be_sent(value: str) -> bool:
    """Whether it is one line of what headers are written in (RFC 9110, section 5.5)."""
    try:
        value.encode("latin-1")
    except UnicodeEncodeError:
        return False
    return not any(character < " " and character != "\t" for character in value)


def content_of(body: bytes) -> object:
    """What a body says as JSON; None where it is not JSON."""
    try:
        return _EXACT.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def contents_of(body: bytes) -> list[object]:
    """What a body says as JSON: by itself, or each line of several; None alone where it is not JSON."""
    content = content_of(body)
    lines = body.splitlines() if content is None and body.lstrip()[:1] == b"{" else []
    if len(lines) < 2:
        return [content]
    return [content_of(line) for line in lines if line.strip()]


def send(ask: Ask, session: Session | None = None, waited: float = 0.0) -> Answer:
    """Ask once, after having waited so long. Raises what `web.answer_to` does, and FatalError for what cannot be the
    answer.
    """
    asking = web.answer_to(ask.request(), shown=ask.url, code=Code.API_ANSWER, session=session, waited=waited)
    with asking as response:
        if response.status not in ask.statuses:
            message = f"{ask.url} answered {response.status} {response.reason}, expected 200"
            refusal = web.Refusal(response.status, response.headers, response.read(_PIECE))
            error = web.AnswerError(message, refusal, Code.API_ANSWER)
            error.hint = (
                f"if that means no records, say `errors: [{{status: {response.status}, action: skip}}]`"
            )
            raise error
        return _whole(ask, response)


def _whole(ask: Ask, response: http.client.HTTPResponse) -> Answer:
    url = ask.url
    coding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if coding not in ("identity", "gzip", "x-gzip"):
        raise FatalError(
            f"{url} answered in the encoding {coding!r}, which was not asked for", code=Code.API_ANSWER
        )
    known = response.length is not None or response.chunked
    pieces = _pieces(response) if coding == "identity" else _unpacked(_pieces(response))
    body = bytearray()
    for piece in pieces:
        body += piece
        if len(body) > _LARGEST:
            raise _too_large(url)
    known = known or (coding != "identity" and bool(body))
    if ask.is_read_as_sent:
        return Answer(bytes(body), response.headers, known)
    try:
        return Answer(as_utf8(bytes(body), response.headers), response.headers, known)
    except ValueError as exc:
        kind = FatalError if known else RetryableError  # it may have been cut off
        raise kind(f"the answer of {url} {exc}", code=Code.API_ANSWER) from exc


def _pieces(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """The body as it is sent. Raises IncompleteRead where it ends before its server said that it would."""
    while piece := response.read(_PIECE):
        yield piece
    web.require_whole(response)


def _unpacked(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """What was packed by gzip, to the checksum and length at its end (RFC 1952)."""
    reader, empty = zlib.decompressobj(_GZIP), True
    for piece in pieces:
        rest = piece
        while rest:
            if reader.eof:  # several members, one after the other, are one
                reader = zlib.decompressobj(_GZIP)
            empty = False
            try:
                yield reader.decompress(rest, _PIECE)
            except zlib.error as exc:
                raise http.client.HTTPException(f"it is not valid gzip: {exc}") from exc
            rest = reader.unconsumed_tail or reader.unused_data
    if not empty and not reader.eof:
        yield reader.flush()
    if not empty and not reader.eof:
        raise http.client.IncompleteRead(b"")


def _too_large(url: str) -> FatalError:
    hint = "ask for smaller pages; or `download` it, and copy the file"
    return FatalError(
        f"{url}: the answer has more than {_LARGEST // 10**6} MB", hint=hint, code=Code.API_ANSWER
    )
