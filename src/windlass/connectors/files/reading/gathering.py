"""Many small files as a few large ones.

DuckDB takes a millisecond or more for each file, and more the more there are: a hundred thousand take it
minutes, and their bytes seconds. So the contents of small files are written one behind the other into a
file of the scratch folder. A file that could do harm to its neighbours, such as by a quote that stays open,
is left as it is.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from windlass.connectors.files.paths import open_bytes
from windlass.errors import naming

__all__ = ["Content", "Gathered", "Origins", "are_many_small", "gather"]

_MANY, _SMALL = 200, 256 << 10


class Content(NamedTuple):
    """What of a file goes to the others. Files of different kinds are not put together."""

    data: bytes
    skipped: int = 0
    """How many bytes of the file stand before it."""

    kind: bytes = b""


@dataclass
class Origins:
    """From which file each byte of a gathered file came."""

    begins: list[int] = field(default_factory=list)
    skipped: list[int] = field(default_factory=list)
    paths: list[Path] = field(default_factory=list)

    def add(self, begin: int, skipped: int, path: Path) -> None:
        self.begins.append(begin)
        self.skipped.append(skipped)
        self.paths.append(path)

    def of(self, offset: int) -> tuple[Path, int]:
        """The file, and the offset in it."""
        i = max(bisect_right(self.begins, offset) - 1, 0)
        return self.paths[i], offset - self.begins[i] + self.skipped[i]


@dataclass
class Gathered:
    """The files to read instead, in order, and where the gathered ones among them came from."""

    paths: list[Path] = field(default_factory=list)
    origins: dict[str, Origins] = field(default_factory=dict)


def are_many_small(paths: Sequence[Path], size: int) -> bool:
    """Whether it pays to gather files of that size in all."""
    return len(paths) > _MANY and size < _SMALL * len(paths)


def gather(
    paths: Sequence[Path],
    new_file: Callable[[], Path],
    content_of: Callable[[Path, bytes], Content | None],
    *,
    header: Callable[[bytes], bytes],
) -> Gathered:
    """Gather files, each new one behind the header for its kind. None as content: that file stays by itself."""
    gathered = Gathered()
    for kind, group in groupby(_contents(paths, content_of), key=_kind):
        if kind is None:
            gathered.paths += [path for path, _ in group]
            continue
        copy, origins = new_file(), Origins()
        gathered.paths.append(copy)
        gathered.origins[str(copy)] = origins
        with naming(copy), copy.open("wb") as target:
            target.write(header(kind))
            for path, content in group:
                assert content is not None
                origins.add(target.tell(), content.skipped, path)
                target.write(content.data)
    return gathered


def _contents(
    paths: Sequence[Path], content_of: Callable[[Path, bytes], Content | None]
) -> Iterator[tuple[Path, Content | None]]:
    for path in paths:
        with open_bytes(path) as file:
            yield path, content_of(path, file.read())


def _kind(item: tuple[Path, Content | None]) -> bytes | None:
    return item[1] and item[1].kind
