"""Which code this is: windlass itself, Python, and the packages beside it. What is worked out from them alone can be kept."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

__all__ = ["identity"]


@cache
def identity() -> str:
    """A text that is another one when the code is. Looks at no file's content: it is asked for at each start of a run."""
    import hashlib  # which takes long to load

    said = "\0".join((sys.version, *os.uname(), *_files_below(Path(__file__).parent), *_packages()))
    return hashlib.sha256(said.encode(errors="surrogateescape")).hexdigest()


def _packages() -> Iterator[str]:
    """The folders in which packages come and go: each that does changes the time of its folder."""
    for folder in sys.path:
        if folder.endswith("-packages"):
            with suppress(OSError):
                yield f"{folder} {Path(folder).stat().st_mtime_ns}"


def _files_below(folder: Path | str) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.is_dir(follow_symlinks=False):
                if entry.name != "__pycache__":
                    yield from _files_below(entry.path)
            else:
                seen = entry.stat()
                yield f"{entry.path} {seen.st_size} {seen.st_mtime_ns}"
