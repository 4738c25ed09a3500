"""The entries that a task has written: from which files, with which names, and what is wrong with them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass.entries import Entry
from windlass.errors import FatalError
from windlass.plan.instances import from_text, instance, to_text
from windlass.plan.model import Each, Plan, RunCommand, Sql, Task
from windlass.plan.unit import Unit
from windlass.tasks.entries import MOST_TEXT, entries_of
from windlass.templates import render
from windlass.workspace import Workspace

DAY = {"ds": "2026-01-02"}


def task(path: str = "out/{{ ds }}.csv", command: str = "{{ each }}", **fields: object) -> Task:
    each = Each(of="list", path=path, **fields)  # type: ignore[arg-type]
    return Task(name="load", each=each, action=RunCommand(), unit=Unit(command=("echo", command)))


def read(folder: Path, path: str, text: str | bytes, **fields: object) -> list[Entry]:
    file = folder / path
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    one = task(path, **fields)  # type: ignore[arg-type]
    return entries_of(Plan(project="p", pipeline="q", tasks=(one,)), one, Workspace(folder, folder), DAY)


@pytest.mark.parametrize(
    ("name", "text", "fields", "expected"),
    [
        ("a.csv", "name,lat\nZürich,47.4\n", {}, [("Zürich", {"name": "Zürich", "lat": "47.4"}, "a.csv:2")]),
        ("a.txt", "\n oslo \nbern\n", {}, [("oslo", "oslo", "a.txt:2"), ("bern", "bern", "a.txt:3")]),
        (
            "a.ndjson",
            '{"name": "x"}\n\n7\n',
            {},
            [("x", {"name": "x"}, "a.ndjson:1"), ("7", 7, "a.ndjson:3")],
        ),
        ("a.json", "[1, true]", {}, [("1", 1, "a.json: entry 1"), ("true", True, "a.json: entry 2")]),
        ("a.json", '{"b": {"x": {"n": 1}}}', {"records": "b"}, [("x", {"key": "x", "n": 1}, "a.json: 'x'")]),
        ("a.yaml", "- {n: 1}\n", {"name": "n{{ each.n }}"}, [("n1", {"n": 1}, "a.yaml: entry 1")]),
        ("a.json", "[]", {}, []),
        ("a.csv", "name\n", {}, []),
        ("a.txt", b"\xef\xbb\xbfoslo\r\n", {}, [("oslo", "oslo", "a.txt:1")]),
    ],
)
def test_entries_are_read_from_files_of_many_kinds(
    name: str, text: str | bytes, fields: dict[str, object], expected: list[object], tmp_path: Path
) -> None:
    found = read(tmp_path, name, text, **fields)
    assert [(entry.name, entry.value, entry.place) for entry in found] == expected


@pytest.mark.parametrize(
    ("name", "text", "fields", "said"),
    [
        ("a.csv", "city\nx\n", {}, "the entry at a.csv:2 has nothing to name its task by"),
        ("a.csv", "name,b\nx\n", {}, "cannot take the entries of 'a.csv': the row of a.csv:2 is not as long"),
        ("a.csv", "name\nx\n", {"name": "{{ each.city }}"}, "`name`: the entry has no key 'city' (a.csv:2)"),
        ("a.csv", "name\nx\nX!\nX?\n", {}, "makes the task 'load_X_', and so does 'X!', a.csv:3"),
        ("a.txt", "x" * 101, {}, "has 106 characters"),
        ("a.ndjson", "1\n{\n", {}, "cannot take the entries of 'a.ndjson': a.ndjson:2 is not valid JSON: "),
        ("a.csv", "name,b,b\nx,1,2\n", {}, "cannot take the entries of 'a.csv': the header has 'b' twice"),
        ("a.json", "3", {}, "expected a list or mapping"),
        ("a.json", '{"b": 3}', {"records": "b"}, "expected a list or mapping at 'b'"),
        ("a.json", "[", {}, "cannot take the entries of 'a.json': it is not valid JSON: "),
        ("a.yaml", "a: [\n", {}, "cannot take the entries of 'a.yaml'"),
        ("a.txt", b"x\n\xff\n", {}, "cannot take the entries of 'a.txt': it is not UTF-8 (byte 0xff)"),
        ("a.parquet", "", {}, "expected a .csv, .json, .ndjson, .jsonl, .yaml, .yml, .txt file"),
        ("a.txt", "1\n2\n3\n", {"limit": 2}, "a.txt has more than 2 entries"),
        ("a.ndjson", json.dumps({"name": "x", "v": "y" * MOST_TEXT}), {}, "at most 256,000 are handed on"),
        ("a.csv", "name\nx\n", {"command": "{{ each.city }}"}, "the entry has no key 'city' ('x', a.csv:2)"),
    ],
    ids=range(16),
)
def test_what_is_wrong_with_an_entry_names_its_place(
    name: str, text: str | bytes, fields: dict[str, object], said: str, tmp_path: Path
) -> None:
    with pytest.raises(FatalError) as caught:
        read(tmp_path, name, text, **fields)
    assert said in caught.value.message


def test_a_file_that_is_not_there_is_told_with_the_task_that_should_write_it(tmp_path: Path) -> None:
    one = task()
    with pytest.raises(FatalError, match=r"there is no file 'out/2026-01-02\.csv'") as caught:
        entries_of(Plan(project="p", pipeline="q", tasks=(one,)), one, Workspace(tmp_path, tmp_path), DAY)
    assert "'list'" in str(caught.value.hint)


TEXTS = st.text() | st.sampled_from(["$(HOME)", "{{ ds }}", "{{", "{{{", "$$", "}}", "a b", "\\u0024"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@given(VALUES, TEXTS, TEXTS)
def test_an_entry_is_handed_on_as_it_is_and_nobody_fills_it_in(value: object, name: str, place: str) -> None:
    entry = Entry(value, name, place)
    text = to_text(entry)
    assert from_text(text) == entry
    assert "$" not in text
    assert "{{" not in text


def test_an_entry_takes_its_place_in_every_template() -> None:
    made = instance(
        Task(
            name="load",
            each=Each(of="list", path="a.csv"),
            action=Sql(statement="SELECT '{{ each.t }}', {{ each.n }}, '{{ ds }}'"),
            inlets=("t.{{ each.n }}",),
            on_failure=("slack",),
        ),
        Entry({"t": "a$b{{ ds }}", "n": 3}, "x", "a.csv:2"),
    )
    assert (made.name, made.each, made.inlets, made.on_failure) == ("load_x", None, ("t.3",), ())
    assert isinstance(made.action, Sql)
    assert render(made.action.statement, DAY) == "SELECT 'a$b{{ ds }}', 3, '2026-01-02'"
