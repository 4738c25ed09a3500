"""What the ledger remembers of an input, to know it again under the same run key.

That is where it is read from and what is taken of it, with sizes and times of change. Those times change with a checkout,
a download, a step that writes its output anew; so an `append` remembers a digest of the bytes, too, which are read once
more in a thread while the rows go on their way. It is what counts when the times differ.
"""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from threading import Event
from typing import Self

from windlass.connectors.source import HasContents, Source
from windlass.engine.job import Job
from windlass.engine.ledger import identified, part_to_json
from windlass.errors import Code, FatalError
from windlass.ledger import LedgerEntry
from windlass.units import counted

__all__ = ["Input"]

_LENGTH = 32
_BETWEEN = "."


class Input:
    """The input of one copy. Use as a context manager."""

    def __init__(self, job: Job, source: Source) -> None:
        self._job, self._source = job, source
        self.state = self._state()
        """What identifies it, by times of change."""

        self._left = Event()
        self._contents: Future[str | None] | None = None
        self._thread = ThreadPoolExecutor(1, "contents")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._left.set()
        self._thread.shutdown()

    def begin(self, *, reads_here: bool = True) -> None:
        """Begin to look at the bytes, if they are to be remembered: just before the rows are read. Those that do not pass
        through here are known by their versions alone.
        """
        self.state = self._state()
        passes_here = reads_here and self._job.spread is None
        is_known = passes_here and self._job.input is None and isinstance(self._source, HasContents)
        if is_known and self._job.copy.destination.mode == "append" and self._contents is None:
            self._contents = self._thread.submit(self._read)

    def entry(self) -> LedgerEntry:
        """The entry that its load would write, but for what only the end can tell."""
        return replace(identified(self._job), digest=self.state)

    def digest(self) -> str:
        """What the ledger keeps."""
        contents = self._contents.result() if self._contents is not None else None
        return self.state if contents is None else f"{self.state}{_BETWEEN}{contents}"

    def require_same(self, earlier: LedgerEntry) -> None:
        """Raise FatalError when this load was committed from another input."""
        state, _, contents = earlier.digest.partition(_BETWEEN)
        self.begin()
        if state == self.state or (self._contents is not None and self._contents.result() == contents):
            return
        raise FatalError(
            f"run key {earlier.run_key!r} was already loaded from another input ({counted(earlier.rows_written, 'row')}, "
            f"{earlier.committed_at}), and loading this one too would append a second time",
            hint="load what is new in a run of its own: another logical date, or no run key",
            code=Code.LOADED_FROM_OTHER_INPUT,
        )

    def _state(self) -> str:
        return self._hash(self._job.input or self._source.fingerprint())

    def _hash(self, source: object) -> str:
        copy = self._job.copy
        what: dict[str, object] = {
            "source": source,
            "select": [(column.name, column.source, column.type) for column in copy.select],
            "cursor": copy.incremental.cursor if copy.incremental else None,
        }
        if self._job.part is not None and self._job.part.name:
            what["part"] = part_to_json(self._job.part)
        return _short(hashlib.sha256(json.dumps(what, sort_keys=True, default=str).encode()))

    def _read(self) -> str | None:
        """The digest of the bytes; None when they changed meanwhile, or nobody wants it any more."""
        assert isinstance(self._source, HasContents)
        digest = hashlib.sha256()
        try:
            for piece in self._source.contents():
                if self._left.is_set():
                    return None
                digest.update(piece)
            return self._hash(_short(digest)) if self._state() == self.state else None
        except OSError:
            return None


def _short(digest: hashlib._Hash) -> str:
    return digest.hexdigest()[:_LENGTH]
