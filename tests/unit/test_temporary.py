"""Temporary folders, and what becomes of those whose process is gone."""

from __future__ import annotations

import os
import signal
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from windlass import stopping
from windlass.temporary import TemporaryFolder, remove_leftovers


def test_a_folder_is_gone_after_its_use(tmp_path: Path) -> None:
    with TemporaryFolder(tmp_path / "tmp") as folder:
        (folder / "file").write_text("x")
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_folder_without_a_process_is_removed_and_one_in_use_is_not(tmp_path: Path) -> None:
    killed = tmp_path / "windlass-killed.copy"
    killed.mkdir()
    (killed / "spilled").write_text("x")
    with TemporaryFolder(tmp_path) as folder:
        remove_leftovers(tmp_path)
        assert list(tmp_path.iterdir()) == [folder]


def test_other_folders_are_left_alone(tmp_path: Path) -> None:
    for name in ("windlass-notes", "other.copy"):
        (tmp_path / name).mkdir()
    remove_leftovers(tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_folder_that_is_just_being_made_is_not_taken_away(tmp_path: Path) -> None:
    def make(_: int) -> bool:
        with TemporaryFolder(tmp_path) as folder:
            remove_leftovers(tmp_path)
            return folder.is_dir()

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(make, range(400)))


def test_a_request_to_stop_leaves_nothing_of_how_the_place_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python writes a file to see whether it can, and a request may come before it has removed it."""
    really = os.unlink

    def asked_before(path: str) -> None:
        stopping._stop(signal.SIGTERM, None)
        really(path)

    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(stopping, "_asked", None)
    monkeypatch.setattr(os, "unlink", asked_before)
    with pytest.raises(stopping.StoppedError):
        remove_leftovers()
    assert list(tmp_path.iterdir()) == []
