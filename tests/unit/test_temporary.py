"""Temporary folders, and what becomes of those whose process is gone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

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
