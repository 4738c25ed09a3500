"""The ledger of a file: it never forgets a load, and the ten thousandth costs what the first did."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from windlass import failpoints
from windlass.errors import FatalError
from windlass.ledger import LedgerEntry
from windlass.storage import manifest
from windlass.storage.file import OneFile

LOADS = 900


def load(number: int, **values: str) -> LedgerEntry:
    return replace(LedgerEntry("p", "t", f"key {number}", load_id=str(uuid.uuid4())), **values)  # type: ignore[arg-type]


def commit(place: OneFile, entry: LedgerEntry) -> None:
    with place.begin(entry) as staged:
        staged.path.write_text(entry.run_key)
        staged.commit(entry)


@pytest.fixture
def full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OneFile:
    """A place with many loads, the first of which was from another task and has a cursor."""
    monkeypatch.setattr("os.fsync", lambda _: None)
    place = OneFile(tmp_path / "all.csv")
    commit(place, LedgerEntry("p", "other", "key", cursor="41", load_id=str(uuid.uuid4())))
    for number in range(LOADS):
        commit(place, load(number))
    return place


def test_no_load_is_forgotten_and_the_manifest_stays_short(full: OneFile) -> None:
    assert all(full.find(load(number)) is not None for number in range(LOADS))
    assert full.find(load(LOADS)) is None
    assert len(manifest.read(full.manifest_file).loads) <= 401
    others = sorted(full.path.parent.glob(".all.csv.windlass-loads/*.json"))
    assert len(others) > 30
    assert max(len(manifest.read(file).loads) for file in others) < 40
    assert full.last_cursor(LedgerEntry("p", "other", "new")) == "41"


def test_the_latest_entry_of_a_load_is_the_one_that_is_found(full: OneFile) -> None:
    again = load(3, digest="another")
    commit(full, again)
    for number in range(LOADS, LOADS + 401):
        commit(full, load(number))
    found = full.find(load(3))
    assert found is not None
    assert (found.load_id, found.digest) == (again.load_id, "another")


def test_a_load_that_is_killed_while_it_makes_the_manifest_short_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.fsync", lambda _: None)
    place = OneFile(tmp_path / "all.csv")
    manifest.write(place.manifest_file, manifest.Manifest(tuple(load(number) for number in range(401))))
    monkeypatch.setattr(failpoints, "reach", _killed_at("during-recovery", second=True))
    with pytest.raises(KeyboardInterrupt):
        place.begin(load(401))
    monkeypatch.undo()
    commit(place, load(401))
    assert all(place.find(load(number)) is not None for number in range(402))


def _killed_at(place: str, *, second: bool) -> Callable[[str], None]:
    seen: list[str] = []

    def reach(name: str) -> None:
        seen.append(name)
        if seen.count(place) == 1 + second:
            raise KeyboardInterrupt

    return reach


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"loads": 1}', '{"loads": [{"pipeline": "p"}]}', "\xff"])
def test_what_is_no_manifest_is_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "m.json"
    file.write_text(text, encoding="latin-1")
    with pytest.raises(FatalError, match="is not a manifest"):
        manifest.read(file)


def test_a_manifest_is_a_line_for_each_load(tmp_path: Path) -> None:
    file = tmp_path / "m.json"
    entry = load(1, pipeline="ä\n", cursor='"')
    known = manifest.Manifest((entry, load(2)), ("part-0.parquet",)).announcing({"inode": 3}, load(3))
    manifest.write(file, known)
    assert manifest.read(file) == known
    assert len(file.read_text(encoding="utf-8").splitlines()) == 6
    assert set(json.loads(file.read_text(encoding="utf-8"))) == {"loads", "files", "pending"}
