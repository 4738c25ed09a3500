"""What a copy may put in the place of what: only what windlass wrote itself is ever removed, and nothing
but a regular file is replaced by one.
"""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import duckdb
import pytest

from windlass.connectors.files.options import FileFormat
from windlass.engine import Workspace
from windlass.engine.copying import copy
from windlass.engine.settling import settle
from windlass.errors import FatalError, RetryableError
from windlass.plan.model import Mode, QuarantineTo
from windlass.storage import folder as folder_place
from windlass.testing import Copier, destination_of, source_of

Tree = dict[str, tuple[int, str]]


def tree(folder: Path) -> Tree:
    """Everything in a folder: its kind, and what is in it. Links are not followed."""
    found: Tree = {}
    for place, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = Path(place) / name
            mode = path.lstat().st_mode
            content = str(path.readlink()) if path.is_symlink() else ""
            if path.is_file() and not path.is_symlink():
                content = path.read_bytes().hex()
            found[str(path.relative_to(folder))] = (mode, content)
    return found


def rows(folder: Path, pattern: str = "out/**/*.parquet") -> list[int]:
    """The ids in the data files of a folder."""
    sql = f"SELECT id FROM read_parquet('{folder / pattern}', hive_partitioning = false) ORDER BY 1"
    return [row[0] for row in duckdb.connect().execute(sql).fetchall()]


@pytest.fixture
def home(copier: Copier) -> Path:
    """A folder with a file to copy."""
    (copier.folder / "in.csv").write_text("id\n1\n2\n")
    return copier.folder


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


FOREIGN: dict[str, Callable[[Path], object]] = {
    "a file": lambda out: (out / "thesis.txt").write_text("precious"),
    "a hidden file": lambda out: (out / ".gitkeep").write_text(""),
    "a file in a folder in it": lambda out: _made(out / "sub").joinpath("y").write_text("x"),
    "a data file": lambda out: (out / "part-00000.parquet").write_bytes(b"PAR1"),
    "a link": lambda out: (out / "link").symlink_to("/nowhere"),
    "a link to a folder": lambda out: (out / "link").symlink_to("/etc"),
    "a FIFO": lambda out: os.mkfifo(out / "pipe"),
}


@pytest.mark.parametrize("what", FOREIGN)
def test_a_folder_with_anything_that_windlass_did_not_write_is_not_replaced(
    copier: Copier, home: Path, what: str
) -> None:
    (home / "out").mkdir()
    FOREIGN[what](home / "out")
    before = tree(home)
    with pytest.raises(FatalError, match=r"out/ has 1 file that windlass did not write"):
        copier(source_of(path="in.csv"), destination_of(path="out/"))
    assert tree(home) == before


@pytest.mark.parametrize("what", FOREIGN)
def test_adding_to_a_folder_keeps_what_is_there(copier: Copier, home: Path, what: str) -> None:
    (home / "out").mkdir()
    FOREIGN[what](home / "out")
    (home / "out" / "empty").mkdir()
    before = tree(home / "out")
    for _ in range(2):
        copier(source_of(path="in.csv"), destination_of(path="out/", mode="append"))
        after = tree(home / "out")
        assert {name: after.get(name) for name in before} == before
    assert rows(home, "out/part-*-*.parquet") == [1, 1, 2, 2]


def test_a_folder_of_windlass_is_replaced_until_somebody_puts_something_into_it(
    copier: Copier, home: Path
) -> None:
    (home / "two.csv").write_text("id,country\n1,x\n2,y\n")
    for _ in range(2):
        copier(source_of(path="two.csv"), destination_of(path="out/", partition_by=("country",)))
        assert {name for name, (_, content) in tree(home / "out").items() if content} == {
            ".windlass-manifest.json",
            "country=x/part-00000.parquet",
            "country=y/part-00001.parquet",
        }
        copier(source_of(path="in.csv"), destination_of(path="out/"))
        assert rows(home) == [1, 2]
        assert set(tree(home / "out")) == {".windlass-manifest.json", "part-00000.parquet"}
    with pytest.raises(FatalError, match="none is left for the files"):
        copier(source_of(path="two.csv"), destination_of(path="out/", partition_by=("country", "id")))
    (home / "out" / "notes.md").write_text("mine")
    with pytest.raises(FatalError, match=r"1 file that windlass did not write: notes\.md"):
        copier(source_of(path="in.csv"), destination_of(path="out/"))
    assert (home / "out" / "notes.md").read_text() == "mine"


