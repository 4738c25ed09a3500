"""What sources of files have in common, whatever is in them."""

from __future__ import annotations

from collections.abc import Iterable

from windlass.connectors.files.paths import InputFiles
from windlass.connectors.protocol import Column, Interval
from windlass.connectors.scratch import Scratch, identifier, literal
from windlass.errors import FatalError, did_you_mean

__all__ = ["FileSource"]


class FileSource:
    """The part of `Source` that is about the files, and about reading on past a cursor."""

    rereadable = True
    filters_interval = False

    def __init__(self, files: InputFiles) -> None:
        self.name = files.written
        self.cursor: str | None = None
        self._files = files
        self._filter = ""

    def close(self) -> None:
        self._files.close()

    def occupied(self) -> Iterable[str]:
        return self._files.occupied()

    def fingerprint(self) -> dict[str, object]:
        return self._files.fingerprint()

    def slice(self, column: str, interval: Interval) -> None:
        raise FatalError("a file cannot be sliced")

    def advance(self, cursor: str, last: str | None, scratch: Scratch | None) -> None:
        assert scratch is not None
        types = {column.name: column.guess or column.type for column in self.columns(scratch, infer=True)}
        if cursor not in types:
            raise FatalError(f"{self.name} has no column {cursor!r}", hint=did_you_mean(cursor, types))
        value = f"TRY_CAST({identifier(cursor)} AS {types[cursor]})"
        highest = scratch.value(f"SELECT CAST(max({value}) AS VARCHAR) FROM {self.relation(scratch)}")
        self.cursor = highest or last
        if last is not None:
            self._filter = f" WHERE {value} > CAST({literal(last)} AS {types[cursor]})"

    def columns(self, scratch: Scratch, *, infer: bool) -> list[Column]:
        raise NotImplementedError

    def relation(self, scratch: Scratch) -> str:
        raise NotImplementedError
