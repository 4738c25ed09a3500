"""What a store of objects has to do.

Everything that is written is written on a condition, so that two writers cannot both believe that they were the one. An
upload takes effect with its last step; one that was aborted can never take effect any more, whatever its writer, which
may only have been slow, does then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

from windlass.errors import RetryableError

__all__ = ["LOAD", "ChangedError", "HasFolders", "Object", "Store", "Upload"]

LOAD = "windlass-load"
"""The name in an object's metadata of the load that wrote it."""


class Object(NamedTuple):
    """An object as it was when somebody looked."""

    key: str
    size: int
    version: str
    """Another one wherever the bytes are others: an ETag, or a generation."""

    load: str = ""
    """The start of a load that wrote it. Only `look` tells."""


class ChangedError(RetryableError):
    """What is there is not what it was expected to be: somebody else wrote meanwhile."""


class Upload(NamedTuple):
    """A file that another process has brought there, and that `finish_upload` lets take effect."""

    name: str
    """Behind the prefix of the load."""

    upload: str
    brought: Any
    size: int


class Store(Protocol):
    """A bucket. Raises FatalError for what is refused, RetryableError for what may work later."""

    name: str
    """Such as `s3://lake`."""

    silence: float
    """Seconds without a sign of life after which a writer is gone."""

    def list(self, prefix: str) -> Iterator[Object]:
        """All objects whose key begins so, in the order of their keys; not all of them are held in memory."""

    def look(self, key: str) -> Object | None:
        """The object as it is now."""

    def read(self, found: Object, begin: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The bytes of just this version, some at a time. Raises ChangedError when it is not there any more."""

    def get(self, key: str) -> tuple[bytes, str] | None:
        """A small object, and its version."""

    def put(self, key: str, data: bytes, replaces: str | None) -> None:
        """Write a small object, if this version is there, or with None nothing. Raises ChangedError."""

    def begin_upload(self, key: str, load: str, file: Path) -> str:
        """What identifies the upload of this file from here on. Nothing is there for others to see."""

    def upload(self, key: str, upload: str, file: Path) -> Any:
        """Bring all of the file there. What is returned is for `finish_upload`."""

    def finish_upload(self, key: str, upload: str, brought: Any, replaces: str | None) -> None:
        """Let it take effect, if this version is there, or with None nothing. Raises ChangedError, also when the upload
        was aborted.
        """

    def abort_upload(self, key: str, upload: str) -> None:
        """Give it up, so that it can take effect no more. One that is finished, or gone, stays as it is."""

    def begun(self, prefix: str) -> Sequence[tuple[str, str]]:
        """The uploads below a prefix that have neither taken effect nor been given up, whoever has begun them, to keys that
        have the id of their load in their names: the key, or another text with that id; and what identifies the upload.
        """

    def put_file(self, key: str, file: Path, load: str) -> None:
        """Bring a file to a key that is of this load alone."""

    def delete(self, keys: Iterable[str]) -> None:
        """Remove objects whose keys were of one load alone, if they are there, and give up all uploads to them."""


@runtime_checkable
class HasFolders(Protocol):
    """A store of real folders, in each of which is looked by itself."""

    def walk(self, prefix: str, enters: Callable[[str], bool]) -> Iterator[Object]:
        """As `list`, but for folders that are not to be entered; each is given with the slash at its end."""
