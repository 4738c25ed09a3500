"""Whose turn it is at a place. Every writer has a token: a file of a name that is never used again, which says what it
loads and is locked as long as its process lives.

So whoever comes later can tell a writer that is at work, and wait for it, from one that is gone, and remove what that
has left. Another start of the same load does not wait: it removes the token of the one before. A paused writer that
wakes up finds its token gone, and cannot commit any more.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from windlass import locks
from windlass.files import beside, disk_errors, locked_folder
from windlass.ledger import LedgerEntry, fenced
from windlass.turns import Waiting

__all__ = ["Turn", "Turns", "remove", "table_turns"]

_REMOVE_TRIES = 20
_TOKEN = ".token"


class Turns:
    """The writers of one place: their tokens and temporary files, in the folder that the place is in.

    Not `takes_over`: a start of the same load that is at work is waited for, too; it has what nobody can take from it.
    """

    def __init__(self, place: Path, shown: object = None, *, takes_over: bool = True) -> None:
        self._place, self._shown, self._takes_over = place, str(shown or place), takes_over
        self._prefix = beside(place, ".windlass-tmp-").name

    @contextmanager
    def await_turn(self, entry: LedgerEntry, *, alone: bool) -> Iterator[None]:
        """Hold the folder's lock, once no load is at work that this one cannot go beside: then `take` the turn.

        The token of another start of this load is gone by then. Raises RetryableError when that takes too long.
        """
        waiting = Waiting(self._shown)
        while True:
            with disk_errors(self._shown), locked_folder(self._place.parent):
                others = [other for path in self._tokens() if (other := self._in_the_way(path, entry, alone))]
                if not others:
                    yield
                    return
            waiting.pause(others)

    def take(self, entry: LedgerEntry, *, alone: bool) -> Turn:
        """Become a writer."""
        return Turn(self._shown, self.temporary(entry.load_id), entry, alone=alone)

    def temporary(self, writer: str) -> Path:
        """Where that writer writes."""
        return self._place.with_name(f"{self._prefix}{writer}")

    def leftovers(self) -> list[Path]:
        """What is there of writers, tokens among it."""
        there = self._place.parent.iterdir()
        return sorted(path for path in there if path.name.startswith(self._prefix))

    def writer_of(self, leftover: Path) -> str:
        """Whose a leftover is."""
        return leftover.name.removeprefix(self._prefix).partition(".")[0]

    def at_work(self) -> set[str]:
        """The writers that are not gone."""
        return {self.writer_of(path) for path in self._tokens()}

    def _tokens(self) -> list[Path]:
        """The tokens of those that are at work. Others are removed."""
        found = [path for path in self.leftovers() if path.suffix == _TOKEN]
        for path in found:
            if not locks.has_owner(path):
                remove(path)
        return [path for path in found if path.exists()]

    def _in_the_way(self, token: Path, entry: LedgerEntry, alone: bool) -> str | None:
        """Whom this load has to wait for because of a token, if it has to."""
        try:
            about = json.loads(token.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        if about["load"] == list(entry.key) and self._takes_over:
            remove(token)
            return None
        return str(about["name"]) if alone or about["alone"] else None


class Turn:
    """The turn of one writer, until it leaves."""

    def __init__(self, shown: str, temporary: Path, entry: LedgerEntry, *, alone: bool) -> None:
        self.temporary = temporary
        """What it writes: nobody else has it."""

        self._shown = shown
        self._token = temporary.with_name(f"{temporary.name}{_TOKEN}")
        self._lock: IO[str] = locks.take(self._token)
        try:
            self._lock.write(json.dumps({"load": entry.key, "name": entry.name, "alone": alone}))
            self._lock.flush()
        except BaseException:
            self.leave()
            raise

    def require(self) -> None:
        """Raise FencedError when another start of the same load took over."""
        if not self._token.exists():
            raise fenced(self._shown)

    def leave(self) -> None:
        """Be no writer any more."""
        remove(self._token)
        with suppress(OSError):  # where the disk is full: closing it writes once more
            self._lock.close()


def table_turns(database: Path, table: str) -> Turns:
    """The turns at one table of a database that is a file."""
    name = hashlib.sha256(table.lower().encode()).hexdigest()[:12]
    return Turns(database.with_name(f"{database.name}.{name}"), f"{table} in {database}")


def remove(path: Path) -> None:
    """Remove a file or folder of our own; nothing is there perhaps."""
    if path.is_dir() and not path.is_symlink():
        _remove_folder(path)
    else:
        with suppress(FileNotFoundError):
            path.unlink()


def _remove_folder(path: Path) -> None:
    """Remove a folder that its writer, not knowing yet that it was overtaken, may still put files into."""
    for _ in range(_REMOVE_TRIES):
        shutil.rmtree(path, ignore_errors=True)
        if not path.exists():
            return
    shutil.rmtree(path)
