"""Whether a file can be what the end of its name says: a server that is in trouble may answer 200 with a page that says so."""

from __future__ import annotations

from pathlib import Path, PurePath

__all__ = ["why_not_its_kind"]

_BEGINNINGS = {
    ".parquet": (b"PAR1", b"PARE"),
    ".gz": (b"\x1f\x8b",),
    ".zip": (b"PK\x03\x04", b"PK\x05\x06"),  # the second one is of an archive with nothing in it
    ".xlsx": (b"PK\x03\x04",),
}
_ENDS_LIKE_IT_BEGINS = (".parquet",)
_TEXTS = (".csv", ".tsv", ".json", ".ndjson", ".jsonl")
_PAGES = (b"<!doctype html", b"<html")
_SEEN = 1024


def why_not_its_kind(file: Path, name: str) -> str | None:
    """What speaks against it, such as `is not a .gz file`; None where nothing does."""
    kind = PurePath(name).suffix.lower()
    with file.open("rb") as data:
        beginning = data.read(_SEEN)
        data.seek(max(0, file.stat().st_size - 4))
        end = data.read()
    text = beginning.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.lower().startswith(_PAGES) and kind in (*_BEGINNINGS, *_TEXTS):
        return f"is a web page, not a {kind} file; it begins: {_shown(text)}"
    if kind in _BEGINNINGS and not beginning.startswith(_BEGINNINGS[kind]):
        return (
            f"is not a {kind} file; it begins: {_shown(text)}"
            if beginning
            else f"is empty, not a {kind} file"
        )
    if kind in _ENDS_LIKE_IT_BEGINS and not end.startswith(_BEGINNINGS[kind]):
        return f"is not a whole {kind} file: its end is missing"
    return None


def _shown(text: bytes) -> str:
    return repr(text[:60].decode("utf-8", "replace"))
