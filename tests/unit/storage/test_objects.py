"""Objects are written once, whoever dies or sleeps at whichever request, and nothing else is touched.

The store is a folder that keeps what stores promise; the same is seen on real ones in tests/connectors/test_stores.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from glob import iglob
from pathlib import Path
from typing import Any, ClassVar

import pytest

from windlass.connectors.stores.choosing import chosen
from windlass.connectors.stores.folder import FolderStore
from windlass.connectors.stores.where import Where
from windlass.errors import FatalError, FencedError, RetryableError
from windlass.ledger import LedgerEntry
from windlass.storage.objects import ChangedError, Store, place_in, turns
from windlass.turns import Waiting

KEYS = ["out/orders.csv", "out/orders/"]
FOREIGN = "out/of-others.csv"


class DiedError(BaseException):
    """The process is gone: nothing is cleaned up."""


class Watched:
    """A store with which something happens before, or after, one of the requests."""

    def __init__(self, store: FolderStore, number: int, what: Callable[[], object]) -> None:
        self.store, self.left, self.what = store, number, what
        self.after, self.died = False, False
        self.answered: list[str] = []

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.store, name)
        return (lambda *arguments: self.asked(found, *arguments)) if callable(found) else found

    def asked(self, request: Callable[..., Any], *arguments: Any) -> Any:
        if self.died:
            raise DiedError
        self.left -= 1
        if self.left == -1 and not self.after:
            self.what()
        answer = request(*arguments)
        self.answered.append(request.__name__)
        if self.left == -1 and self.after:
            self.what()
        return answer

    @property
    def has_untold_upload(self) -> bool:
        """Whether an upload has begun that no manifest names yet."""
        return "put" not in "".join(self.answered).partition("begin_upload")[2] and (
            "begin_upload" in self.answered
        )

    def die(self) -> None:
        self.died = True
        raise DiedError


def entry(load_id: str, run_key: str = "monday") -> LedgerEntry:
    return LedgerEntry("p", "t", run_key, load_id=load_id, rows_written=3)


def load(store: Store, key: str, load_id: str, *, adding: bool = False, run_key: str = "monday") -> bool:
    """Write the id of the load. Returns whether it was loaded before."""
    place, mine = place_in(store, key, adding=adding), entry(load_id, run_key)
    with place.begin(mine) as staged:
        if place.find(mine) is not None and adding:
            return True
        if key.endswith("/"):
            staged.path.mkdir()
            (staged.path / f"part-{load_id}.csv").write_text(load_id)
        else:
            staged.path.write_text(load_id)
        staged.commit(mine)
    return False


def content(store: FolderStore) -> list[str]:
    """What the objects of data have, but for the manifest's."""
    return [b"".join(store.read(o)).decode() for o in store.list("out/orders") if "windlass" not in o.key]


def ledgers(store: FolderStore) -> list[list[str]]:
    return [
        [e.load_id for e in place_in(store, key, adding=True).ledger.read().loads]  # type: ignore[attr-defined]
        for key in KEYS
    ]


class Heart:
    """A heartbeat that beats when it is asked to."""

    all: ClassVar[list[Heart]] = []

    def __init__(self, silence: float, beat: Callable[[], None]) -> None:
        self.beat = beat
        self.all.append(self)

    def stop(self) -> None:
        return


@pytest.fixture(autouse=True)
def _hearts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Heart, "all", [])
    monkeypatch.setattr(turns, "Heartbeat", Heart)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    FolderStore("lake", tmp_path / "s").put(FOREIGN, b"theirs", None)
    return tmp_path / "s"


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("adding", [False, True], ids=["replace", "append"])
def test_a_load_that_dies_at_any_request_is_there_once_when_it_is_started_again(
    key: str, adding: bool, tmp_path: Path
) -> None:
    number = died = 0
    ended = False
    while not ended:
        for after in (False, True):
            folder = tmp_path / f"{number}-{after}"
            load(FolderStore("lake", folder), key, "zero", run_key="sunday")
            FolderStore("lake", folder).put(FOREIGN, b"theirs", None)
            dying = Watched(FolderStore("lake", folder), number, lambda: dying.die())  # noqa: B023
            dying.after = after
            try:
                load(dying, key, "one", adding=adding)
                ended = True
            except DiedError:
                died += 1
            store = FolderStore("lake", folder)
            load(store, key, "two", adding=adding)
            found, kept = sorted(content(store)), ["zero"] if adding and key.endswith("/") else []
            assert found in (["two", *kept], ["one", *kept]), (number, after)
            assert [e for known in ledgers(store) for e in known] == ["zero", found[0]]
            if not dying.has_untold_upload:
                assert list(folder.joinpath("uploads").iterdir()) == [], (number, after)
            assert b"".join(store.read(store.look(FOREIGN))) == b"theirs"  # type: ignore[arg-type]
        number += 1
    assert died > 10


@pytest.mark.parametrize("key", KEYS)
def test_a_writer_that_sleeps_at_any_request_is_fenced_by_a_later_start(key: str, tmp_path: Path) -> None:
    number, overtaken = 0, 0
    while True:
        folder = tmp_path / str(number)
        store = FolderStore("lake", folder)
        sleeping = Watched(store, number, lambda store=store: load(store, key, "later"))  # type: ignore[misc]
        try:
            load(sleeping, key, "early")
        except (FencedError, RetryableError):
            overtaken += 1
            assert content(store) == ["later"], number
        else:
            assert content(store) in (["later"], ["early"]), number
        assert len(content(store)) == 1
        names = [found.key for found in store.list("out/") if "windlass" not in found.key]
        assert len(names) == 1
        assert list(folder.joinpath("uploads").iterdir()) == []
        if sleeping.left >= 0:
            break
        number += 1
    assert overtaken > 3


