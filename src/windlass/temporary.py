"""Temporary folders, and how what a killed process left of them is removed.

A folder is locked (flock) as long as its process lives, and the kernel lets go of the lock however that
ends. So a folder without a holder is a leftover.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
from contextlib import suppress
from pathlib import Path

from windlass import logs
from windlass.locks import flock
from windlass.stopping import stop_later

__all__ = ["TemporaryFolder", "remove_leftovers"]

_PREFIX, _SUFFIX = "windlass-", ".copy"


class TemporaryFolder:
    """A folder of this process below `base`, or in the system's place for such. Use as a context manager."""

    def __init__(self, base: Path | None = None) -> None:
        base = _place(base)
        base.mkdir(parents=True, exist_ok=True)
        with stop_later():
            self.path, lock = _make(base)
            self._lock: int | None = lock
            atexit.register(self.remove)  # a request to stop may come before anybody else would, or meanwhile

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, *_: object) -> None:
        self.remove()

    def remove(self) -> None:
        """Remove it with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        with stop_later():
            if self._lock is not None:
                os.close(self._lock)
            self._lock = None
            atexit.unregister(self.remove)


def _place(base: Path | None) -> Path:
    if base is not None:
        return base
    import tempfile

    with stop_later():  # the first time, Python tries with a file whether one can be made there
        return Path(tempfile.gettempdir())


def _make(base: Path) -> tuple[Path, int]:
    import tempfile

    while True:
        path = Path(tempfile.mkdtemp(prefix=_PREFIX, suffix=_SUFFIX, dir=base))
        # In the moment before it is locked, somebody else may take it for a leftover
        with suppress(FileNotFoundError):
            lock = os.open(path, os.O_RDONLY)
            try:
                flock(lock, fcntl.LOCK_EX, path)
            except BaseException:
                path.rmdir()
                os.close(lock)
                raise
            if path.exists():
                return path, lock
            os.close(lock)


def remove_leftovers(base: Path | None = None) -> None:
    """Remove the folders that were made below `base` by processes that are gone."""
    for path in _place(base).glob(f"{_PREFIX}*{_SUFFIX}"):
        with suppress(OSError):  # it is somebody else's, or just gone
            if path.is_symlink() or path.stat().st_uid != os.geteuid():
                continue
            lock = os.open(path, os.O_RDONLY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                logs.info("removed_leftover", folder=str(path))
                shutil.rmtree(path)
            finally:
                os.close(lock)
