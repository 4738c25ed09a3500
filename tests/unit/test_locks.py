"""Locks: who has one, who has to wait, and what is said where there are none."""

from __future__ import annotations

from pathlib import Path

from windlass.locks import has_owner, has_users, locked, take, try_to_take


def test_a_lock_has_one_owner(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "lock"
    with locked(file):
        assert (has_owner(file), has_users(file)) == (True, True)
        assert try_to_take(file) is None
        assert try_to_take(file, shared=True) is None
    assert (has_owner(file), has_users(file)) == (False, False)


def test_a_lock_that_is_shared_has_users_and_no_owner(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    with take(file, shared=True), take(file, shared=True):
        assert (has_owner(file), has_users(file)) == (False, True)
        assert try_to_take(file) is None
    assert not has_users(file)


def test_a_file_that_is_not_there_is_nobodys_and_is_not_made_by_asking(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    assert (has_owner(file), has_users(file)) == (False, False)
    assert not file.exists()


def test_what_stands_in_the_file_stays_there(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    file.write_text("who I am")
    with locked(file):
        assert file.read_text() == "who I am"