@pytest.mark.parametrize("mode", ["replace", "append"])
def test_the_time_of_a_folder_tells_that_it_has_changed(copier: Copier, home: Path, mode: Mode) -> None:
    """Else whoever remembers what was in it by number and time would take a later folder for an earlier one."""
    end = destination_of(path="out/", format="parquet", mode=mode)
    copier(source_of(path="in.csv"), end)
    (home / "out").chmod(0o750)
    os.utime(home / "out", (0, 0))
    copier(source_of(path="in.csv"), end)
    found = (home / "out").stat()
    assert (found.st_mode & 0o777, found.st_mtime > 0) == (0o750, True)


def test_rows_are_added_to_a_folder_on_a_disk_without_links(
    copier: Copier, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **_options: object) -> NoReturn:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    for _ in range(2):
        copier(source_of(path="in.csv"), destination_of(path="out/", format="csv", mode="append"))
    (home / "out" / "notes.md").write_text("mine")
    (home / "out" / "link.md").symlink_to("notes.md")
    os.utime(home / "out" / "notes.md", (0, 0))
    copier(source_of(path="in.csv"), destination_of(path="out/", format="csv", mode="append"))
    assert len(list((home / "out").glob("*.csv"))) == 3
    assert (home / "out" / "notes.md").stat().st_mtime == 0
    assert (home / "out" / "link.md").readlink() == Path("notes.md")


@pytest.mark.parametrize("mode", ["replace", "append"])
@pytest.mark.parametrize("path", ["./", "../", "/", "out/../", "link/", "~"])
def test_the_workspace_and_what_it_is_in_are_no_places_for_rows(
    copier: Copier, home: Path, path: str, mode: Mode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(home / "someone"))
    (home / "someone" / "deep").mkdir(parents=True)
    (home / "link").symlink_to(home)
    before = tree(home)
    written = f"{home}/someone/" if path == "~" else path
    with pytest.raises(FatalError, match=r"exchanged as a whole|cannot write"):
        copier(source_of(path="in.csv"), destination_of(path=written, mode=mode))
    assert tree(home) == before


@pytest.mark.parametrize("mode", ["replace", "append"])
@pytest.mark.parametrize("source", ["data/in.csv", "data/*.csv", "data/", "link.csv"])
def test_a_folder_that_has_the_source_in_it_is_no_place_for_its_rows(
    copier: Copier, home: Path, source: str, mode: Mode
) -> None:
    (home / "data").mkdir()
    (home / "in.csv").rename(home / "data" / "in.csv")
    if source == "link.csv":
        (home / "folder").symlink_to("data")
        source = "folder/in.csv"
    before = tree(home)
    with pytest.raises(FatalError, match=r"data/in\.csv is in it"):
        copier(source_of(path=source), destination_of(path="data/", mode=mode))
    assert tree(home) == before


def test_bad_rows_never_go_where_an_end_is(copier: Copier, home: Path) -> None:
    (home / "notes.txt").write_text("mine")
    before = tree(home)
    for path, destination in (
        ("in.csv", "out.csv"),
        ("out.csv", "out.csv"),
        ("out/bad.ndjson", "out/"),
        ("notes.txt", "out.csv"),
    ):
        with pytest.raises(FatalError, match=r"cannot take its bad rows|is in it|is not a quarantine file"):
            copier(
                source_of(path="in.csv"),
                destination_of(path=destination),
                on_bad_row="quarantine",
                quarantine=QuarantineTo(path=path),
            )
        assert tree(home) == before
    job = replace(
        copier.job(source_of(path="in.csv"), destination_of(path="out.csv"), "one", on_bad_row="quarantine"),
        quarantine_file=home / "notes.txt",
    )
    with pytest.raises(FatalError, match="is not a quarantine file"):
        copy(job)
    assert tree(home) == before


