"""Where `windlass copy` puts the rows that it quarantines, and what it says of a source without columns."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.conftest import Output
from windlass import copy

Windlass = Callable[..., Output]


def test_bad_rows_go_to_the_file_that_is_named(windlass: Windlass, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("id,name\n1,one\n2\n")
    done = windlass(
        "copy",
        "in.csv",
        "out.parquet",
        "--on-bad-row",
        "quarantine",
        "--quarantine",
        "bad/rows.ndjson",
        "--json",
    )
    assert done.code == 0, done.stderr
    assert done.json["rows_quarantined"] == 1
    assert done.json["quarantine"] == str(tmp_path / "bad" / "rows.ndjson")
    [line] = (tmp_path / "bad" / "rows.ndjson").read_text().splitlines()
    assert (json.loads(line)["reason"], json.loads(line)["line"], json.loads(line)["raw"]) == (
        "ragged_row",
        3,
        "2",
    )
    assert not (tmp_path / "in.csv.quarantine.ndjson").exists()


def test_bad_rows_go_beside_the_project_unless_a_file_is_named(windlass: Windlass, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("id,name\n1,one\n2\n")
    done = windlass("copy", "in.csv", "out.parquet", "--on-bad-row", "quarantine")
    assert done.code == 0, done.stderr
    assert (tmp_path / "in.csv.quarantine.ndjson").exists()


def test_bad_rows_stay_when_the_same_file_is_copied_to_another_database(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("id,name\n1,one\n2\n")
    for name in ("a.db", "b.db", "b.db"):
        to = f"sqlite:///{tmp_path / name}?table=t"
        copied = copy(tmp_path / "in.csv", to, mode="replace", on_bad_row="quarantine", folder=tmp_path)
    quarantine = tmp_path / "in.csv.quarantine.ndjson"
    assert copied.quarantine == quarantine
    rows = [json.loads(line)["task"] for line in quarantine.read_text().splitlines()]
    assert sorted(rows) == [f"sqlite:///{tmp_path / name}?table=t" for name in ("a.db", "b.db")]


def test_a_file_for_bad_rows_that_fail_the_copy_is_a_mistake(windlass: Windlass) -> None:
    done = windlass("copy", "in.csv", "out.parquet", "--quarantine", "bad.ndjson")
    assert done.code == 2
    assert "--quarantine needs --on-bad-row quarantine" in done.stderr


def test_an_array_without_records_has_no_columns(windlass: Windlass, tmp_path: Path) -> None:
    (tmp_path / "in.json").write_text("[]")
    done = windlass("copy", "in.json", "out.parquet")
    assert done.code == 1
    assert "in.json has no records with fields" in done.stderr
    assert "expected at least one JSON object" in done.stderr
    assert not (tmp_path / "out.parquet").exists()
