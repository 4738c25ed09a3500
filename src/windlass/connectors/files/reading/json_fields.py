"""The fields of JSON records as columns of SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from windlass.connectors.files.reading.infer import in_groups
from windlass.connectors.rows import Column
from windlass.connectors.scratch import identifier, literal

__all__ = ["column_of", "fields_of", "narrowed", "paths_to", "texts"]

_NOT_ONLY_TEXT = "values of several types, or numbers that only text holds"


def fields_of(columns: Sequence[Column], records: str, *first: str, kept: Sequence[str] = ()) -> str:
    """The fields of records as columns, behind those that are written `first`, which are made of `json` and what of the
    records is `kept` beside it. Many are taken out of a record at once: each call of a function reads it anew,
    and keeps what it has read of 2,048 records in memory."""
    lists, values = ["json", *kept], dict[str, str]()
    for function, kind in (("json_extract_string", "VARCHAR"), ("json_extract", "JSON")):
        for names in in_groups([column.name for column in columns if column.type == kind]):
            found = f"found{len(lists)}"
            lists.append(f"{function}(json, {paths_to(names)}) AS {found}")
            values |= {name: f"{found}[{place}]" for place, name in enumerate(names, 1)}
    documents = {column.name for column in columns if column.type == "JSON"}
    values |= {name: f"CASE WHEN {values[name]} <> 'null' THEN {values[name]} END" for name in documents}
    fields = [*first, *(f"{values[column.name]} AS {identifier(column.name)}" for column in columns)]
    return f"(SELECT {', '.join(fields)} FROM (SELECT {', '.join(lists)} FROM {records}))"


def paths_to(names: Sequence[str]) -> str:
    """JSON Pointers (RFC 6901) to fields of a record, as an SQL literal."""
    return texts(["/" + name.replace("~", "~0").replace("/", "~1") for name in names])


def texts(values: Sequence[str]) -> str:
    """These texts as an SQL literal, a list."""
    return f"CAST([{', '.join(map(literal, values))}] AS VARCHAR[])"


def column_of(name: str, kinds: set[str]) -> Column:
    """The column for a field that has values of these JSON types. `number` is yet to be narrowed."""
    kinds = kinds - {"NULL"}
    if kinds & {"OBJECT", "ARRAY"}:
        return Column(name, "JSON")
    if kinds == {"BOOLEAN"}:
        return Column(name, "VARCHAR", guess="BOOLEAN")
    if kinds and kinds <= {"BIGINT", "UBIGINT", "DOUBLE"}:
        return Column(name, "VARCHAR", guess="number")
    return Column(name, "VARCHAR", native="" if kinds <= {"VARCHAR"} else _NOT_ONLY_TEXT)


def narrowed(column: Column, types: Mapping[str, str | None]) -> Column:
    if column.guess != "number":
        return column
    kind = types[column.name]
    return replace(column, guess=kind, native="" if kind else _NOT_ONLY_TEXT)
