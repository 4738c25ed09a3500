"""Files of the machine, and how one is put into its place: whole, through links, and never over anything
that is not a regular file.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from windlass.errors import FULL, Code, FatalError, RetryableError, naming, reason_of, refused_by_system
from windlass.file_names import fitting
from windlass.locks import flock

__all__ = [
    "beside",
    "copy_to_stream",
    "disk_errors",
    "is_full",
    "is_stream",
    "locked_folder",
    "put",
    "require_file_place",
    "resolved",
    "sync",
    "write_file",
    "write_whole",
]

_PIECE = 1 << 20
_LITTLE = 1 << 16  # bytes: a database needs some for its journal
_MOST_LINKS = 40  # as Linux has it
_DESCRIPTOR = re.compile(r"/dev/fd/(\d+)|/proc/(?:self|thread-self|\d+)(?:/task/\d+)?/fd/(\d+)")
_LOCK_WAIT, _LOCK_POLL = 10.0, 0.05


@contextmanager
def disk_errors(target: object, doing: str = "write") -> Iterator[None]:
    """Turn what the operating system refuses into errors that name the file."""
    try:
        yield
    except OSError as exc:
        if exc.errno in FULL and exc.filename is not None:  # something else may have no space
            doing, target = "write", exc.filename
        raise refused_by_system(f"cannot {doing} {target}: {reason_of(exc)}", exc) from exc
    except FatalError as exc:
        if os.strerror(errno.ENOSPC) in exc.message:
            raise RetryableError(
                exc.message, hint="free some space and try again", code=Code.DISK_FULL
            ) from exc
        raise


def resolved(path: Path) -> Path:
    """Where a path leads, through every link, or would lead if something were there.

    A descriptor of a process, such as /dev/stdout, stays as it is: what is written there goes on from where
    the descriptor stands. Raises FatalError for links that lead in a cycle.
    """
    return path if _descriptor(path) else _followed(path)


def _followed(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError) as exc:  # a RuntimeError before Python 3.13
        raise FatalError(f"cannot follow {path}: too many levels of symbolic links") from exc


def is_stream(path: Path) -> bool:
    """Whether bytes go through there and are gone: a FIFO, a terminal, /dev/null, a descriptor of a process."""
    if _descriptor(path):
        return True
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)


def require_file_place(path: Path) -> None:
    """Raise FatalError unless a regular file is there, or may be put there. `path` is resolved."""
    try:
        mode = path.lstat().st_mode
    except OSError:
        return  # nothing is there; or what is in the way shows when it is written
    if stat.S_ISDIR(mode):
        raise FatalError(f"{path} is a folder")
    if not stat.S_ISREG(mode):
        raise FatalError(f"{path} is {_kind(mode)}, and only a regular file can be put in its place")


def put(finished: Path, target: Path) -> None:
    """Put a finished file into its place, which must be in a folder that exists; in one step, also from
    another disk. A stream gets its bytes. Raises FatalError and RetryableError.
    """
    with disk_errors(target):
        if is_stream(target):
            copy_to_stream(finished, target)
            finished.unlink()
            return
        target = resolved(target)
        require_file_place(target)
        try:
            finished.replace(target)
        except OSError as exc:
            if exc.errno != errno.EXDEV:
                raise
            _put_from_another_disk(finished, target)
        sync(target.parent)


def _put_from_another_disk(finished: Path, target: Path) -> None:
    copy = beside(target, f".{os.getpid()}.tmp")
    try:
        shutil.copyfile(finished, copy)
        sync(copy)
        copy.replace(target)
    finally:
        copy.unlink(missing_ok=True)
    finished.unlink()


def beside(path: Path, ending: str) -> Path:
    """The hidden file or folder of that ending beside another one: `.NAME` and the ending, of a long name a part."""
    return path.parent / f".{fitting(path.name)}{ending}"


def write_file(file: Path, content: bytes | str, errors: str = "strict") -> None:
    """Write all of a file. Whoever reads it meanwhile may see a part."""
    with naming(file):
        file.write_bytes(content.encode(errors=errors) if isinstance(content, str) else content)


def write_whole(file: Path, content: bytes | str, *, private: bool = False, durable: bool = True) -> None:
    """Put a file of ours into its place in one step: whoever reads it, whenever, has the old one or the new one.

    `private` is for its owner only. One that is not `durable` may be lost with the power.
    """
    data = content.encode() if isinstance(content, str) else content
    new = beside(file, f".{os.urandom(4).hex()}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    try:
        with naming(file), os.fdopen(os.open(new, flags, 0o600 if private else 0o666), "wb") as out:
            out.write(data)
            if durable:
                out.flush()
                os.fsync(out.fileno())
        new.replace(file)
    finally:
        new.unlink(missing_ok=True)


def copy_to_stream(finished: Path, stream: Path) -> None:
    """Send the bytes of a file there. Raises FatalError when whoever reads them goes away."""
    sys.stdout.flush()
    own = _own_descriptor(stream)
    where: int | Path = stream if own is None else os.dup(own)
    try:
        with finished.open("rb") as source, open(where, "wb", buffering=0) as target:  # noqa: PTH123 - a number
            shutil.copyfileobj(source, target, _PIECE)
    except BrokenPipeError as exc:
        raise FatalError(f"{stream} was closed before all of it was written") from exc


def is_full(folder: Path) -> bool:
    """Whether there is no room, or next to none, on the disk of a folder."""
    try:
        return shutil.disk_usage(folder).free < _LITTLE
    except OSError:
        return False


def sync(path: Path) -> None:
    """Make a file's content, or a folder's names, survive a loss of power."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Hold a lock on a folder: for moments only. Raises RetryableError when another holds it for long."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        deadline = time.monotonic() + _LOCK_WAIT
        while True:
            if flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, folder):
                break
            if time.monotonic() > deadline:
                raise RetryableError(f"another writer holds {folder}")
            time.sleep(_LOCK_POLL)
        yield
    finally:
        os.close(descriptor)


def _descriptor(path: Path) -> str | None:
    """The descriptor that a path leads to, such as /proc/123/fd/1 for /dev/stdout."""
    path = path.absolute()
    for _ in range(_MOST_LINKS):
        path = _followed(path.parent) / path.name
        if _DESCRIPTOR.fullmatch(str(path)):
            return str(path)
        try:
            path = path.parent / path.readlink()
        except OSError:
            return None
    return None


def _own_descriptor(path: Path) -> int | None:
    """The number of a descriptor of this process."""
    text = _descriptor(path)
    found = _DESCRIPTOR.fullmatch(text) if text else None
    if text is None or found is None:
        return None
    is_own = text.startswith(("/dev/fd/", "/proc/self/", "/proc/thread-self/", f"/proc/{os.getpid()}/"))
    return int(found[1] or found[2]) if is_own else None


def _kind(mode: int) -> str:
    kinds = ((stat.S_ISFIFO, "a FIFO"), (stat.S_ISSOCK, "a socket"), (stat.S_ISBLK, "a block device"))
    return next((name for test, name in kinds if test(mode)), "a device")