def test_a_database_file_is_not_replaced_by_its_own_rows(copier: Copier, home: Path) -> None:
    copier(source_of(path="in.csv"), destination_of(connection="sqlite", table="t"))
    before = tree(home)
    with pytest.raises(FatalError, match="is the database that the rows come from"):
        copier(source_of(connection="sqlite", table="t"), destination_of(path="file.db", format="csv"))
    assert tree(home) == before


# --- links, FIFOs, devices ------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["replace", "append"])
def test_a_link_is_written_through(copier: Copier, home: Path, mode: Mode) -> None:
    (home / "real").mkdir()
    (home / "real" / "file.csv").write_text("id\n0\n")
    (home / "one.csv").symlink_to("real/file.csv")
    (home / "two.csv").symlink_to("one.csv")
    (home / "new.csv").symlink_to("real/not-yet.csv")
    (home / "folder").symlink_to("real/rows")
    copier(source_of(path="in.csv"), destination_of(path="two.csv", mode=mode))
    copier(source_of(path="in.csv"), destination_of(path="new.csv", mode=mode))
    for _ in range(2):
        copier(source_of(path="in.csv"), destination_of(path="folder/", mode=mode))
    old = "" if mode == "replace" else "0\n"
    assert (home / "real" / "file.csv").read_text() == f"id\n{old}1\n2\n"
    assert (home / "real" / "not-yet.csv").read_text() == "id\n1\n2\n"
    assert rows(home, "real/rows/*.parquet") == ([1, 2] if mode == "replace" else [1, 1, 2, 2])
    assert [path.name for path in sorted(home.iterdir()) if path.is_symlink()] == [
        "folder",
        "new.csv",
        "one.csv",
        "two.csv",
    ]
    assert [path.name for path in home.iterdir() if "windlass" in path.name] == []


def test_links_that_lead_in_a_circle_are_said(copier: Copier, home: Path) -> None:
    (home / "a.csv").symlink_to("b.csv")
    (home / "b.csv").symlink_to("a.csv")
    with pytest.raises(FatalError, match="too many levels of symbolic links"):
        copier(source_of(path="in.csv"), destination_of(path="a.csv"))


@pytest.mark.parametrize("kind", ["csv", "json", "ndjson", "parquet"])
def test_a_fifo_gets_the_rows_and_stays_one(copier: Copier, home: Path, kind: FileFormat) -> None:
    os.mkfifo(home / "pipe")
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append((home / "pipe").read_bytes()), daemon=True)
    reader.start()
    copier(source_of(path="in.csv"), destination_of(path="pipe", format=kind))
    reader.join(60)
    copier(source_of(path="in.csv"), destination_of(path="file", format=kind))
    assert got == [(home / "file").read_bytes()]
    assert (home / "pipe").is_fifo()


def test_a_device_gets_the_rows_and_stays_one(copier: Copier, home: Path) -> None:
    before = Path("/dev/null").stat()
    assert (
        copier(source_of(path="in.csv"), destination_of(path="/dev/null", format="csv")).counts.written == 2
    )
    after = Path("/dev/null").stat()
    assert (before.st_mode, before.st_rdev) == (after.st_mode, after.st_rdev)
    with pytest.raises(FatalError, match="keeps nothing"):
        copier(source_of(path="in.csv"), destination_of(path="/dev/null", format="csv", mode="append"))


def test_a_fifo_gets_nothing_of_a_copy_that_fails(copier: Copier, home: Path) -> None:
    (home / "bad.csv").write_text("id\n1\n2,3\n")
    os.mkfifo(home / "pipe")
    reader = os.open(home / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(FatalError, match="bad rows"):
        copier(source_of(path="bad.csv"), destination_of(path="pipe", format="csv"))
    assert os.read(reader, 100) == b""
    os.close(reader)


def test_a_socket_is_not_replaced(copier: Copier, home: Path) -> None:
    import socket

    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(home / "s.csv"))
        with pytest.raises(FatalError, match="is a socket"):
            copier(source_of(path="in.csv"), destination_of(path="s.csv"))
        assert (home / "s.csv").is_socket()


