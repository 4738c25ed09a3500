"""Machines that lack something: disks without locks, streams that are not UTF-8."""

from __future__ import annotations

import errno
import fcntl
import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from windlass.cli import main
from windlass.errors import FatalError
from windlass.files import locked_folder
from windlass.locks import take, try_to_take
from windlass.temporary import TemporaryFolder

LOCKS: dict[str, Callable[[Path], object]] = {
    "take": lambda folder: take(folder / "lock"),
    "try_to_take": lambda folder: try_to_take(folder / "lock"),
    "locked_folder": lambda folder: locked_folder(folder).__enter__(),
    "TemporaryFolder": TemporaryFolder,
}


@pytest.mark.parametrize("lock", LOCKS)
def test_a_disk_without_locks_is_named_and_nothing_is_left(
    lock: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> NoReturn:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(FatalError, match=f"cannot lock {tmp_path}.*: No locks available") as caught:
        LOCKS[lock](tmp_path)
    assert "mount the share with locks" in str(caught.value.hint)
    assert [path for path in tmp_path.iterdir() if path.name != "lock"] == []


def test_what_is_not_for_a_terminal_is_utf_8_in_any_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii", errors="strict"))
    main._speak_utf8()
    sys.stdout.write("arrow → inserts\udce9")
    sys.stdout.flush()
    assert written.getvalue().decode() == "arrow → inserts\\udce9"
