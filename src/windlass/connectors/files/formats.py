"""Which format and compression a file has, by its name; and which of them are written."""

from __future__ import annotations

from typing import Literal, TypeAlias

from windlass.errors import Code, FatalError

__all__ = [
    "COMPRESSIONS",
    "FileFormat",
    "ReadFormat",
    "compression_ending",
    "compression_of",
    "format_of",
    "format_to_write",
    "require_writable_compression",
]

FileFormat: TypeAlias = Literal["csv", "json", "ndjson", "parquet"]
ReadFormat: TypeAlias = Literal["csv", "json", "ndjson", "parquet", "excel"]

_FORMATS: dict[str, ReadFormat] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".json": "json",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".xlsx": "excel",
    ".xlsm": "excel",
}
_OTHERS = {
    **dict.fromkeys(
        (".xls", ".xlsb", ".ods"), "of Excel, .xlsx and .xlsm are read: save it as one of those, or as CSV"
    ),
    **dict.fromkeys((".db", ".sqlite", ".sqlite3"), "a table of a SQLite file is sqlite:///FILE?table=NAME"),
    **dict.fromkeys((".duckdb", ".ddb"), "a table of a DuckDB file is duckdb:///FILE?table=NAME"),
}
"""Names that tell what is not a file of rows, and what to write instead."""

COMPRESSIONS = {".gz": "gzip", ".zst": "zstd", ".bz2": "bz2"}


def format_of(path: str) -> ReadFormat:
    """The format of a file with that name. Raises FatalError when the name does not tell."""
    name = path.rstrip("/*").lower()
    for ending in COMPRESSIONS:
        name = name.removesuffix(ending)
    for ending, kind in _FORMATS.items():
        if name.endswith(ending):
            return kind
    if (hint := next((why for ending, why in _OTHERS.items() if name.endswith(ending)), None)) is None:
        hint = f"say it with `format:`, or use one of {', '.join(_FORMATS)} (each also .gz, .zst, .bz2)"
    raise FatalError(
        f"the name {path!r} does not tell the file's format", hint=hint, code=Code.UNKNOWN_FORMAT
    )


def format_to_write(path: str) -> FileFormat:
    """The format of a file with that name. Raises FatalError when the name does not tell, or it is only read."""
    kind = format_of(path)
    if kind == "excel":
        raise FatalError("Excel files can be read, but not written", hint="use .csv, which Excel opens")
    return kind


def require_writable_compression(path: str) -> None:
    """Raise FatalError where the name ends in a compression that is only read."""
    if compression_of(path) == "bz2":
        raise FatalError("bz2 files can be read, but not written", hint="use .gz or .zst")


def compression_of(path: str) -> str | None:
    """`gzip`, `zstd`, `bz2`, or None."""
    return COMPRESSIONS.get(compression_ending(path))


def compression_ending(path: str) -> str:
    """`.gz`, `.zst`, `.bz2`, or nothing."""
    return next((ending for ending in COMPRESSIONS if path.lower().endswith(ending)), "")
