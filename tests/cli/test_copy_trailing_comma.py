"""A comma behind the last record of a JSON array, which many programs write and many more refuse."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Output

Windlass = Callable[..., Output]


@pytest.mark.parametrize(
    "text",
    ['[{"a": 9007199254740993},]', '\ufeff[{"a": 9007199254740993,},\n]\n'],
    ids=["one line", "with a BOM"],
)
def test_a_comma_behind_the_last_record_is_passed_over(windlass: Windlass, tmp_path: Path, text: str) -> None:
    (tmp_path / "in.json").write_text(text, encoding="utf-8")
    done = windlass("copy", "in.json", "out.ndjson")
    assert done.code == 0, done.stderr
    assert [json.loads(line) for line in (tmp_path / "out.ndjson").read_text().splitlines()] == [
        {"a": 9007199254740993}
    ]


def test_a_file_of_several_may_end_in_a_comma(windlass: Windlass, tmp_path: Path) -> None:
    (tmp_path / "1.json").write_text('[{"a": "x,]"},]')
    (tmp_path / "2.json").write_text('[{"b": 2}, {"b": 3}]')
    assert windlass("copy", "*.json", "out.ndjson", "--json").json["rows_written"] == 3


@pytest.mark.parametrize(
    ("text", "where"),
    [('[{"a": 1},,]', "1:11"), ("[,]", "1:2"), ('[{"a": 1},\n{"a":,}]', "2:6")],
)
def test_an_array_that_lacks_a_value_is_refused_with_its_place(
    windlass: Windlass, tmp_path: Path, text: str, where: str
) -> None:
    (tmp_path / "in.json").write_text(text)
    done = windlass("copy", "in.json", "out.ndjson")
    assert done.code == 1
    assert f"in.json:{where}: Expecting value" in done.stderr


@pytest.mark.parametrize("name", ["in.json", "in.json.gz"])
def test_an_array_that_is_cut_off_behind_a_comma_is_refused(
    windlass: Windlass, tmp_path: Path, name: str
) -> None:
    data = b'[{"a": 1},\n{"a": 2},\n'
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    done = windlass("copy", name, "out.ndjson")
    assert done.code == 1
    assert f"{name}:3:1: Expecting value" in done.stderr
    assert not (tmp_path / "out.ndjson").exists()