@pytest.mark.parametrize("kind", ["csv", "ndjson", "json"])
def test_a_fifo_is_read_once_and_its_content_identifies_it(
    copier: Copier, home: Path, kind: FileFormat
) -> None:
    copier(source_of(path="in.csv"), destination_of(path="data", format=kind))
    os.mkfifo(home / "pipe")

    def load(content: bytes) -> int:
        writer = threading.Thread(target=lambda: (home / "pipe").write_bytes(content), daemon=True)
        writer.start()
        result = copier(
            source_of(path="pipe", format=kind), destination_of(path="out.csv", mode="append"), run_key="one"
        )
        writer.join(60)
        return 0 if result.skipped else result.counts.written

    content = (home / "data").read_bytes()
    assert [load(content), load(content)] == [2, 0]
    with pytest.raises(FatalError, match="already loaded from another input"):
        load(content.replace(b"2", b"3"))
    assert (home / "out.csv").read_text() == "id\n1\n2\n"


def test_a_fifo_in_a_folder_is_not_waited_for(copier: Copier, home: Path) -> None:
    (home / "in").mkdir()
    os.mkfifo(home / "in" / "a.csv")
    with pytest.raises(FatalError, match=r"a\.csv' is not a regular file"):
        copier(source_of(path="in/"), destination_of(path="out.csv"))


# --- names ----------------------------------------------------------------------------------------

NAMES = (
    "data[a].csv",
    "data*.csv",
    "data?.csv",
    "{a,b}.csv",
    "[!x].csv",
    "a'b\"c.csv",
    "ä 🎉.csv",
    "-",
    "a#b.csv",
)


@pytest.mark.one_of(2)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("parent", ["", "in[1]*/"])
def test_a_name_is_never_taken_for_a_pattern(copier: Copier, home: Path, name: str, parent: str) -> None:
    (home / "dataa.csv").write_text("id\n7\n")
    (home / "data.csv").write_text("id\n7\n")
    if parent:
        (home / parent).mkdir()
        (home / parent / "dataa.csv").write_text("id\n7\n")
    path = f"{parent}{name}"
    destination = destination_of(path=path, mode="append", format="csv")
    for _ in range(2):
        copier(source_of(path="in.csv"), destination)
    assert (home / path).read_text() == "id\n1\n2\n1\n2\n"
    copier(source_of(path=path, format="csv"), destination_of(path="back.csv"))
    assert (home / "back.csv").read_text() == "id\n1\n2\n1\n2\n"
    for kind in ("parquet", "ndjson"):
        copier(source_of(path="in.csv"), destination_of(path=f"{path}.{kind}", mode="append"))
        copier(source_of(path=f"{path}.{kind}"), destination_of(path="back.csv"))
        assert (home / "back.csv").read_text() == "id\n1\n2\n"
    copier(source_of(path="in.csv"), destination_of(path=f"{path}.d/", mode="append"))
    copier(source_of(path=f"{path}.d/"), destination_of(path="back.csv"))
    assert (home / "back.csv").read_text() == "id\n1\n2\n"
    assert [file.name for file in (home / parent).iterdir() if "windlass-tmp" in file.name] == []


def test_a_name_that_is_not_utf8_is_refused_in_words(copier: Copier, home: Path) -> None:
    """As an old share has them: DuckDB takes no such path."""
    name = os.fsdecode(b"\xe9.csv")
    (home / "in").mkdir()
    (home / "in" / name).write_text("id\n1\n")
    for source, to in ((f"in/{name}", "out.csv"), ("in/", "out.csv"), ("in/*", "out.csv"), ("in.csv", name)):
        with pytest.raises(FatalError, match=r"\\xe9\.csv' is not UTF-8"):
            copier(source_of(path=source, format="csv"), destination_of(path=to, format="csv"))
    assert sorted(path.name for path in home.iterdir()) == ["in", "in.csv"]


