"""The entry that a destination keeps of each load, in whatever way it keeps one."""

from __future__ import annotations

from dataclasses import dataclass

from windlass.errors import FencedError

__all__ = ["LedgerEntry", "fenced"]


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


def fenced(destination: object) -> FencedError:
    """The error of a writer that was overtaken."""
    return FencedError(
        f"a later writer took {destination} over, so this one may no longer commit",
        hint="nothing of this load was committed; the later one decides what is there",
    )