def test_loads_of_others_wait_for_their_turn(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINDLASS_WAIT_FOR_TURN", "0")
    store = FolderStore("lake", folder)
    for key in KEYS:
        by_another = pytest.raises(RetryableError, match=r"is being loaded by p\.t tuesday")
        with place_in(store, key, adding=True).begin(entry("a", "tuesday")), by_another:
            load(store, key, "b")
        load(store, key, "b")
    with place_in(store, KEYS[1], adding=True, alone=False).begin(entry("c", "tuesday")):
        side_by_side = place_in(store, KEYS[1], adding=True, alone=False)
        with side_by_side.begin(entry("d", "wednesday")):
            pass


def test_who_gives_no_sign_of_life_loses_the_turn(folder: Path) -> None:
    for key in KEYS:
        store = FolderStore("lake", folder, silence=0.000001)
        gone = place_in(FolderStore("lake", folder), key, adding=False).begin(entry("a", "tuesday"))
        load(store, key, "b")
        with pytest.raises(ChangedError, match="written by somebody else"):
            gone.require_writer()
        gone.__exit__(None, None, None)
        assert content(store)[-1] == "b"


def test_who_gives_signs_of_life_keeps_the_turn(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FolderStore("lake", folder, silence=0.000001)
    pauses: list[Sequence[str]] = []

    def pause(_: object, others: Sequence[str]) -> None:
        pauses.append(others)
        Heart.all[0].beat()
        if len(pauses) == 3:
            raise RetryableError("long enough")

    monkeypatch.setattr(Waiting, "pause", pause)
    with place_in(store, KEYS[0], adding=False).begin(entry("a", "tuesday")) as staged:
        with pytest.raises(RetryableError, match="long enough"):
            load(store, KEYS[0], "b")
        staged.path.write_text("a")
        staged.commit(entry("a", "tuesday"))
    assert content(store) == ["a"]
    assert [found.key for found in store.list("out/") if "windlass.json." in found.key] == []


def test_what_windlass_did_not_write_is_neither_removed_nor_left_among_the_rows(folder: Path) -> None:
    store = FolderStore("lake", folder)
    load(store, KEYS[1], "one")
    store.put("out/orders/theirs.csv", b"x", None)
    with pytest.raises(FatalError, match=r"orders/ has objects that windlass did not write: theirs\.csv"):
        load(store, KEYS[1], "two")
    load(store, KEYS[1], "two", adding=True, run_key="tuesday")
    assert sorted(content(store)) == ["one", "two", "x"]
    store.delete(["out/orders/theirs.csv"])
    load(store, KEYS[1], "three", run_key="wednesday")
    assert content(store) == ["three"]


def test_an_object_that_another_program_wrote_meanwhile_stays(folder: Path) -> None:
    store = FolderStore("lake", folder)
    place = place_in(store, KEYS[0], adding=False)
    with place.begin(entry("one")) as staged:
        staged.path.write_text("ours")
        store.put(KEYS[0], b"theirs", None)
        with pytest.raises(ChangedError, match="was written by somebody else meanwhile"):
            staged.commit(entry("one"))
    assert content(store) == ["theirs"]
    assert place.find(entry("one")) is None


NAMES = ["a.csv", "b.csv", "a.txt", ".a.csv", "x/a.csv", "x/y/b.csv", "x/.h/c.csv", "day=1/a.csv", "a[1].csv", "a-b.csv", "x/ab.csv"]  # fmt: skip
PATTERNS = ["*.csv", "**/*.csv", "x/*.csv", "x/**/*.csv", "?.csv", "[ab].csv", "[!a].csv", "day=*/*.csv", "*/a.csv", ".*.csv", "**", "a[[]1].csv", "x/**", "a[-x]b.csv"]  # fmt: skip


def test_a_pattern_means_the_same_as_with_files(tmp_path: Path) -> None:
    store, here = FolderStore("lake", tmp_path / "s"), tmp_path / "here"
    for name in NAMES:
        store.put(name, b"x", None)
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).write_text("x")
    for pattern in PATTERNS:
        files = sorted(f for f in iglob(pattern, root_dir=here, recursive=True) if (here / f).is_file())  # noqa: PTH207
        found: list[str] = []
        with suppress(FatalError):
            found = [each.key for each in chosen(Where(store, pattern))]
        assert found == files, pattern


def test_leftovers_of_a_load_are_not_read(folder: Path) -> None:
    store, left = FolderStore("lake", folder), "11111111-2222-3333-4444-555555555555"
    load(store, KEYS[1], "one")
    store.put(f"out/orders/day=1/part-{left}-00000.csv", b"left", None)
    store.put(f"elsewhere/part-{left}-00000.csv", b"copied there by somebody", None)
    for path, expected in {
        "out/orders/": ["out/orders/part-one.csv"],
        "out/orders/**/*.csv": ["out/orders/part-one.csv"],
        "elsewhere/": [f"elsewhere/part-{left}-00000.csv"],
    }.items():
        assert [found.key for found in chosen(Where(store, path))] == expected, path
