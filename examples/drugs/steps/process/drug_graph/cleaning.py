"""What a text says under its dirt, and what a date means. Nothing is guessed."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache, partial

NOTHING = {"", "-", "n/a", "na", "nan", "none", "null"}

# Punctuation is a space by then. Day first, because 25/05/2020 can only be so, and one author writes one way.
DATES = {
    "%Y %m %d": ("%Y-%m-%d", ""),
    "%d %m %Y": ("%Y-%m-%d", ", read day first"),
    "%d %B %Y": ("%Y-%m-%d", ""),
    "%d %b %Y": ("%Y-%m-%d", ""),
    "%B %d %Y": ("%Y-%m-%d", ""),
    "%b %d %Y": ("%Y-%m-%d", ""),
    "%Y %B %d": ("%Y-%m-%d", ""),
    "%Y %b %d": ("%Y-%m-%d", ""),
    "%m %d %Y": ("%Y-%m-%d", ", read month first, for there is no such day"),
    "%B %Y": ("%Y-%m", ", without a day"),
    "%b %Y": ("%Y-%m", ", without a day"),
    "%Y %m": ("%Y-%m", ", without a day"),
    "%Y": ("%Y", ", without a day"),
}


def clean(text: str) -> tuple[str, list[str]]:
    r"""The text without its dirt, and what had to be done.

    >>> clean(r" Laminectomy  \xc3\xb1")[0], clean(r"nursing\xc3\x28")[0]
    ('Laminectomy ñ', 'nursing')
    """
    reasons = []
    for reason, repair in REPAIRS.items():
        repaired = repair(text)
        if repaired != text:
            reasons.append(reason)
        text = repaired
    return text, reasons


@lru_cache(maxsize=10_000)
def read_date(text: str) -> tuple[str, str]:
    """The date in ISO 8601, as exact as it was written, and how it was read; "" if it is not understood.

    >>> read_date("25/05/2020")[0], read_date("1 January 2020")[0], read_date("March 2020")[0]
    ('2020-05-25', '2020-01-01', '2020-03')
    """
    day = re.sub(r"(?<=\d)[T ]\d{1,2}:\d{2}.*$", "", text)
    time_dropped = ", without its time" if day != text else ""
    if re.fullmatch(r"\d{8}", day):
        day = f"{day[:4]} {day[4:6]} {day[6:]}"
    day = re.sub(r"(?<=\d)(st|[nr]d|th)\b", "", day, flags=re.IGNORECASE)
    day = re.sub(r"\bsept\b", "Sep", day, flags=re.IGNORECASE)
    day = re.sub(r"[\s./,-]+", " ", day).strip()
    for form, (written, how) in DATES.items():
        try:
            return datetime.strptime(day, form).strftime(written), f"written in ISO 8601{how}{time_dropped}"
        except ValueError:
            continue
    return "", "not a date that is understood"


def _undo_bytes(text: str) -> str:
    r"""`\xc3\xb1` is the UTF-8 of ñ. `\xc3\x28` is not UTF-8: nobody knows what it was, so it goes."""

    def decoded(match: re.Match[str]) -> str:
        data = bytes.fromhex(match[0].replace("\\x", ""))
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            return "".join(c for c in data.decode("utf-8", "ignore") if not c.isascii())

    return re.sub(r"(\\x[0-9A-Fa-f]{2})+", decoded, text)


def _undo_unicode(text: str) -> str:
    text = re.sub(r"\\u([0-9A-Fa-f]{4})", lambda match: chr(int(match[1], 16)), text)
    return text.encode("utf-16", "surrogatepass").decode(
        "utf-16", "ignore"
    )  # two escapes may be one character


def _undo_entities(text: str) -> str:
    return re.sub(r"&#?\w+;", lambda match: html.unescape(match[0]), text)


def _undo_mojibake(text: str) -> str:
    """UTF-8 that somebody read as Windows-1252: `GenÃ¨ve`."""
    try:
        return text.encode("cp1252").decode("utf-8")
    except UnicodeError:
        return text


def _without_invisible(text: str) -> str:
    return "".join(c for c in text if c.isspace() or unicodedata.category(c) not in ("Cc", "Cf", "Cs"))


def _tidy(text: str) -> str:
    return " ".join(text.split())


REPAIRS: dict[str, Callable[[str], str]] = {
    r"bytes that were written out as \x… were decoded; those that are not UTF-8 were removed": _undo_bytes,
    r"characters that were written out as \u… were decoded": _undo_unicode,
    "characters that were written out as &…; were decoded": _undo_entities,
    "UTF-8 that had been read as Windows-1252 was read again": _undo_mojibake,
    "invisible characters were removed": _without_invisible,
    "accents were composed": partial(unicodedata.normalize, "NFC"),
    "spaces that say nothing were removed": _tidy,
}
