"""The cases of the fault tests, each played once in a session, whichever of its workers comes to it first.

A case takes seconds in which little more is done than to wait for processes. So while a test plays its case, those of
the next tests are begun in the background.
"""

from __future__ import annotations

import fcntl
import traceback
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

Play: TypeAlias = Callable[[Path], None]

AHEAD = 2


class Outcomes:
    """Plays cases, and remembers in a folder that the workers share what became of them."""

    def __init__(self, plays: Sequence[tuple[Hashable, Play]], folder: Path) -> None:
        self._plays = [play for _, play in plays]
        self._numbers = {case: number for number, (case, _) in enumerate(plays)}
        self._folder = folder
        self._pool = ThreadPoolExecutor(AHEAD)
        self._begun: set[int] = set()
        folder.mkdir(exist_ok=True)

    def check(self, case: Hashable) -> None:
        """Play the case, or wait until it has been played. Raises AssertionError if it has failed."""
        number = self._numbers[case]
        ahead = range(number + 1, min(number + 1 + AHEAD, len(self._plays)))
        for other in set(ahead) - self._begun:
            self._begun.add(other)
            self._pool.submit(self._play_ahead, other)
        if error := self._outcome(number):
            raise AssertionError(error)

    def close(self) -> None:
        """Let go of what was begun for tests that are not run here."""
        self._pool.shutdown(cancel_futures=True)

    def _play_ahead(self, number: int) -> None:
        with suppress(BlockingIOError):  # another worker plays it
            self._outcome(number, fcntl.LOCK_NB)

    def _outcome(self, number: int, waiting: int = 0) -> str:
        """Why the case has failed, or nothing."""
        error = self._folder / f"{number}.error"
        with (self._folder / f"{number}.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | waiting)
            if not error.exists():
                error.write_text(self._played(number), encoding="utf-8")
        return error.read_text(encoding="utf-8")

    def _played(self, number: int) -> str:
        try:
            self._plays[number](self._folder / str(number))
        except BaseException:  # noqa: BLE001 - it is raised where somebody asks for the outcome
            return traceback.format_exc()
        return ""
