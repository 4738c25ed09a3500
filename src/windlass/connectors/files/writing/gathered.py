"""Files of several folders as those of one: what became of the pieces of a copy, each of which wrote a folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from windlass.storage.turns import remove

__all__ = ["put_together"]


def put_together(folder: Path, parts: Sequence[Path], name: str) -> None:
    """Let the files of the parts, which are below the folder, be all that is in it, under the names `<name>00000.parquet` and
    so on, in their order. Folders such as `column=value` stay.
    """
    own = {path.relative_to(folder).parts[0] for path in parts}
    number = 0
    for part in parts:
        for file in _data_files(part):
            ending = file.name.partition(".")[2]
            place = folder / file.parent.relative_to(part) / f"{name}{number:05d}.{ending}"
            place.parent.mkdir(parents=True, exist_ok=True)
            file.replace(place)
            number += 1
    for first in own:
        remove(folder / first)


def _data_files(folder: Path) -> Iterator[Path]:
    """The files, in the order of their names, but for those that are windlass' own."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return (file for file in files if not file.name.startswith("."))
