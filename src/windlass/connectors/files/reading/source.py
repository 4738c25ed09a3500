"""What files have in common as the source of a copy, whatever is in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from windlass.connectors.files.paths import InputFiles
from windlass.connectors.relations import NoRows, only_new
from windlass.connectors.rows import Column
from windlass.connectors.scratch import Scratch
from windlass.connectors.source import Reading, Relation

__all__ = ["FileRelation", "FileSource"]


class FileSource:
    """One or more files of one format. Implements `Source` and `HasContents`."""

    def __init__(self, files: InputFiles, relation: Callable[[Reading, Scratch], Relation]) -> None:
        self.name = files.written
        self.files, self._relation = files, relation

    def close(self) -> None:
        self.files.close()

    def occupied(self) -> Iterable[str]:
        return self.files.occupied()

    def fingerprint(self) -> dict[str, object]:
        return self.files.fingerprint()

    def contents(self) -> Iterator[bytes]:
        return self.files.contents()

    def open(self, reading: Reading, scratch: Scratch) -> Relation:
        if self.files.is_empty:
            if reading.target is None or not reading.adds:
                raise self.files.nothing(self.files.paths[0])
            return NoRows(self.name, reading, scratch)
        return self._relation(reading, scratch)


class FileRelation(Relation):
    """The rows of files. What reads a format says what `rows` are, and finds their columns."""

    rereadable = has_since = True

    def __init__(self, files: InputFiles, reading: Reading, scratch: Scratch) -> None:
        self.name = files.written
        self._files, self._reading, self._scratch = files, reading, scratch
        self._filter = ""
        self._columns: list[Column] | None = None

    def columns(self) -> list[Column]:
        if self._columns is None:
            self._columns = self.found_columns()
            condition, self.mark = only_new(
                self.name, self.rows(), self._columns, self._reading, self._scratch
            )
            self._filter = f" WHERE {condition}" if condition else ""
        return self._columns

    def begin_again(self) -> None:
        """Forget what was found: the files are read in another way from here on."""
        self._columns, self._filter = None, ""

    def found_columns(self) -> list[Column]:
        """Look for the columns."""
        raise NotImplementedError

    def rows(self) -> str:
        """What to write after FROM for all rows of the files."""
        raise NotImplementedError

    def sql(self) -> str:
        self.columns()
        rows = self.rows()
        return f"(SELECT * FROM {rows}{self._filter})" if self._filter else rows