def test_a_pattern_is_of_the_path_and_not_of_the_project(home: Path) -> None:
    project = home / "my [project] *"
    (project / "in").mkdir(parents=True)
    (project / "in" / "a.csv").write_text("id\n1\n")
    (project / "in" / "b.csv").write_text("id\n2\n")
    copier = Copier(project)
    copier(source_of(path="in/*.csv"), destination_of(path="out.csv"))
    assert (project / "out.csv").read_text() == "id\n1\n2\n"


@pytest.mark.parametrize("ending", ["data[a].csv", "data*.csv", "out[a]/"])
def test_an_earlier_writer_is_fenced_whatever_the_name(copier: Copier, home: Path, ending: str) -> None:
    """Of two starts of one load the later one commits; the earlier one, which was slow, must not."""
    job = copier.job(source_of(path="in.csv"), destination_of(path=ending, mode="append"), "load")

    def overtake(_rows: int, _bytes: int) -> None:
        if not late:
            late.append(copier(source_of(path="in.csv"), job.copy.destination, run_key="load").counts.written)

    late: list[int] = []
    with pytest.raises(FatalError, match="a later start of this load took"):
        copy(replace(job, meter=overtake))
    assert late == [2]
    assert [file.name for file in home.iterdir() if "windlass-tmp" in file.name] == []


# --- elsewhere ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "scheme",
    ["ftp://b/x.csv", "https://h/x.csv", "hd:/b", "mysql://h/d", "FTP://B/x", "~/x.csv"],
)
def test_a_path_elsewhere_is_refused_and_nothing_is_made_here(
    copier: Copier, home: Path, scheme: str
) -> None:
    before = tree(home)
    read = (
        [(scheme, "out.csv")] if not scheme.startswith("https") else []
    )  # a file of a web server is fetched
    for source, destination in (*read, ("in.csv", scheme), ("in.csv", f"{scheme}/")):
        with pytest.raises(FatalError, match=r"is not on this machine|only a shell"):
            copier(source_of(path=source, format="csv"), destination_of(path=destination, format="csv"))
    with pytest.raises(FatalError, match=r"is not on this machine|only a shell"):
        copier(
            source_of(path="in.csv"),
            destination_of(path="out.csv"),
            on_bad_row="quarantine",
            quarantine=QuarantineTo(path=scheme),
        )
    assert tree(home) == before


def test_a_file_address_is_a_path(copier: Copier, home: Path) -> None:
    copier(source_of(path=f"file://{home}/in.csv"), destination_of(path=f"file:{home}/o%20ut.csv"))
    assert (home / "o ut.csv").read_text() == "id\n1\n2\n"


# --- what others do meanwhile ---------------------------------------------------------------------


