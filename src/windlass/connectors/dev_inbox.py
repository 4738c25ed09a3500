"""A server that keeps the messages it is sent: `python -m windlass.connectors.dev_inbox http|mail FILE`.

Each is a line of JSON in the file, which only its owner may read. Headers are not kept: they say who sends.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

from windlass.errors import naming
from windlass.recordings import Asked, Interaction, RecordedApi, Request, Response
from windlass.recordings.mailbox import Mailbox, text_of

__all__ = ["HttpInbox", "MailInbox", "main"]

_TAKEN = Interaction(request=Request(method="POST"), response=Response(text='{"ok": true}'))
"""What Slack's API answers, and as good as any for the others."""


@dataclass(frozen=True)
class _Kept:
    """The file of messages."""

    file: Path
    lock: threading.Lock

    def add(self, **message: object) -> None:
        """Write one more: whole, before whoever sent it is answered."""
        time = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"time": time, **message}, ensure_ascii=False) + "\n"
        with self.lock, naming(self.file), os.fdopen(self._opened(), "ab") as out:
            out.write(line.encode(errors="replace"))

    def _opened(self) -> int:
        return os.open(self.file, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)


class HttpInbox(RecordedApi):
    """Takes whatever is sent over HTTP."""

    def __init__(self, file: Path) -> None:
        super().__init__([_TAKEN], file.parent, only_here=True)
        self._kept = _Kept(file, threading.Lock())

    def answer(self, asked: Asked) -> Response:
        self._kept.add(body=_body(asked.body))
        return _TAKEN.response


class MailInbox(Mailbox):
    """Takes mail for anybody."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self._kept = _Kept(file, threading.Lock())

    def take(self, mail: EmailMessage) -> None:
        headers = {name.lower(): str(mail[name]) for name in ("From", "To", "Subject")}
        self._kept.add(**headers, text=text_of(mail).partition("\n")[2])


def _body(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text


def main(over: str, file: str) -> None:
    """Keep what comes until stopped."""
    inbox = HttpInbox(Path(file)) if over == "http" else MailInbox(Path(file))
    os.write(1, f"{inbox.port}\n".encode())
    inbox.serve()


if __name__ == "__main__":
    main(*sys.argv[1:])
