"""Which format and compression a file has, by its name."""

from __future__ import annotations

from windlass.connectors.files.options import ReadFormat
from windlass.errors import Code, FatalError

__all__ = ["COMPRESSIONS", "compression_ending", "compression_of", "format_of"]

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


def compression_of(path: str) -> str | None:
    """`gzip`, `zstd`, `bz2`, or None."""
    return COMPRESSIONS.get(compression_ending(path))


def compression_ending(path: str) -> str:
    """`.gz`, `.zst`, `.bz2`, or nothing."""
    return next((ending for ending in COMPRESSIONS if path.lower().endswith(ending)), "")
