"""The rows of a file that stay when others are appended to it or merged into it.

The file is written anew, so they are read like a source, and must come out as they were: a file with a
row that the reader would not understand, or would understand otherwise, is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from windlass.connectors.ends import End
from windlass.connectors.files import options
from windlass.connectors.rows import Column
from windlass.connectors.scratch import Scratch, identifier
from windlass.connectors.source import Reading
from windlass.errors import FatalError

__all__ = ["KeptRows", "with_values_that_stay"]


class KeptRows:
    """The rows that are in a destination's file."""

    def __init__(self, end: End[options.Destination], kind: options.FileFormat, scratch: Scratch) -> None:
        from windlass.connectors.files.reading.opening import open_source

        old = options.Source(path=end.options.path, format=kind, csv=end.options.csv)
        self._name, self._scratch = end.options.path, scratch
        self._is_json = kind in ("json", "ndjson")
        here: Any = end
        source = open_source(replace(here, options=old))
        self._relation = source.open(Reading(target=None if self._is_json else ()), scratch)
        self.columns = [self._column(column) for column in self._relation.columns()]
        self._check_rows()

    def query(self, widened: Sequence[Column] = ()) -> str:
        """A SELECT of the rows. Those of CSV are text, so that nothing is written in another way."""
        wider = {column.name: column.type for column in widened}
        values = ", ".join(
            f"CAST({identifier(column.name)} AS {wider.get(column.name, column.type)}) AS {identifier(column.name)}"
            for column in self.columns
        )
        return f"SELECT {values} FROM {self._relation.sql()}"

    def check(self) -> None:
        """Raise FatalError when the reader left a row out, once a query was read to its end."""
        rejected = self._relation.rejected()
        if rejected:
            raise self._refusal(str(rejected[0]))

    def _column(self, column: Column) -> Column:
        if not self._is_json:
            return Column(column.name, column.type)
        if column.native:
            raise self._refusal(f"{column.name!r} has {column.native}")
        return Column(column.name, column.guess or column.type)

    def _check_rows(self) -> None:
        for test, _, message, _ in self._relation.faults():
            if self._scratch.value(f"SELECT count(*) FROM {self._relation.sql()} WHERE {test}"):
                raise self._refusal(message)

    def _refusal(self, what: str) -> FatalError:
        return FatalError(
            f"{self._name} cannot be written anew with all its rows as they are: {what}",
            hint="fix the file, or use `mode: replace`",
        )


def with_values_that_stay(
    staged: str, old: str, key: Sequence[str], columns: Sequence[str], kept: Sequence[Column]
) -> str:
    """The staged rows, with the old values of the columns that they do not bring."""
    missing = [column.name for column in kept if column.name not in columns]
    if not missing:
        return staged
    keys = ", ".join(map(identifier, key))
    values = ", ".join(map(identifier, missing))
    known = f"(SELECT DISTINCT ON ({keys}) {keys}, {values} FROM {old})"
    return f"(SELECT s.*, {values} FROM {staged} AS s LEFT JOIN {known} AS o USING ({keys}))"