def test_what_arrives_in_the_moment_of_the_exchange_is_not_lost(
    copier: Copier, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copier(source_of(path="in.csv"), destination_of(path="out/"))
    really = folder_place._exchanged

    def exchange(one: Path, other: Path) -> bool:
        (other / "late.txt").write_text("late")
        (other / "sub").mkdir()
        (other / "part-00000.parquet.1").write_text("late, too")
        return really(one, other)

    monkeypatch.setattr(folder_place, "_exchanged", exchange)
    copier(source_of(path="in.csv"), destination_of(path="out/"))
    assert (home / "out" / "late.txt").read_text() == "late"
    assert (home / "out" / "part-00000.parquet.1").read_text() == "late, too"
    assert (home / "out" / "sub").is_dir()
    assert rows(home) == [1, 2]


def test_a_file_that_somebody_else_changes_meanwhile_is_not_replaced(copier: Copier, home: Path) -> None:
    (home / "out.csv").write_text("id\n0\n")
    job = copier.job(source_of(path="in.csv"), destination_of(path="out.csv", mode="append"), "one")

    def meddle(_rows: int, _bytes: int) -> None:
        (home / "out.csv").write_text("id\n0\n9\n")

    with pytest.raises(RetryableError, match="written by somebody else meanwhile"):
        copy(replace(job, meter=meddle))
    assert (home / "out.csv").read_text() == "id\n0\n9\n"


def test_a_file_keeps_its_mode(copier: Copier, home: Path) -> None:
    (home / "out.csv").write_text("id\n")
    (home / "out.csv").chmod(0o600)
    copier(source_of(path="in.csv"), destination_of(path="out.csv"))
    assert (home / "out.csv").stat().st_mode & 0o777 == 0o600


KILLED = """
import sys
from pathlib import Path
from windlass.engine import Identity, Job, Workspace
from windlass.engine.copying import copy
from windlass.plan.model import Copy, Destination, Source
from windlass.storage import folder
home, mode, whole = Path(sys.argv[1]), sys.argv[2], sys.argv[3] == "whole"
if not whole:
    folder._exchanged = lambda one, other: False
copy(Job(
    copy=Copy(source=Source(options={"path": "in.csv"}), destination=Destination(options={"path": "out/", "mode": mode})),
    identity=Identity("test", "copy", "run", "run", load_id="killed"),
    workspace=Workspace(home, home),
))
"""
PLACES = ("before-ledger", "after-ledger", "before-commit", "mid-rename", "after-commit")
KILLS = [(place, how) for place in PLACES for how in ("whole", "by two renames")]


@pytest.mark.parametrize("mode", ["replace", "append"])
@pytest.mark.one_of(2)
@pytest.mark.parametrize(("place", "exchange"), [*KILLS, ("mid-exchange", "by two renames")])
def test_a_kill_leaves_the_old_state_or_the_new_one_and_what_is_not_ours(
    copier: Copier, home: Path, place: str, mode: Mode, exchange: str
) -> None:
    (home / "old.csv").write_text("id\n8\n9\n")
    copier(source_of(path="old.csv"), destination_of(path="out/"))
    if mode == "append":
        (home / "out" / "notes").write_text("mine")
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(home), mode, exchange],
        env={**os.environ, "WINDLASS_FAILPOINT": f"{place}:kill"},
        check=False,
    )
    assert done.returncode == -9
    new = [1, 2] if mode == "replace" else [1, 2, 8, 9]
    if place != "mid-exchange":
        assert rows(home) in ([8, 9], new)
    job = copier.job(source_of(path="in.csv"), destination_of(path="out/", mode=mode), "run")
    committed = place in ("mid-rename", "after-commit")
    if committed:
        assert settle(job, ["killed"]).counts.written == 2
    else:
        with pytest.raises(RetryableError, match="nothing was committed"):
            settle(job, ["killed"])
    assert rows(home) == (new if committed else [8, 9])
    assert copy(job).skipped == (committed and mode == "append")
    assert rows(home) == new
    assert (home / "out" / "notes").exists() == (mode == "append")
    assert [file.name for file in home.iterdir() if "windlass-tmp" in file.name] == []


def test_a_ledger_of_files_never_forgets(copier: Copier, home: Path) -> None:
    destination = destination_of(path="all.csv", mode="append")
    copier(source_of(path="in.csv"), destination, run_key="first")
    file = home / ".all.csv.windlass.json"
    first, rest = file.read_text().split("\n", 2)[1:]
    others = ",\n".join(first.replace('"first"', f'"{i}"') for i in range(3000))
    file.write_text('{"loads": [\n' + f"{first},\n{others}\n" + rest.removeprefix(",\n"))
    assert copier(source_of(path="in.csv"), destination, run_key="2999").skipped
    assert not copier(source_of(path="in.csv"), destination, run_key="new").skipped
    assert copier(source_of(path="in.csv"), destination, run_key="first").skipped
    assert copier(source_of(path="in.csv"), destination, run_key="0").skipped
    assert (home / "all.csv").read_text() == "id\n1\n2\n1\n2\n"


def test_relative_paths_are_of_the_workspace(home: Path) -> None:
    workspace = Workspace(home / "data", home)
    assert workspace.to_read("in.csv") == home / "in.csv"
    assert workspace.to_write("in.csv") == home / "data" / "in.csv"
    (home / "data").mkdir()
    (home / "data" / "in.csv").touch()
    assert workspace.to_read("in.csv") == home / "data" / "in.csv"
    assert workspace.matching("*.csv") == [home / "data" / "in.csv"]
