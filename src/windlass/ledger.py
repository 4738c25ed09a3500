"""The entry that a destination keeps of each load, in whatever way it keeps one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from windlass.errors import FencedError

__all__ = ["BOUNDS", "LONG_MARK", "LedgerEntry", "commit_time", "fenced"]

BOUNDS = ".parts"
"""How the task of an entry ends that keeps the bounds of the parts of a load."""

LONG_MARK = 4096
"""Beyond this many bytes, how far an incremental load came is kept of the latest load only."""


@dataclass(frozen=True)
class LedgerEntry:
    """A row of `_windlass_loads`: one load that was committed, in the data's own transaction.

    (pipeline, task, run_key, part) identify it; `digest` says of what input, and `load_id` which of the
    starts of this load it was.
    """

    pipeline: str
    task: str
    run_key: str
    part: str = ""
    digest: str = ""
    rows_read: int = 0
    rows_written: int = 0
    rows_quarantined: int = 0
    cursor: str | None = None
    version: str = ""
    committed_at: str = ""
    load_id: str = ""

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What identifies the load."""
        return self.pipeline, self.task, self.run_key, self.part

    @property
    def name(self) -> str:
        """The load, for people."""
        return f"{self.pipeline}.{self.task} {self.run_key} {self.part}".rstrip()

    @property
    def is_how_far(self) -> bool:
        """Whether `cursor` says how far an incremental load came; else it has the bounds of parts, or is None."""
        return self.cursor is not None and not self.task.endswith(BOUNDS)

    def after(self, earlier: LedgerEntry) -> LedgerEntry:
        """An earlier entry as it is kept after this one: only the latest long mark is ever asked for."""
        is_same = (earlier.pipeline, earlier.task) == (self.pipeline, self.task)
        if is_same and self.is_how_far and len(str(earlier.cursor)) > LONG_MARK:
            return replace(earlier, cursor=None)
        return earlier


def commit_time(latest: str | None) -> str:
    """When a load is committed: now, and after the latest of its task, of which this is the time.

    Which load was the last is told by it. A clock may be set back, and that of another machine may be ahead.
    """
    now = datetime.now(UTC)
    if latest is not None:
        now = max(now, datetime.fromisoformat(latest) + timedelta(microseconds=1))
    return now.isoformat()


def fenced(destination: object) -> FencedError:
    """The error of a writer that was overtaken."""
    return FencedError(
        f"a later start of this load took {destination} over, so this one may no longer commit",
        hint="nothing of this start was committed; the later one decides what is there",
    )
