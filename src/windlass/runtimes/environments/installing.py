"""How an environment is made: once, by whoever comes first, whole or not at all.

It is made beside, under a name of its own, and put in its place once it is whole. What a maker that was killed left
behind is removed by the next one, which holds the lock that the killed one had.
"""

from __future__ import annotations

import glob
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from windlass import logs
from windlass.errors import Code, FatalError
from windlass.images.unread_locks import Language, unread_lock
from windlass.locks import locked, take
from windlass.processes import last_words
from windlass.processes.environment import installing
from windlass.processes.launch import launch

__all__ = ["Making", "beside", "remove_left", "tell_of_lock"]

_WANTED, _ALIVE = ".wanted", ".alive"
_CACHES = ("UV_CACHE_DIR", "PIP_CACHE_DIR", "npm_config_cache")
_CHUNK = 1 << 16


def tell_of_lock(folder: Path, language: Language) -> None:
    """Warn of a lock file that nothing here reads: what is installed is not what it says."""
    if (found := unread_lock(folder, language)) is not None:
        logs.warning("lock_not_read", step=folder.name, file=found.name, hint=found.hint)


@dataclass(frozen=True)
class Making:
    """An environment that is being made."""

    place: Path
    step: str
    """For whom, in messages."""

    wanted: Path
    alive: IO[str]
    """A lock that is held by whoever makes it, and by what that has started."""

    def call(
        self, command: Sequence[str], folder: Path | None = None, variables: Mapping[str, str] | None = None
    ) -> None:
        """Run an installer, which gets none of our secrets, and does not outlive who makes the environment. Raises
        FatalError with what it said last.
        """
        installer = launch(
            command,
            self.wanted,
            folder=folder or self.place.parent,
            environment={**self._caches(), **installing(os.environ), **(variables or {})},
            output=subprocess.PIPE,
            kept_open=(self.alive.fileno(),),
        )
        with installer:
            assert installer.stdout is not None
            said = b""
            while chunk := installer.stdout.read1(_CHUNK):  # type: ignore[attr-defined]
                said = (said + chunk)[-_CHUNK:]
        if installer.returncode:
            raise self.failed(last_words(said.decode(errors="replace"), installer.returncode))

    def _caches(self) -> dict[str, str]:
        """Where installers keep what they download, if they cannot below our home: in a container it often is `/`."""
        cache = Path("~/.cache").expanduser()
        with suppress(OSError, RuntimeError):
            cache.mkdir(exist_ok=True)
            if os.access(cache, os.W_OK):
                return {}
        return {name: str(_cache_of(self.place) / name) for name in _CACHES}

    def failed(self, why: str, hint: str | None = None) -> FatalError:
        message = f"cannot set up the environment of {self.step}:{why}"
        return FatalError(message, hint=hint, code=Code.NO_ENVIRONMENT)


@contextmanager
def beside(base: Path, name: str, step: str) -> Iterator[Making]:
    """A place in the folder `base` to make something in, which is removed when that fails. Nobody else makes something
    of that name meanwhile.
    """
    remove_left(base, name)
    place = base / f"{name}-{secrets.token_hex(4)}"
    wanted, alive = (place.with_name(place.name + ending) for ending in (_WANTED, _ALIVE))
    try:
        with locked(alive) as held, locked(wanted):
            yield Making(place, step, wanted, held)
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise
    finally:
        wanted.unlink(missing_ok=True)
        alive.unlink(missing_ok=True)
        shutil.rmtree(_cache_of(place), ignore_errors=True)


def remove_left(base: Path, name: str) -> None:
    """Remove what makers in the folder `base` left that were killed. Nobody makes something of that name meanwhile."""
    for alive in base.glob(f"{glob.escape(name)}-*{_ALIVE}"):
        take(alive).close()  # until what the maker had started has ended, too
    for left in base.glob(f"{glob.escape(name)}-*"):
        shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()


def _cache_of(place: Path) -> Path:
    return place.with_name(f"{place.name}.cache")
