"""Names as long as a file system takes them: what windlass puts beside a file, or names by it, is no longer."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import windlass
from tests.connectors.apis import Api, answer
from windlass.file_names import fitting
from windlass.files import beside, put, write_whole
from windlass.testing import Copier, destination_of, source_of

MOST = 255  # bytes in a name, of Linux's file systems


def long_name(length: int, ending: str, filling: str = "n") -> str:
    """A name of so many bytes."""
    room = length - len(ending)
    name = filling * (room // len(filling.encode()))
    return f"{name}{'_' * (room - len(name.encode()))}{ending}"


NAMES = [
    long_name(198, ".csv"),
    long_name(199, ".csv"),
    long_name(MOST, ".csv.gz"),
    long_name(MOST, ".parquet", "Ü"),
]


@pytest.mark.parametrize("name", NAMES, ids=["short enough", "longer", "longest", "of two bytes each"])
def test_a_file_of_a_long_name_is_written_like_any_other(copier: Copier, name: str) -> None:
    (copier.folder / "in.csv").write_text("id\n1\n")
    appended = destination_of(path=f"out/{name}", mode="append")
    for key in ("first", "second", "second"):
        copier(source_of(path="in.csv"), appended, run_key=key)
    copier(source_of(path=f"out/{name}"), destination_of(path="back.csv"))
    assert (copier.folder / "back.csv").read_text() == "id\n1\n1\n"
    assert len(list((copier.folder / "out").iterdir())) == 2  # the file and its manifest


def test_a_folder_of_a_long_name_is_written_like_any_other(copier: Copier) -> None:
    (copier.folder / "in.csv").write_text("id\n1\n")
    name = long_name(MOST, "")
    for mode in ("replace", "append", "replace"):
        copier(source_of(path="in.csv"), destination_of(path=f"out/{name}/", format="csv", mode=mode))
    assert [path.name for path in (copier.folder / "out").iterdir()] == [name]


@pytest.mark.parametrize("end", ["sqlite", "duckdb"])
def test_a_database_of_a_long_name_is_written_like_any_other(copier: Copier, end: str) -> None:
    """As far as the database itself takes the name, for its journal."""
    name = long_name(MOST - len("-journal"), ".db")
    copier.addresses[end] = type(copier.addresses[end])(end, database=str(copier.folder / name))
    (copier.folder / "in.csv").write_text("id\n1\n")
    for mode in ("replace", "append"):
        result = copier(source_of(path="in.csv"), destination_of(connection=end, table="t", mode=mode))
        assert result.counts.written == 1


def test_files_of_long_names_alike_have_ledgers_of_their_own(copier: Copier) -> None:
    (copier.folder / "in.csv").write_text("id\n1\n")
    base = long_name(MOST, ".csv")
    names = [f"{base[:210]}{letter}{base[211:]}" for letter in "ab"]
    for name in names:
        outcome = copier(source_of(path="in.csv"), destination_of(path=name, mode="append"), run_key="one")
        assert not outcome.skipped


def test_bad_rows_of_a_file_with_a_long_name_are_quarantined(tmp_path: Path) -> None:
    name = long_name(MOST, ".csv")
    (tmp_path / name).write_text("id,n\n1,1\n2,x\n")
    columns = ["id", "n:int"]
    done = windlass.copy(name, "out.csv", select=columns, on_bad_row="quarantine", folder=tmp_path)
    assert (done.rows_quarantined, done.quarantine is not None) == (1, True)


def test_files_and_pages_of_long_addresses_are_read(
    copier: Copier, make_api: Callable[..., Api], read: Callable[..., list[dict[str, Any]]]
) -> None:
    """What is kept of them meanwhile is not called by the address."""
    api = make_api(answering=lambda _: answer(b"id\n1\n", "Content-Type: text/csv"))
    token = "t" * 400
    assert read(api, format="csv", query={"token": token}) == [{"id": 1}]
    copier(source_of(path=f"http://127.0.0.1:{api.port}/{token}.csv"), destination_of(path="back.csv"))
    assert (copier.folder / "back.csv").read_text() == "id\n1\n"


def test_what_is_put_whole_into_its_place_may_have_a_long_name(tmp_path: Path) -> None:
    target = tmp_path / long_name(MOST, ".html")
    write_whole(target, "one")
    (tmp_path / "finished").write_text("two")
    put(tmp_path / "finished", target)
    assert [path.name for path in tmp_path.iterdir()] == [target.name]


def test_a_name_fits_with_every_ending(tmp_path: Path) -> None:
    for name in NAMES:
        ending = f".windlass-tmp-{'0' * 36}.token"
        assert len(os.fsencode(beside(tmp_path / name, ending).name)) <= MOST
    assert fitting("short.csv") == "short.csv"
    assert fitting(long_name(MOST, ".csv.gz")).endswith("n.csv.gz")
