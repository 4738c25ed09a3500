"""The quarantine: where bad rows wait, each with its reason, until somebody fixes and replays them.

A file of NDJSON, one row a line: `id`, `run`, `pipeline`, `task`, `reason`, `message`, `column`, `value`,
`source`, `line`, `offset`, and the row itself as `record` (an object) or, when it could not be taken
apart, as `raw` text. It is written in a temporary folder while the copy runs and put into its place whole
before the copy commits, so that a committed load has its bad rows on disk. Where several copies have one file, each
replaces its own rows there.
"""

from __future__ import annotations

import hashlib
import json
import os
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from windlass import logs
from windlass.connectors.rows import BadRow, BadRowError, Reason
from windlass.engine.job import Identity
from windlass.errors import Code, FatalError, naming
from windlass.files import disk_errors, is_stream, locked_folder, put, require_file_place, resolved
from windlass.units import counted

__all__ = [
    "Quarantine",
    "add_others",
    "is_quarantine",
    "put_quarantine",
    "read_quarantine",
    "require_quarantine_place",
]

_SHOWN = 20
_LONGEST_HEAD = 64 << 20  # of a line: a row may be large


@dataclass
class Quarantine:
    """Collects the bad rows of one copy. With `fail`, the first ones end it."""

    file: Path
    identity: Identity
    folder: Path
    """Where to write until then."""

    fail: bool = True
    limit: int | str | None = None
    count: int = 0
    first: list[BadRow] = field(default_factory=list)
    locate: Callable[[Iterator[BadRow]], Iterator[BadRow]] = iter
    """Finds the lines of rows in their files; set by whoever reads them."""

    sources: frozenset[str] = frozenset()
    """What the rows may come from; set by whoever reads them."""

    _spool: IO[bytes] | None = None
    _places: array[int] = field(default_factory=lambda: array("q"))
    """Of each row on disk, one after the other: the ordinal, or that of the row before, and the offset of its line."""

    def is_ours(self, row: dict[str, object]) -> bool:
        """Whether a row was quarantined by an earlier start, or run, of this copy."""
        task = (self.identity.pipeline, self.identity.task)
        return (row["pipeline"], row["task"]) == task and row.get("source") in self.sources

    def add(self, rows: Iterable[BadRow]) -> None:
        """Quarantine rows. Raises BadRowError when not even one, or no more, may be bad."""
        rows = list(rows)
        self.count += len(rows)
        self.first.extend(rows[: _SHOWN - len(self.first)])
        if self.fail and rows:
            raise self._refusal("bad rows, and `on_bad_row` is `fail`")
        if isinstance(self.limit, int) and self.count > self.limit:
            raise self._refusal(f"more than {counted(self.limit, 'bad row')} (`max_bad_rows`)")
        with disk_errors(self.file):
            for row in rows:
                self._write(row)

    def require_few(self, rows_read: int) -> None:
        """Raise BadRowError when too many of these rows are bad."""
        if isinstance(self.limit, str) and self.count > rows_read * float(self.limit[:-1]) / 100:
            share = f"{self.count} of {rows_read} rows are bad, more than {self.limit} (`max_bad_rows`)"
            raise self._refusal(share)

    def finish(self, rows_read: int) -> Path | None:
        """Put the file in its place, with lines and offsets. Raises BadRowError when too many are bad."""
        self.require_few(rows_read)
        if self._spool is None:
            if is_quarantine(self.file):  # of an earlier start
                empty = self._part("located")
                empty.touch()
                put_quarantine(empty, self.file, self.is_ours)
            return None
        with naming(self._part("spool")):
            self._spool.close()
        put_quarantine(self._located(), self.file, self.is_ours)
        self._part("spool").unlink()
        return self.file

    def discard(self) -> None:
        """Remove what was quarantined since the copy began: it will begin again, or has failed."""
        if self._spool is not None:
            with suppress(OSError):  # what it still holds may not fit on the disk
                self._spool.close()
        self._part("spool").unlink(missing_ok=True)
        self._part("located").unlink(missing_ok=True)
        self._spool, self._places, self.count, self.first = None, array("q"), 0, []

    def _refusal(self, what: str) -> BadRowError:
        rows = list(self.locate(iter(sorted(self.first, key=lambda row: row.ordinal or 0))))
        hint = "fix the data, or quarantine bad rows with `on_bad_row: quarantine`" if self.fail else None
        return BadRowError(what, rows, hint=hint, code=Code.BAD_ROW if self.fail else Code.TOO_MANY_BAD_ROWS)

    def _write(self, row: BadRow) -> None:
        before = self._places[-2] if self._places else 0
        with naming(self._part("spool")):
            if self._spool is None:
                self._spool = self._part("spool").open("wb")
            self._places.extend((before if row.ordinal is None else row.ordinal, self._spool.tell()))
            self._spool.write(json.dumps(row.__dict__, ensure_ascii=False, default=str).encode() + b"\n")

    def _spooled(self) -> Iterator[BadRow]:
        """The rows in the order of their source, as those who locate them want it: a destination may find some later."""
        ordinals, offsets = self._places[::2], self._places[1::2]
        with self._part("spool").open("rb") as spool:
            for position in sorted(range(len(ordinals)), key=ordinals.__getitem__):
                spool.seek(offsets[position])
                row = json.loads(spool.readline())
                yield BadRow(**{**row, "reason": Reason(row["reason"])})

    def _line(self, row: BadRow, alike: Counter[bytes]) -> str:
        """Every line has every key, so that whoever loads the file gets the same columns each time."""
        who = {"run": self.identity.run_id, "pipeline": self.identity.pipeline, "task": self.identity.task}
        what = {key: value for key, value in row.__dict__.items() if key != "ordinal"}
        for name in ("message", "source"):  # a server's may hold anything; the row itself is data
            what[name] = None if what[name] is None else logs.mask(str(what[name]))
        return json.dumps({"id": self._id(row, alike), **who, **what}, ensure_ascii=False, default=str) + "\n"

    def _id(self, row: BadRow, alike: Counter[bytes]) -> str:
        """The same for the same row of the same load, however often it is tried.

        A row of a table has no place, only its values; rows that have the same values are counted.
        """
        load: tuple[str, ...] = (self.identity.pipeline, self.identity.task, self.identity.run_key)
        load += (self.identity.part,) if self.identity.part else ()
        place: tuple[object, ...] = (row.source, row.ordinal, row.offset, row.line, row.column, row.raw)
        if row.ordinal is None and row.offset is None and row.raw is None:
            values = hashlib.sha256(repr((place, row.record)).encode()).digest()[:12]
            alike[values] += 1
            place += (values, alike[values])
        return hashlib.sha256(repr((load, *place)).encode()).hexdigest()[:24]

    def _located(self) -> Path:
        """The rows in quarantine, with lines and offsets, on disk."""
        self.first = []
        alike: Counter[bytes] = Counter()
        file = self._part("located")
        with naming(file), file.open("w", encoding="utf-8") as out:
            for row in self.locate(self._spooled()):
                self.first.extend([row][: _SHOWN - len(self.first)])
                out.write(self._line(row, alike))
            out.flush()
            os.fsync(out.fileno())
        return file

    def _part(self, name: str) -> Path:
        return self.folder / f"quarantine.{name}"


