"""What a compilation looks at, so that somebody can tell later whether all of it is as it was (docs/adr/0118).

Whoever reads the project for a plan does so by these functions. What they find is noted where somebody wants to know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TypeAlias

from msgspec import Struct, field

__all__ = [
    "Fact",
    "Noticed",
    "is_file",
    "noticing",
    "other_code",
    "read_bytes",
    "resolved",
    "still_so",
    "yaml_files",
]

Fact: TypeAlias = tuple[str, str, str]
"""What was looked at: how, where, and what was found."""


class Noticed(Struct):
    """What was looked at within a block."""

    facts: list[Fact] = field(default_factory=list)
    is_all: bool = True
    """Whether the facts are all that it depends on; not where code of other packages had a say."""


_noticed: ContextVar[Noticed | None] = ContextVar("noticed", default=None)


@contextmanager
def noticing() -> Iterator[Noticed]:
    """Note what is looked at in the block, in this thread."""
    noticed = Noticed()
    token = _noticed.set(noticed)
    try:
        yield noticed
    finally:
        _noticed.reset(token)


def read_bytes(file: Path) -> bytes:
    """The bytes of a file. Raises OSError."""
    data = file.read_bytes()
    _note("bytes", file, lambda: _digest(data))
    return data


def resolved(path: Path) -> Path:
    """Where a path leads."""
    place = path.resolve()
    _note("place", path, lambda: str(place))
    return place


def is_file(path: Path) -> bool:
    """Whether there is a file."""
    found = path.is_file()
    _note("file", path, lambda: _yes_or_no(is_so=found))
    return found


def yaml_files(folder: Path) -> list[Path]:
    """The YAML files in a folder at every level, sorted."""
    found = _yaml_files(folder)
    _note("yaml", folder, lambda: _listed(found))
    return found


def other_code() -> None:
    """Note that code of another package has a say, and that may change without anybody noticing."""
    if (noticed := _noticed.get()) is not None:
        noticed.is_all = False


def still_so(fact: Fact) -> bool:
    """Whether another look finds what was found then."""
    how, where, found = fact
    look = _LOOKS.get(how)
    try:
        return look is not None and look(Path(where)) == found
    except OSError:
        return False


def _note(how: str, where: Path, found: Callable[[], str]) -> None:
    if (noticed := _noticed.get()) is not None:
        noticed.facts.append((how, str(where), found()))


def _digest(data: bytes) -> str:
    import hashlib  # which takes long to load

    return hashlib.sha256(data).hexdigest()


def _yes_or_no(*, is_so: bool) -> str:
    return "yes" if is_so else "no"


def _yaml_files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.suffix in (".yaml", ".yml") and p.is_file())


def _listed(files: list[Path]) -> str:
    return _digest("\0".join(map(str, files)).encode(errors="surrogateescape"))


_LOOKS: Mapping[str, Callable[[Path], str]] = {
    "bytes": lambda path: _digest(path.read_bytes()),
    "place": lambda path: str(path.resolve()),
    "file": lambda path: _yes_or_no(is_so=path.is_file()),
    "yaml": lambda path: _listed(_yaml_files(path)),
}
