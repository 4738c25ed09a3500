"""The manifest of objects stays short, however many loads and files there are, and none of them is forgotten."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from tests.unit.storage.test_objects import KEYS, DiedError, Watched, content, entry, load
from windlass.connectors.stores.choosing import chosen
from windlass.connectors.stores.folder import FolderStore
from windlass.connectors.stores.where import Where
from windlass.storage import manifest
from windlass.storage.objects import past, place_in, turns

BELOW = KEYS[1]


class Silent:
    """A heartbeat that never beats."""

    def __init__(self, *_: object) -> None: ...

    def stop(self) -> None: ...


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is many, is few here."""
    for module, name, value in (
        (manifest, "_MANY", 3),
        (manifest, "_RECENT", 1),
        (past, "_NAMES", 2),
        (past, "_PAGE", 1),
    ):
        monkeypatch.setattr(module, name, value)
    monkeypatch.setattr(turns, "Heartbeat", Silent)


@pytest.mark.parametrize("key", KEYS)
def test_a_manifest_stays_short_and_knows_every_load(key: str, tmp_path: Path) -> None:
    store = FolderStore("lake", tmp_path / "s")
    names = [f"load-{number:02}" for number in range(12)]
    for name in names:
        assert not load(store, key, name, adding=True, run_key=name)
    place = place_in(store, key, adding=True)
    ledger = place.ledger.read()  # type: ignore[attr-defined]
    assert len(ledger.loads) <= 4
    assert len(ledger.files) <= 3
    for name in names:
        assert load(store, key, f"{name}-again", adding=True, run_key=name), name
    if key == BELOW:
        assert sorted(content(store)) == names
        assert len(list(chosen(Where(store, BELOW)))) == len(names)


def test_all_files_are_replaced_also_those_on_pages(tmp_path: Path) -> None:
    store = FolderStore("lake", tmp_path / "s")
    for number in range(8):
        load(store, BELOW, f"load-{number}", adding=True, run_key=str(number))
    load(store, BELOW, "new", run_key="new")
    assert content(store) == ["new"]
    names = [found.key.removeprefix(BELOW) for found in store.list(BELOW)]
    assert not [name for name in names if name.startswith(".windlass-files/")]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_nothing_is_forgotten_where_the_shortening_dies(after: bool, tmp_path: Path) -> None:
    number, ended = 0, False
    while not ended:
        store = FolderStore("lake", tmp_path / str(number))
        names = [f"load-{each}" for each in range(5)]
        for name in names[:-1]:
            load(store, BELOW, name, adding=True, run_key=name)
        dying = Watched(store, number, lambda: dying.die())  # noqa: B023
        dying.after = after
        with suppress(DiedError):
            load(dying, BELOW, names[-1], adding=True, run_key=names[-1])
            ended = True
        for name in reversed(names):  # the dead one first, for which others would wait
            load(store, BELOW, f"{name}-again", adding=True, run_key=name)
        found = sorted(text.removesuffix("-again") for text in content(store))
        assert found == names, number
        number += 1
    assert number > 10


def test_an_older_entry_never_takes_the_place_of_a_later_one(tmp_path: Path) -> None:
    store = FolderStore("lake", tmp_path / "s")
    load(store, BELOW, "first", adding=True)
    place = place_in(store, BELOW, adding=True)
    ledger = place.ledger.read()  # type: ignore[attr-defined]
    later = [e for e in ledger.loads if e.key == entry("x").key]
    assert ledger.with_past(later).loads == ledger.loads
    older = [type(e)(**{**e.__dict__, "committed_at": "2000", "load_id": "old"}) for e in later]
    assert ledger.with_past(older).loads == ledger.loads
