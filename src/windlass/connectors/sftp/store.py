"""The files of a server of SFTP, as a store that is read.

It is not written: a rename of SFTP that replaces what is there is an extension, and none of its renames has a condition, so
that of two writers both would believe that they were the one.

A file's version is its size and time. It is looked at before and after bytes are read, so a file that grows meanwhile is an error.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from typing import Any, NoReturn, TypeAlias

from windlass.connectors.sftp.login import Login, errors
from windlass.connectors.stores.silence import SILENCE
from windlass.errors import Code, FatalError
from windlass.storage.objects import ChangedError, Object

__all__ = ["SftpStore"]

_PIECE = 1 << 20  # which each of several sessions holds
_ASKED_AT_ONCE = 32 << 10  # bytes a request, of which many are on their way


_Entries: TypeAlias = list[tuple[str, Object | None]]
"""Keys in a folder, each with its file; of a folder it is None."""


class SftpStore:
    """Implements `Store`, as far as it reads, and `HasFolders`."""

    silence = SILENCE

    def __init__(self, login: Login) -> None:
        self.name, self._login = login.name, login

    def list(self, prefix: str) -> Iterator[Object]:
        return self.walk(prefix, lambda folder: True)

    def walk(self, prefix: str, enters: Callable[[str], bool]) -> Iterator[Object]:
        folder = prefix[: prefix.rfind("/") + 1]
        with errors(f"{self.name}/{folder}"):
            try:
                entries = self._entries(folder)
            except FileNotFoundError:
                return
        yield from self._below(entries, prefix, enters)

    def _below(self, entries: _Entries, prefix: str, enters: Callable[[str], bool]) -> Iterator[Object]:
        for key, found in entries:
            if not key.startswith(prefix):
                continue
            if found is not None:
                yield found
            elif enters(key):
                with errors(f"{self.name}/{key}", is_known=True):
                    inner = self._entries(key)
                yield from self._below(inner, prefix, enters)

    def _entries(self, folder: str) -> _Entries:
        """What is in a folder, in order; folders end in a slash, and are None. Links to files are files, links to folders are
        not followed: they may lead in a circle. Raises FileNotFoundError.
        """
        found: _Entries = []
        with self._login.session() as session:
            for each in session.listdir_attr(_path(folder)):
                key = folder + each.filename
                if stat.S_ISDIR(each.st_mode or 0):
                    found.append((f"{key}/", None))
                elif (file := _object(key, _behind_link(session, key, each))) is not None:
                    found.append((key, file))
        return sorted(found, key=lambda entry: entry[0])

    def look(self, key: str) -> Object | None:
        with errors(f"{self.name}/{key}"), self._login.session() as session:
            try:
                return _object(key, session.stat(_path(key)))
            except FileNotFoundError:
                return None

    def read(self, found: Object, begin: int = 0, end: int | None = None) -> Iterator[bytes]:
        what, end = f"{self.name}/{found.key}", found.size if end is None else end
        with errors(what, is_known=True), self._login.session() as session:
            file = session.open(_path(found.key), "rb")
            _require_same(what, found, file.stat())
            for at in range(begin, end, _PIECE):
                yield b"".join(file.readv(_requests(at, min(at + _PIECE, end))))
            _require_same(what, found, file.stat())
            file.close()  # else the session is closed, and all that is open in it

    def get(self, key: str) -> tuple[bytes, str] | None:
        found = self.look(key)
        try:
            return found and (b"".join(self.read(found)), found.version)
        except ChangedError:
            return self.get(key)

    def _refuse(self, *_: Any) -> NoReturn:
        hint = "write a file of this machine or of a store of objects, and bring it there in a `run` task"
        raise FatalError(f"{self.name} can only be read", hint=hint)

    put = begin_upload = upload = finish_upload = abort_upload = begun = put_file = delete = _refuse


def _path(key: str) -> str:
    """The path that the server is asked for: absolute, or where the key begins with `~/` below the home folder of the user."""
    if not {".", ".."}.isdisjoint(parts := key.split("/")) or "" in parts[:-1]:
        hint = "use / between its parts, and name none of them . or .."
        raise FatalError(f"{key!r} cannot be the path of a file", hint=hint, code=Code.NO_FILE)
    if parts[0] == "~":
        return "/".join(parts[1:]) or "."
    return f"/{key}"


def _behind_link(session: Any, key: str, found: Any) -> Any:
    """What a link leads to; None where it leads nowhere."""
    if not stat.S_ISLNK(found.st_mode or 0):
        return found
    try:
        return session.stat(_path(key))
    except FileNotFoundError:
        return None


def _object(key: str, found: Any) -> Object | None:
    """A file that can be read; None for anything else."""
    if found is None or not stat.S_ISREG(found.st_mode or 0):
        return None
    return Object(key, found.st_size or 0, f"{found.st_size}-{found.st_mtime}")


def _requests(begin: int, end: int) -> list[tuple[int, int]]:
    return [(at, min(_ASKED_AT_ONCE, end - at)) for at in range(begin, end, _ASKED_AT_ONCE)]


def _require_same(what: str, found: Object, now: Any) -> None:
    """Raise ChangedError where a file is not as it was."""
    if f"{now.st_size}-{now.st_mtime}" != found.version:
        raise ChangedError(f"{what} was changed while it was read")
