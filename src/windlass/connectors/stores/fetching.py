"""Objects brought to this machine, several ranges at a time: just the versions that were listed, and never a mix."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import NamedTuple

from windlass.files import disk_errors
from windlass.storage.objects import ChangedError, Object, Store

__all__ = ["fetch", "local_names"]

_AT_ONCE = 8
_RANGE = 64 << 20
_LONGEST_NAME = 150


class _Span(NamedTuple):
    found: Object
    file: Path
    begin: int
    end: int


def fetch(store: Store, wanted: Iterable[tuple[Object, Path]]) -> None:
    """Bring each object into its file. Raises ChangedError when one of them is another by now."""
    with ThreadPoolExecutor(_AT_ONCE, "fetch") as pool:
        running: set[Future[None]] = set()
        try:
            for span in _spans(wanted):
                if len(running) >= 2 * _AT_ONCE:  # the next ones are looked for only when they are wanted
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    for each in done:
                        each.result()
                running.add(pool.submit(_fetch, store, span))
            for each in running:
                each.result()
        except BaseException:
            for each in running:
                each.cancel()
            raise


def _spans(wanted: Iterable[tuple[Object, Path]]) -> Iterator[_Span]:
    for found, file in wanted:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
        for begin in range(0, found.size, _RANGE):
            yield _Span(found, file, begin, min(begin + _RANGE, found.size))


def _fetch(store: Store, span: _Span) -> None:
    at = span.begin
    with disk_errors(span.file), span.file.open("r+b", buffering=0) as out:
        for piece in store.read(span.found, span.begin, span.end):
            os.pwrite(out.fileno(), piece, at)
            at += len(piece)
    if at != span.end:
        name = f"{store.name}/{span.found.key}"
        raise ChangedError(f"{name}: {at - span.begin} bytes came, and {span.end - span.begin} were expected")


def local_names(keys: Iterable[str]) -> Iterator[str]:
    """Where objects are put, below a folder: each has its own name, below what its key says in `column=value`."""
    taken: Counter[str] = Counter()
    for key in keys:
        *folders, last = key.replace("\0", "_").split("/")
        name = "/".join((*(part for part in folders if "=" in part), last[-_LONGEST_NAME:]))
        yield f"{taken[name]}/{name}"
        taken[name] += 1
