"""The imported tables: Parquet to rows of text, each with the place where it was found."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb

from drug_graph.decisions import Decision

# What a table is about is told by the column of names or titles that it has, the first of these:
COLUMNS = {
    "drug": {"text": "drug", "id": "atccode"},
    "trial": {"text": "scientific_title", "id": "id", "date": "date", "journal": "journal"},
    "publication": {"text": "title", "id": "id", "date": "date", "journal": "journal"},
}


class TableError(Exception):
    """The tables are not what a graph can be made of."""


@dataclass(frozen=True)
class Row:
    """A row of a table, by our names for its columns."""

    kind: str
    place: str
    values: dict[str, str | None]


def read_tables(folder: Path) -> list[Row]:
    """The rows of every Parquet file of the folder. Raises TableError."""
    files = sorted(folder.glob("*.parquet"))
    if not files:
        raise TableError(f"there is no Parquet file in {folder}: run the pipeline `import` first")
    rows = [row for file in files for row in _read(file)]
    if not any(row.kind == "drug" for row in rows):
        raise TableError(f"no table in {folder} has a drug in it; a table of drugs has the column 'drug'")
    return rows


def quarantined(folder: Path) -> Iterator[Decision]:
    """The rows that the import could not read."""
    for file in sorted(folder.glob("*.quarantine.ndjson")):
        for line in file.read_text(encoding="utf-8").splitlines():
            bad = json.loads(line)
            where = f"{bad['source']}:{bad['line']}" if bad["line"] else bad["source"]
            before = bad["record"] if bad["raw"] is None else bad["raw"]
            yield Decision(where, "left out", bad["message"], before=before)


def _read(file: Path) -> Iterator[Row]:
    table = duckdb.read_parquet(str(file))
    names = [name.strip().lower() for name in table.columns]
    kind = next((kind for kind, columns in COLUMNS.items() if columns["text"] in names), None)
    if kind is None:
        expected = ", ".join(columns["text"] for columns in COLUMNS.values())
        raise TableError(f"{file.name} has none of the columns {expected}; it has {', '.join(names)}")
    for column in COLUMNS[kind].values():
        if column not in names:
            raise TableError(f"{file.name} has no column {column!r}; it has {', '.join(names)}")
    places = {ours: names.index(theirs) for ours, theirs in COLUMNS[kind].items()}
    for number, values in enumerate(table.select("CAST(COLUMNS(*) AS VARCHAR)").fetchall(), 1):
        yield Row(kind, f"{file.stem}:{number}", {ours: values[at] for ours, at in places.items()})
