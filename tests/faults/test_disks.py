"""A disk that is full: the target's, the one for what a copy spills, and a server's."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from msgspec import structs

from tests.conftest import missing
from tests.faults.checker import Reader, query
from tests.faults.scene import Done, Mode, Scene, Servers, changes_once
from windlass.connections import Address
from windlass.errors import Code, RetryableError
from windlass.testing import Copier, destination_of, source_of


class Disk:
    """A small disk, mounted on a folder."""

    def __init__(self, folder: Path, size: int) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True)

    def fill(self, leave: int = 0) -> None:
        """Leave only so many bytes free."""
        free = os.statvfs(self.folder)
        with suppress(OSError), (self._filler).open("wb") as file:
            file.write(bytes(free.f_bavail * free.f_bsize - leave))

    def empty(self) -> None:
        self._filler.unlink()

    def resize(self, size: int) -> None:
        subprocess.run(["mount", "-o", f"remount,size={size}", self.folder], check=True)

    def unmount(self) -> None:
        subprocess.run(["umount", "--lazy", self.folder], check=True)

    @property
    def _filler(self) -> Path:
        return self.folder / "filler"


@pytest.fixture
def disk() -> Iterator[Callable[[Path, int], Disk]]:
    """Mounts small disks."""
    if os.geteuid() != 0:
        missing("the right to mount a small disk")
    made: list[Disk] = []

    def mount(folder: Path, size: int) -> Disk:
        made.append(Disk(folder, size))
        return made[-1]

    yield mount
    for one in made:
        one.unmount()


def assert_names(disk: Disk, done: Done) -> None:
    """Whatever has no space is said with its file."""
    failed = json.loads(done.stdout.splitlines()[-1])
    assert (failed["event"], failed["code"]) == ("failed", Code.DISK_FULL), str(done)
    assert str(disk.folder) in failed["error"], str(done)


@pytest.mark.parametrize("mode", ["append", "replace"])
@pytest.mark.parametrize("target", ["parquet", "folder", "sqlite"])
def test_a_full_disk_at_the_target_leaves_the_old_rows(
    scene: Callable[..., Scene], disk: Callable[[Path, int], Disk], target: str, mode: Mode
) -> None:
    play = scene("csv", target, mode)
    small = disk(play.out, 1 << 20)
    end = play.seed()
    before = end.key()
    with Reader(end) as reader:
        for leave in (0, 24 << 10):  # not even for the token of a writer; and not for the rows
            small.fill(leave=leave)
            done = play.call(*play.execute(1))
            assert done.code == 3, str(done)
            assert_names(small, done)
            assert end.key() == before
            play.check_nothing_is_left(end)
            small.empty()
        again = play.call(*play.execute(1))
        assert again.code == 0, str(again)
    play.check(end)
    changes_once(reader, before, end.key())


@pytest.mark.parametrize(
    ("source", "target"), [("csv", "pg"), ("csv", "parquet"), ("pg", "sqlite"), ("csv", "sqlite")]
)
def test_a_full_disk_for_what_a_copy_spills(
    scene: Callable[..., Scene], disk: Callable[[Path, int], Disk], source: str, target: str
) -> None:
    play = scene(source, target, "append")
    small = disk(play.folder / ".windlass" / "tmp", 1 << 20)
    end = play.seed()
    before = end.key()
    small.fill()
    done = play.call(*play.execute(1))
    assert done.code == 3, str(done)
    assert_names(small, done)
    assert end.key() == before
    small.empty()
    play.check_nothing_is_left(end)
    assert play.call(*play.execute(1)).code == 0
    play.check(end)


@pytest.mark.parametrize("source", ["pg", "csv"])
def test_a_full_disk_of_the_target_server(
    scene: Callable[..., Scene],
    disk: Callable[[Path, int], Disk],
    servers: Servers,
    tmp_path: Path,
    source: str,
) -> None:
    play = scene(source, "pg", "append")
    owner = Path(query(servers.target, "SHOW data_directory")[0][0]).stat()
    place = Path(query(servers.target, "SHOW data_directory")[0][0]).parent / f"disk-{os.getpid()}-{source}"
    small = disk(place, 256 << 10)
    os.chown(place, owner.st_uid, owner.st_gid)
    space = f"small_{source}"
    query(play.database, f"CREATE TABLESPACE {space} LOCATION '{place}'", "SELECT 1")
    end = play.seed()
    query(play.database, f"ALTER TABLE dst SET TABLESPACE {space}", "SELECT 1")
    before = end.key()
    done = play.call(*play.execute(1))
    assert done.code == 3, str(done)
    assert "space" in done.stdout, str(done)
    assert end.key() == before
    play.check_nothing_is_left(end)
    small.resize(16 << 20)
    assert play.call(*play.execute(1)).code == 0
    play.check(end)
    query(play.database, "DROP TABLE dst", f"DROP TABLESPACE {space}", "SELECT 1")


@pytest.mark.parametrize("end", ["sqlite", "duckdb"])
@pytest.mark.parametrize("on_bad_row", ["fail", "quarantine"])
def test_a_full_disk_of_a_database_that_is_a_file(
    end: str,
    on_bad_row: str,
    disk: Callable[[Path, int], Disk],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever the database calls it, it may work later, and the old rows are there."""
    small = disk(tmp_path / "small", 4 << 20)
    copier = Copier(tmp_path, {"db": Address(end, database=str(small.folder / "file.db"))})
    (tmp_path / "few.csv").write_text("id,text\n" + "1,one\n" * 10)
    (tmp_path / "many.csv").write_text(
        "id,text\n" + "".join(f"{i},{hash(i * 7919)}\n" for i in range(300_000))
    )
    to = destination_of("db", table="t", mode="append")
    monkeypatch.setenv("WINDLASS_WAIT_FOR_TURN", "5")  # nobody is waited for
    for leave in (
        0,
        4 << 10,
    ):  # where not even an empty database has room, there is none that cannot be opened later
        small.fill(leave=leave)
        with pytest.raises(RetryableError) as caught:
            copier(source_of(path="few.csv"), to, on_bad_row=on_bad_row)
        assert caught.value.code == Code.DISK_FULL, str(caught.value)
        assert str(small.folder / "file.db") in str(caught.value)
        small.empty()
    copier(source_of(path="few.csv"), to)
    small.fill(leave=600 << 10)
    for path, table in (("many.csv", "t"), ("many.csv", "another")):
        with pytest.raises(RetryableError) as caught:
            copier(
                source_of(path=path),
                structs.replace(to, options={**to.options, "table": table}),
                on_bad_row=on_bad_row,
            )
        assert caught.value.code == Code.DISK_FULL, str(caught.value)
        assert str(small.folder / "file.db") in str(caught.value)
    small.empty()
    copier(source_of(path="few.csv"), to)
