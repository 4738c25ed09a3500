"""The ledger of files: a manifest beside a file, or in a folder, that names every load.

A file's rows and its manifest cannot be written at once, so a commit has three steps: the manifest says
which temporary file (by inode, size and time) is about to take the file's place; the file is renamed;
the manifest says that it happened. Whoever finds the first step without the third compares the file
that is there with the one announced, and knows which of the two moments the writer died at.

Every writer has a token, an empty file of a name that is never used again. A new writer removes the tokens
and temporary files of those before it. A paused writer that wakes up finds its token gone, and cannot
commit any more.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from windlass import failpoints, logs
from windlass.connectors.protocol import LedgerEntry
from windlass.errors import FatalError, FencedError, RetryableError

__all__ = ["Manifest", "fresh_part", "sync"]

_KEPT = 1000
_LOCK_WAIT, _LOCK_POLL = 10.0, 0.05
_REMOVE_TRIES = 20


class Manifest:
    """The manifest of one destination: a file, or a folder of files."""

    def __init__(self, target: Path, *, folder: bool) -> None:
        self.target = target
        self._folder = folder
        self._file = (
            target / ".windlass-manifest.json"
            if folder
            else target.with_name(f".{target.name}.windlass.json")
        )
        self._prefix = f".{target.name}.windlass-tmp-"

    def take_over(self, writer: str) -> Path:
        """Become the only writer. Returns where to write: a name in the same folder that nobody else has."""
        self.target.parent.mkdir(parents=True, exist_ok=True)
        with self._locked():
            for leftover in self.target.parent.glob(f"{self._prefix}*"):
                logs.warning("removed_leftover", file=str(leftover))
                _remove(leftover)
            _remove(_beside(self._file))
            self._settle()
            temporary = self.target.parent / f"{self._prefix}{writer}"
            _token(temporary).touch()
        return temporary

    def settle(self, entry: LedgerEntry, loads: Sequence[str]) -> LedgerEntry | None:
        """The committed entry of the same load, without being a writer; what these starts left is removed."""
        if not self.target.parent.is_dir():
            return None
        with self._locked():
            for load in loads:
                self.leave(self.target.parent / f"{self._prefix}{load}")
            _remove(_beside(self._file))
            self._settle()
        return self.find(entry)

    def discard(self, temporary: Path) -> None:
        """Remove what was written and not committed, if there is something; the writer may begin again."""
        if temporary.name.startswith(self._prefix):
            for path in (temporary, fresh_part(temporary)):
                _remove(path)

    def require_writer(self, temporary: Path) -> None:
        """Raise FencedError when another took over."""
        if not _token(temporary).exists():
            raise FencedError(
                f"a later writer took {self.target} over, so this one may no longer commit",
                hint="nothing of this load was committed; the later one decides what is there",
            )

    def leave(self, temporary: Path) -> None:
        """Be no writer any more."""
        self.discard(temporary)
        if temporary.name.startswith(self._prefix):
            _remove(_token(temporary))

    def find(self, entry: LedgerEntry) -> LedgerEntry | None:
        """The committed entry of the same load."""
        for load in reversed(self._read()["loads"]):
            if all(load[key] == getattr(entry, key) for key in ("pipeline", "task", "run_key", "part")):
                return LedgerEntry(**load)
        return None

    def last_cursor(self, entry: LedgerEntry) -> str | None:
        for load in reversed(self._read()["loads"]):
            if (load["pipeline"], load["task"]) == (entry.pipeline, entry.task) and load[
                "cursor"
            ] is not None:
                return str(load["cursor"])
        return None

    def commit(self, temporary: Path, entry: LedgerEntry) -> None:
        """Put the temporary file or folder in the target's place, and the entry into the manifest."""
        entry = LedgerEntry(**{**asdict(entry), "committed_at": datetime.now(UTC).isoformat()})
        with self._locked():
            self.require_writer(temporary)
            if self._folder:
                self._commit_folder(temporary, entry)
            else:
                self._commit_file(temporary, entry)
        failpoints.reach("after-commit")

    def _commit_file(self, temporary: Path, entry: LedgerEntry) -> None:
        content = self._read()
        failpoints.reach("before-ledger")
        self._write(
            self._file, {**content, "pending": {"file": _identity(temporary), "entry": asdict(entry)}}
        )
        failpoints.reach("after-ledger")
        after = self._prepare(self._file, _with(content, entry))  # after the rename no space is needed
        failpoints.reach("before-commit")
        temporary.replace(self.target)
        sync(self.target.parent)
        failpoints.reach("mid-rename")
        self._put(after, self._file)

    def _commit_folder(self, temporary: Path, entry: LedgerEntry) -> None:
        """The folder carries its manifest with it, so exchanging the folders is all there is to it."""
        failpoints.reach("before-ledger")
        files = sorted(str(p.relative_to(temporary)) for p in temporary.rglob("*") if p.is_file())
        self._write(temporary / self._file.name, {**_with(self._read(), entry), "files": files})
        failpoints.reach("after-ledger")
        failpoints.reach("before-commit")
        if self.target.exists():
            _exchange(temporary, self.target)
            failpoints.reach("mid-rename")
            shutil.rmtree(temporary, ignore_errors=True)  # it is committed, whatever becomes of the old one
        else:
            temporary.rename(self.target)
        sync(self.target.parent)

    def _settle(self) -> None:
        """Finish, in the manifest, a commit whose writer died between its steps."""
        failpoints.reach("during-recovery")
        content = self._read()
        pending = content.pop("pending", None)
        if pending is None:
            return
        happened = self.target.exists() and _identity(self.target) == pending["file"]
        logs.info("commit_settled", file=str(self.target), committed=happened)
        self._write(self._file, _with(content, LedgerEntry(**pending["entry"])) if happened else content)

    def _read(self) -> dict[str, Any]:
        try:
            content = json.loads(self._file.read_text(encoding="utf-8"))
            content["loads"]
        except FileNotFoundError:
            return {"loads": []}
        except (ValueError, KeyError, TypeError) as exc:
            hint = "remove it if you are sure that nothing has to be remembered about the file beside it"
            raise FatalError(f"{self._file} is no manifest", hint=hint) from exc
        return dict(content)

    def _write(self, file: Path, content: dict[str, Any]) -> None:
        self._put(self._prepare(file, content), file)

    def _prepare(self, file: Path, content: dict[str, Any]) -> Path:
        temporary = _beside(file)
        with temporary.open("w", encoding="utf-8") as out:
            json.dump(content, out, indent=1)
            out.flush()
            os.fsync(out.fileno())
        return temporary

    def _put(self, temporary: Path, file: Path) -> None:
        temporary.replace(file)
        sync(file.parent)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold a lock on the folder that the target is in: for moments only, never while rows move."""
        descriptor = os.open(self.target.parent, os.O_RDONLY)
        try:
            deadline = time.monotonic() + _LOCK_WAIT
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise RetryableError(f"another writer holds {self.target.parent}") from None
                    time.sleep(_LOCK_POLL)
            yield
        finally:
            os.close(descriptor)


def sync(path: Path) -> None:
    """Make a file's content, or a folder's names, survive a loss of power."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _with(content: dict[str, Any], entry: LedgerEntry) -> dict[str, Any]:
    """The manifest with the entry in it, in the place of an earlier one of the same load."""
    key = (entry.pipeline, entry.task, entry.run_key, entry.part)
    loads = [v for v in content["loads"] if (v["pipeline"], v["task"], v["run_key"], v["part"]) != key]
    return {"loads": [*loads[1 - _KEPT :], asdict(entry)]}


def _identity(path: Path) -> dict[str, int]:
    state = path.stat()
    return {"inode": state.st_ino, "size": state.st_size, "mtime_ns": state.st_mtime_ns}


def _token(temporary: Path) -> Path:
    return temporary.with_name(f"{temporary.name}.token")


def fresh_part(temporary: Path) -> Path:
    """Where the files of a folder are written, before they get their names in the temporary folder."""
    return temporary.with_name(f"{temporary.name}.new")


def _beside(file: Path) -> Path:
    return file.with_name(f"{file.name}.tmp")


def _remove(path: Path) -> None:
    if path.is_dir():
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


def _exchange(one: Path, other: Path) -> None:
    """Let two paths trade places, at once where the system can (Linux's renameat2)."""
    import ctypes

    exchange, at_cwd = 2, -100
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        renameat2 = None
    if renameat2 and renameat2(at_cwd, os.fsencode(one), at_cwd, os.fsencode(other), exchange) == 0:
        return
    aside = other.with_name(f"{one.name}-old")
    other.rename(aside)
    one.rename(other)
    aside.rename(one)