def require_quarantine_place(file: Path) -> None:
    """Raise FatalError where a quarantine file would take the place of anything but an earlier one."""
    if is_stream(file):
        return
    require_file_place(resolved(file))
    if file.exists() and file.stat().st_size and not is_quarantine(file):
        hint = "name another file for the rows in quarantine"
        raise FatalError(f"{file} is there already, and is not a quarantine file", hint=hint)


def put_quarantine(finished: Path, file: Path, is_ours: Callable[[dict[str, object]], bool]) -> None:
    """Put finished rows into a quarantine file, in the place of those that are ours; without any, there is none.

    Raises FatalError where something else is.
    """
    require_quarantine_place(file)
    with disk_errors(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        if is_stream(file):
            put(finished, file)
            return
        with locked_folder(file.parent):  # several tasks may come at once
            add_others(finished, file, is_ours)
            if finished.stat().st_size:
                put(finished, file)
            else:
                file.unlink(missing_ok=True)


def add_others(finished: Path, file: Path, is_ours: Callable[[dict[str, object]], bool]) -> None:
    """Write the rows of other copies behind ours."""
    if not is_quarantine(file):
        return
    with file.open(encoding="utf-8") as lines, naming(finished), finished.open("a", encoding="utf-8") as out:
        out.writelines(line for line in lines if line.strip() and not is_ours(json.loads(line)))
        out.flush()
        os.fsync(out.fileno())


def is_quarantine(file: Path) -> bool:
    """Whether a regular file is there that windlass wrote as a quarantine."""
    if not file.is_file():
        return False
    with file.open("rb") as lines:
        try:
            first = json.loads(lines.readline(_LONGEST_HEAD))
        except ValueError:
            return False
    return isinstance(first, dict) and {"id", "run", "pipeline", "task", "reason"} <= first.keys()


def read_quarantine(file: Path) -> Iterator[dict[str, object]]:
    """The rows of a quarantine file, in order."""
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            if line.strip():
                yield json.loads(line)
