"""What the text of an answer is encoded in. Whatever reads it is handed UTF-8.

A byte order mark decides, then UTF-8 where the text is that: servers declare `charset=ISO-8859-1` of their own accord, and mean
nothing by it (JSON is UTF-8 whatever they say: RFC 8259, section 8.1). Only text that is not UTF-8 is what `Content-Type` says.
"""

from __future__ import annotations

import codecs
import re
from email.message import Message

__all__ = ["as_utf8"]

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before the one of UTF-16, which it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_UTF8 = ("utf-8", "ascii")
"""Whoever reads it tells what is not UTF-8 in it: of CSV that is one row."""

_HAS_ZEROS = ("utf-16", "utf-32")
"""In which ASCII would be taken for UTF-8."""

_SAYS_ITSELF = re.compile(r"\s*<\?xml[^>]*\sencoding\s*=")


def as_utf8(body: bytes, headers: Message) -> bytes:
    """The text as UTF-8, without a byte order mark; unchanged where nobody says what it is, or XML does so itself.

    Raises ValueError for text that is not what it is said to be.
    """
    encoding = next((name for mark, name in _MARKS if body.startswith(mark)), None) or _declared(headers)
    if encoding == "utf-8-sig":
        return body.removeprefix(codecs.BOM_UTF8)
    if encoding is None or encoding in _UTF8 or (not encoding.startswith(_HAS_ZEROS) and _is_utf8(body)):
        return body
    try:
        text = body.decode(encoding)
    except UnicodeError as exc:
        raise ValueError(f"is not the text in {encoding} that it is said to be: {exc}") from exc
    except LookupError as exc:
        raise ValueError(f"is said to be text in {encoding!r}, which is not a known encoding") from exc
    return body if _SAYS_ITSELF.match(text[:200]) else text.encode()


def _declared(headers: Message) -> str | None:
    """What `Content-Type` says, by its usual name where it has one."""
    said = headers.get_content_charset()
    try:
        return said and codecs.lookup(said).name
    except LookupError:
        return said


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True
