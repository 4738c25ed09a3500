"""Secrets, and text without them.

A secret is looked for in every form in which programs print it: as it is, each line of it, and as percent-encoding,
HTML, JSON, Python's `repr`, a shell's quotes, base64 and hexadecimal digits have it. Whoever learns a secret adds it to
`SECRETS`, which holds those that this process knows; every log, message and report goes through there.
"""

from __future__ import annotations

import base64
import json
import math
import re
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import quote, quote_plus

__all__ = ["MASK", "SECRETS", "Secrets"]

MASK = "***"
_SHORTEST = 4  # masking shorter text would black out half of every log
_SHORTEST_LINE = 6  # of a secret that has several: `-->` is none
_SHORTEST_BASE64 = 8
_SHORTEST_HEXADECIMAL = 6  # in bytes: the digits of fewer may well be a number
_NOT_ESCAPED = ("", "/", "*", "!'()*~")  # by whoever writes percent-encodings: Python, windlass, JavaScript


class _Index(NamedTuple):
    """What is looked for: forms, the longest first as one may contain another, by the clue that a text has of them."""

    forms: tuple[str, ...]
    clues: Mapping[str, tuple[str, ...]]


class Secrets:
    """Secrets that are known, and masked."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._clue_of: dict[str, str] = {}  # of each form
        self._index: _Index | None = (
            None  # made when somebody looks: most secrets are learnt one after the other
        )
        self._adding = threading.Lock()
        for secret in secrets:
            self.add(secret)

    def add(self, secret: str | None) -> None:
        """Mask this text from now on."""
        if not secret or len(secret) < _SHORTEST or secret in self._clue_of:
            return
        with self._adding:
            found = {form: _clue(form, secret) for form in _forms(secret) if len(form) >= _SHORTEST}
            self._clue_of = {**found, **self._clue_of}
            self._index = None

    def mask(self, text: str) -> str:
        """The text without any of them."""
        index = self._index or self._indexed()
        clues = [clue for clue in index.clues if clue in text]
        return _without(text, clues, index) if clues else text

    def mask_all(self, texts: Sequence[str]) -> list[str]:
        """The texts without any of them: thousands of lines are looked through at once."""
        index = self._index or self._indexed()
        whole = "\n".join(texts)
        found = [clue for clue in index.clues if clue in whole]
        if not found:
            return list(texts)
        clues = ([clue for clue in found if clue in text] for text in texts)
        return [
            _without(text, here, index) if here else text for text, here in zip(texts, clues, strict=True)
        ]

    def masked(self, value: object) -> object:
        """The value as JSON can say it, without any of them in all the text in it."""
        if isinstance(value, str):
            return self.mask(value)
        if isinstance(value, Mapping):
            return {self.mask(str(key)): self.masked(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.masked(item) for item in value]
        if value is None or isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
            return value
        return self.mask(str(value))

    def _indexed(self) -> _Index:
        with self._adding:
            forms = sorted(self._clue_of, key=lambda form: (-len(form), form))
            clues = _shortest(set(self._clue_of.values()))
            self._index = index = _Index(
                tuple(forms), {clue: tuple(form for form in forms if clue in form) for clue in clues}
            )
        return index


SECRETS = Secrets()


def _without(text: str, clues: Sequence[str], index: _Index) -> str:
    """The text without the forms that have one of these clues, all that are in it."""
    forms = index.clues[clues[0]] if len(clues) == 1 else index.forms
    for form in forms:
        if form in text:
            text = text.replace(form, MASK)
    return text


def _clue(form: str, secret: str) -> str:
    """Something shorter that is in the form: letters and digits, which most encodings leave as they are."""
    words = re.findall(r"[A-Za-z0-9]{4,}", secret)
    return max((word for word in words if word in form), key=len, default=form)


def _shortest(found: set[str]) -> tuple[str, ...]:
    """Those that contain no other."""
    kept: list[str] = []
    for clue in sorted(found, key=len):
        if not any(shorter in clue for shorter in kept):
            kept.append(clue)
    return tuple(kept)


def _forms(secret: str) -> Iterator[str]:
    """The secret as programs print it, whole and line by line."""
    lines = [line.strip() for line in secret.splitlines()]
    for text in (secret, *(line for line in lines if len(line) >= _SHORTEST_LINE)):
        yield text
        yield from _percent_encoded(text)
        yield from _in_html(text)
        yield from _in_json(text)
        yield from _in_source_code(text)
        yield from _in_base64(text)
        yield from _in_hexadecimal(text)


def _percent_encoded(text: str) -> Iterator[str]:
    for encoded in (
        quote_plus(text, errors="replace"),
        *(quote(text, safe, errors="replace") for safe in _NOT_ESCAPED),
    ):
        yield encoded
        yield re.sub("%..", lambda escape: escape[0].lower(), encoded)


def _in_html(text: str) -> Iterator[str]:
    import html

    yield html.escape(text, quote=False)
    escaped = html.escape(text)
    yield escaped
    yield escaped.replace("&#x27;", "&#39;").replace("&quot;", "&#34;")  # as Jinja has it


def _in_json(text: str) -> Iterator[str]:
    """In a string of JSON, and in one that is in a string of JSON in turn."""
    for ascii_only in (True, False):
        once = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
        yield once
        yield once.replace("/", "\\/")  # PHP
        yield re.sub("[<>&]", lambda match: f"\\u{ord(match[0]):04x}", once)  # Go
        yield json.dumps(once, ensure_ascii=ascii_only)[1:-1]


def _in_source_code(text: str) -> Iterator[str]:
    shown = repr(text)[1:-1]
    yield shown
    yield shown.replace("'", "\\'")
    yield repr(text.encode(errors="replace"))[2:-1]
    yield text.replace("'", "'\"'\"'")  # a shell's
    yield text.replace("'", "''")  # SQL's


def _in_base64(text: str) -> Iterator[str]:
    """Alone, and inside of a longer text, where it may begin at any of three places: `user:password`, say."""
    data = text.encode(errors="replace")
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        forms = [encode(data).decode()]
        for before in range(3):
            encoded = encode(bytes(before) + data).decode()
            forms.append(encoded[-(-before * 8 // 6) : (before + len(data)) * 8 // 6])
        yield from (form for form in forms if len(form) >= _SHORTEST_BASE64)


def _in_hexadecimal(text: str) -> Iterator[str]:
    """As databases show bytes, and dumps of packets do."""
    if len(data := text.encode(errors="replace")) >= _SHORTEST_HEXADECIMAL:
        yield data.hex()
        yield data.hex().upper()
