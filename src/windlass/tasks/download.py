"""`download` tasks: a file over HTTP, resumed where it broke off, checked, and put into place whole.

The part that has arrived waits beside the target, or for a store with what tasks of the run share, with the server's validator (ETag or Last-Modified)
that says of which version of the file it is. It is resumed only if that is still the version
(RFC 9110: Range, If-Range); otherwise the download begins again.
"""

from __future__ import annotations

import hashlib
import http
import json
import os
from dataclasses import dataclass, replace
from email.message import Message
from pathlib import Path
from typing import Any, cast

from windlass import logs, web
from windlass.connectors.http.addresses import url_of
from windlass.connectors.http.answers import Ask
from windlass.connectors.http.asking import Api
from windlass.connectors.http.auth import Credentials, NoCredentials, credentials_of
from windlass.connectors.http.options import Connection, Retry
from windlass.connectors.http.pace import NO_LIMIT, Pace, turns_of
from windlass.errors import Code, FatalError, RetryableError, naming
from windlass.file_kinds import why_not_its_kind
from windlass.files import disk_errors, write_file
from windlass.ledger import LedgerEntry
from windlass.options import read_options
from windlass.plan.model import Download
from windlass.tasks.context import Context, TaskResult
from windlass.tasks.landing import landing_at, sha256_of

__all__ = ["run_download"]

_CHUNK = 1 << 18


def run_download(whose: LedgerEntry, action: Download, context: Context) -> TaskResult:
    """Download the file, unless it is there already and its checksum says so. A ledger knows the file by `whose`."""
    landing = landing_at(action.into, action.to, context, whose)
    name, wanted = action.to, (action.sha256 or "").lower()
    if wanted and (size := landing.size_of(wanted)) is not None:
        logs.info("already_downloaded", file=name)
        return TaskResult(bytes=size, path="already-there")
    with disk_errors(landing.waiting):
        part = _Partial(landing.waiting)
        resumed = _fetch(_asked(action, context), part, context)
        if wanted and (found := sha256_of(part.file)) != wanted:
            part.remove()
            message = f"{name}: the SHA-256 is {found}, expected {wanted}"
            raise FatalError(message, code=Code.CHECKSUM)
        if (wrong := why_not_its_kind(part.file, name)) is not None:
            part.remove()
            hint = "look at the address; a server in trouble may answer so for a while"
            raise RetryableError(f"{name}: what came {wrong}", hint=hint, code=Code.DOWNLOAD)
        size = part.size
        landing.put(part.file)
        part.remove()
    return TaskResult(bytes=size, path="http (resumed)" if resumed else "http")


@dataclass
class _Partial:
    """What has arrived of a file, and of which version of it."""

    file: Path

    @property
    def _note(self) -> Path:
        return self.file.with_name(f"{self.file.name}.json")

    @property
    def size(self) -> int:
        return self.file.stat().st_size if self.file.exists() else 0

    def version_of(self, url: str) -> str | None:
        """The validator of the part, if it is from this URL."""
        try:
            note = json.loads(self._note.read_text())
        except (OSError, ValueError):
            return None
        return note["validator"] if note.get("url") == _digest(url) else None

    def begin(self, url: str, validator: str | None) -> None:
        self.file.unlink(missing_ok=True)
        write_file(self._note, json.dumps({"url": _digest(url), "validator": validator}))

    def remove(self) -> None:
        self.file.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)


@dataclass(frozen=True)
class _Asked:
    """What is asked for, as whom, and how often that may be."""

    ask: Ask
    credentials: Credentials
    pace: Pace


def _asked(action: Download, context: Context) -> _Asked:
    pace = NO_LIMIT
    if action.url is not None:
        url, credentials = action.url, cast("Credentials", NoCredentials())
    else:
        name = str(action.connection)
        address = context.address(name)
        said = read_options(Connection, address.settings)
        pace = Pace(said.rate_limit, shared=turns_of(context.folder.shared, name))
        url = f"{url_of(address, '').rstrip('/')}/{str(action.path).lstrip('/')}"
        credentials = credentials_of(name, address, said, Api(Retry()).answer)
    if not url.startswith(("http://", "https://")):
        raise FatalError(f"{url!r} is not an http:// or https:// address")
    return _Asked(Ask(url, {"User-Agent": web.AGENT, **action.headers}), credentials, pace)


def _fetch(asked: _Asked, part: _Partial, context: Context, *, renewed: bool = False) -> bool:
    """Bring the rest of the file into the part. Returns whether there was a beginning to resume."""
    ask, credentials = asked.ask, asked.credentials
    validator, have, headers = part.version_of(ask.url), part.size, ask.headers
    if validator and have:
        headers = {**headers, "Range": f"bytes={have}-", "If-Range": validator}
    signed = credentials.applied(replace(ask, headers=headers))
    waited = asked.pace.wait(Retry().max_wait)
    try:
        request = signed.request()
        with web.answer_to(request, shown=ask.url, code=Code.DOWNLOAD, waited=waited) as response:
            resumed = response.status == http.HTTPStatus.PARTIAL_CONTENT
            if not resumed:
                part.begin(ask.url, _validator(response.headers))
            _receive(response, part, context)
            return resumed
    except web.AnswerError as exc:
        if exc.status == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            part.remove()
            return _fetch(asked, part, context, renewed=renewed)
        if renewed or exc.status != http.HTTPStatus.UNAUTHORIZED or not credentials.renew(signed):
            raise
        return _fetch(asked, part, context, renewed=True)


def _receive(response: Any, part: _Partial, context: Context) -> None:
    have = part.size
    length = response.headers.get("Content-Length")
    total = have + int(length) if length is not None else None
    with naming(part.file), part.file.open("ab") as out:
        while chunk := response.read(_CHUNK):
            out.write(chunk)
            have += len(chunk)
            context.progress(0, have, total)
        out.flush()
        os.fsync(out.fileno())
    if total is not None and have < total:
        message = f"the download broke off after {have:,} of {total:,} bytes; it will be resumed"
        raise RetryableError(message, code=Code.DOWNLOAD)


def _validator(headers: Message) -> str | None:
    """A strong ETag, else the time of the last change: what If-Range takes."""
    etag = headers.get("ETag")
    if etag and not etag.startswith("W/"):
        return etag
    return headers.get("Last-Modified")


def _digest(url: str) -> str:
    """What the note says of a URL, which may have a key in it."""
    return hashlib.sha256(url.encode()).hexdigest()
