"""Old runs go: their records in the history, and their folders with plans, logs and reports.

What somebody may still need stays: a run that is going on, and one with rows in quarantine that were not replayed.
A run that another triggered goes with that one.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from msgspec import Struct, field

from windlass.locks import try_to_take
from windlass.runner.history import History, Run
from windlass.state_folder import RunFolder, StateFolder

__all__ = ["KEPT", "Pruned", "prune"]

KEPT = 200
"""How many runs of a pipeline are kept when nobody says how many."""


_UNTOUCHED = timedelta(days=1)  # what another scheduler does not use any more, as far as can be told


class Pruned(Struct):
    """What became of the runs that were to go, by their ids."""

    removed: list[str] = field(default_factory=list)
    quarantined: list[str] = field(default_factory=list)
    """Those that stay, for their rows in quarantine."""


def prune(
    state: StateFolder,
    history: History,
    *,
    keep: int | None = None,
    older_than: float | None = None,
    pipeline: str | None = None,
) -> Pruned:
    """Remove the runs of a pipeline, or of each, that are not among its latest `keep`, and older than so many seconds;
    also what is left of runs that no history knows.
    """
    begun_before = datetime.now(UTC) - timedelta(seconds=older_than or 0)
    found = Pruned()
    for run in _old(history.families(pipeline), keep or 0, begun_before):
        _remove(state, history, run, found)
    if pipeline is None:
        _remove_strangers(state, history, min(begun_before, datetime.now(UTC) - _UNTOUCHED))
    if found.removed:
        history.give_back_space()
    return found


def _old(families: Iterable[Run], keep: int, begun_before: datetime) -> list[Run]:
    """Of runs that nobody triggered, the latest first, those that may go."""
    seen: dict[str, int] = {}
    old = []
    for run in families:
        seen[run.pipeline] = seen.get(run.pipeline, 0) + 1
        if seen[run.pipeline] > keep and datetime.fromisoformat(run.started) <= begun_before:
            old.append(run)
    return old


def _remove(state: StateFolder, history: History, run: Run, found: Pruned) -> None:
    """Remove a run and those that it triggered; all of them or none."""
    family = [run, *history.descendants(run.run_id)]
    if any(_has_rows_in_quarantine(state.run(member.run_id)) for member in family):
        found.quarantined.append(run.run_id)
        return
    locks = [
        try_to_take(state.run(member.run_id).lock)
        for member in family
        if state.run(member.run_id).path.exists()
    ]
    try:
        if None in locks:  # it goes on
            return
        history.forget([member.run_id for member in family])
        for member in family:
            shutil.rmtree(state.run(member.run_id).path, ignore_errors=True)
        found.removed.append(run.run_id)
    finally:
        for lock in locks:
            if lock is not None:
                lock.close()


def _remove_strangers(state: StateFolder, history: History, begun_before: datetime) -> None:
    """Remove the folders of runs of other schedulers, which are in no history unless they quarantined rows."""
    for path in state.runs.iterdir():
        run = RunFolder(path)
        with suppress(OSError):
            untouched = datetime.fromtimestamp(max(map(os.path.getmtime, (path, *path.rglob("*")))), UTC)
            if history.knows(path.name) or untouched > begun_before or _has_rows_in_quarantine(run):
                continue
            lock = try_to_take(run.lock)
            if lock is not None:
                with lock:
                    shutil.rmtree(path, ignore_errors=True)


def _has_rows_in_quarantine(run: RunFolder) -> bool:
    return any(file.stat().st_size for file in (run.path / "quarantine").glob("*"))
