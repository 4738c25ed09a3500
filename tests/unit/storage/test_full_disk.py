"""A disk that is full at any write of a commit: everything is as it was, and nothing else is there."""

from __future__ import annotations

import errno
import json
import os
import stat
import uuid
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from windlass.errors import Code, RetryableError
from windlass.ledger import LedgerEntry
from windlass.storage.file import OneFile
from windlass.storage.folder import Folder

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
Place = OneFile | Folder


def load(place: Place, name: str) -> None:
    entry = LedgerEntry("p", "t", name, load_id=str(uuid.uuid4()))
    with place.begin(entry) as staged:
        if isinstance(place, Folder):
            staged.path.mkdir()
            (staged.path / name).write_text(name)
        else:
            staged.path.write_text(name)
        staged.commit(entry)


def state(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def breaking(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Once for each write of a load: the token of the writer, and each file that is made durable."""
    with monkeypatch.context() as patch:
        patch.setattr(json, "dumps", failing_at(0, json.dumps))
        yield patch
    for number in count():
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", failing_at(number, os.fsync))
            yield patch


def failing_at(number: int, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, for which there is no space from that call on, if it is for a file."""
    calls = count()

    def fail(what: Any) -> Any:
        is_file = not isinstance(what, int) or stat.S_ISREG(os.fstat(what).st_mode)
        if is_file and next(calls) >= number:
            raise FULL
        return function(what)

    return fail


@pytest.mark.parametrize("make", [OneFile, lambda path: Folder(path, adding=False)], ids=["file", "folder"])
@pytest.mark.parametrize("there", [False, True])
def test_nothing_stays_of_a_load_that_has_no_space(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], Place], there: bool
) -> None:
    place = make(tmp_path / "out")
    if there:
        load(place, "first")
    before, refused = state(tmp_path), 0
    for _ in breaking(monkeypatch):
        if (code := failure(place)) is None:
            break
        assert (code, state(tmp_path)) == (Code.DISK_FULL, before)
        refused += 1
    assert refused >= 3
    assert state(tmp_path) != before


def failure(place: Place) -> Code | None:
    try:
        load(place, "second")
    except RetryableError as exc:
        return exc.code
    return None
