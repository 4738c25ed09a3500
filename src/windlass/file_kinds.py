"""Whether a file can be what it is taken for, by its first bytes: a server that is in trouble may answer 200 with a page
that says so, and what somebody has packed, or saved as something else, may have kept its name.
"""

from __future__ import annotations

from pathlib import Path, PurePath

__all__ = ["LOOKED_AT", "kind_of", "why_not", "why_not_its_kind"]

LOOKED_AT = 1024
"""How many bytes of a file tell what it is."""

_SIGNS: dict[str, tuple[bytes, ...]] = {
    "a Parquet file": (b"PAR1\x15", b"PARE"),  # and not a column that is called PAR1
    "a gzip file": (b"\x1f\x8b",),
    "a zstd file": (b"\x28\xb5\x2f\xfd",),
    "a bz2 file": tuple(b"BZh%d\x31\x41\x59\x26\x53\x59" % level for level in range(1, 10))
    + tuple(b"BZh%d\x17\x72\x45\x38\x50\x90" % level for level in range(1, 10)),  # with nothing in it
    "a zip archive": (b"PK\x03\x04", b"PK\x05\x06"),  # the second one is of an archive with nothing in it
    "a file of old Excel": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",),
    "an Arrow file": (b"ARROW1\0",),
    "an Avro file": (b"Obj\x01",),
    "a SQLite database": (b"SQLite format 3\0",),
    "a PDF": (b"%PDF-",),
}
_DUCKDB = slice(8, 12)
_PAGES = (b"<!doctype html", b"<html", b"<head>", b"<body")
_MARK = b"\xef\xbb\xbf"

_WANTED: dict[str, tuple[str, str | None]] = {
    "csv": ("a CSV file", None),
    "tsv": ("a TSV file", None),
    "json": ("a JSON file", None),
    "ndjson": ("an NDJSON file", None),
    "parquet": ("a Parquet file", "a Parquet file"),
    "excel": ("an Excel file", "a zip archive"),
    "zip": ("a zip archive", "a zip archive"),
    "gzip": ("a gzip file", "a gzip file"),
    "zstd": ("a zstd file", "a zstd file"),
    "bz2": ("a bz2 file", "a bz2 file"),
}
"""What a file may be taken for: as messages call it, and the kind that it has to be. A text is of none."""

_ENDINGS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".json": "json",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".xlsx": "excel",
    ".xlsm": "excel",
    ".zip": "zip",
    ".gz": "gzip",
    ".zst": "zstd",
    ".bz2": "bz2",
}


def kind_of(beginning: bytes) -> str | None:
    """What begins so, such as `a web page`; None for text of another kind, and for what is not known."""
    text = _text(beginning).lower()
    if text.startswith(_PAGES):
        return "a web page"
    if text.startswith(b"<?xml"):
        return "an XML document"
    if beginning[_DUCKDB] == b"DUCK":
        return "a DuckDB database"
    return next((kind for kind, signs in _SIGNS.items() if beginning.startswith(signs)), None)


def why_not(wanted: str, beginning: bytes) -> str | None:
    """What speaks against it that a file which begins so is `csv`, `parquet`, `gzip`, …; None where nothing does."""
    name, expected = _WANTED[wanted]
    found = kind_of(beginning)
    if found == expected:
        return None
    if not beginning:
        return f"is empty, not {name}"
    is_not = f"is not {name}" if found is None else f"is {found}, not {name}"
    return (
        is_not
        if found in _SIGNS
        else f"{is_not}; it begins: {_text(beginning)[:60].rstrip().decode('utf-8', 'replace')!r}"
    )


def why_not_its_kind(file: Path, name: str) -> str | None:
    """What speaks against it that a file is what the end of its name says, such as `is not a gzip file; …`."""
    wanted = _ENDINGS.get(PurePath(name).suffix.lower())
    if wanted is None:
        return None
    with file.open("rb") as data:
        beginning = data.read(LOOKED_AT)
        data.seek(max(0, file.stat().st_size - 4))
        end = data.read()
    if not beginning and _WANTED[wanted][1] is None:
        return None  # a day without rows
    if wanted == "parquet" and beginning.startswith((b"PAR1", b"PARE")) and end not in (b"PAR1", b"PARE"):
        return "is not a whole Parquet file: its end is missing"
    return why_not(wanted, beginning)


def _text(beginning: bytes) -> bytes:
    return beginning.removeprefix(_MARK).lstrip()
