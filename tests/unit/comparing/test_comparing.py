"""What differs between two states of a project, in words that a pull request shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass.comparing import Change, Difference, PipelineChanges, compared, markdown
from windlass.comparing.changes import MISSING, outlets
from windlass.plan.compiler import compile_project
from windlass.plan.model import Plan
from windlass.spec import load_project

CONFIG = "project: p\nconnections: {pg: {type: postgres}}\n"
BEFORE = """\
pipeline: orders
schedule: "@daily"
tasks:
  load: {copy: {from: {path: a.csv}, to: {connection: pg, table: t, mode: append}}}
  tell: {needs: [load], retries: 1, run: {command: [echo, done]}}
  gone: {retries: 1, run: {command: [date]}}
"""


def plans(folder: Path, *pipelines: str) -> dict[str, Plan]:
    (folder / "pipelines").mkdir(parents=True)
    (folder / "windlass.yaml").write_text(CONFIG)
    for number, text in enumerate(pipelines):
        (folder / "pipelines" / f"{number}.yaml").write_text(text)
    return compile_project(load_project(folder))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('"@daily"', "0 5 * * *", [(("schedule",), "@daily", "0 5 * * *")]),
        ("mode: append", "mode: merge, key: id", [(("tasks", "load", "copy", "destination", "options", "mode"), "append", "merge"), (("tasks", "load", "copy", "destination", "options", "key"), MISSING, ["id"])]),
        ("[echo, done]", "[echo, ok]", [(("tasks", "tell", "run", "command"), ("echo", "done"), ("echo", "ok"))]),
        ("a.csv", "b.csv", [(("tasks", "load", "copy", "source", "options", "path"), "a.csv", "b.csv")]),
        ("retries: 1", "retries: 2", [(("tasks", task, "retry", "retries"), 1, 2) for task in ("gone", "tell")]),
        ("pipeline: orders", "pipeline: orders  # a comment", []),
        ("needs: [load], ", "", [(("tasks", "tell", "needs"), ("load",), ())]),
    ],
)  # fmt: skip
def test_each_change_is_told_once_and_nothing_that_follows_from_it(
    tmp_path: Path, old: str, new: str, expected: list[tuple[tuple[str, ...], object, object]]
) -> None:
    before, now = plans(tmp_path / "a", BEFORE), plans(tmp_path / "b", BEFORE.replace(old, new))
    found = [change for one in compared(before, now) for change in one.changes]
    assert [(change.path, change.before, change.now) for change in found] == expected


def test_pipelines_and_tasks_come_and_go(tmp_path: Path) -> None:
    other = "pipeline: other\ntasks: {x: {run: {command: [date]}}}\n"
    without = BEFORE.replace("  gone: {retries: 1, run: {command: [date]}}\n", "")
    before, now = plans(tmp_path / "a", BEFORE), plans(tmp_path / "b", without, other)
    orders, added = compared(before, now)
    assert (added.pipeline, added.status) == ("other", "added")
    [gone] = orders.changes
    assert (gone.path, gone.now) == (("tasks", "gone"), MISSING)
    assert compared(now, before)[1].status == "removed"
    assert outlets(now) == {"pg.t": ["orders.load"]}


def test_the_same_change_of_several_tasks_is_one_row(tmp_path: Path) -> None:
    before, now = (
        plans(tmp_path / "a", BEFORE),
        plans(tmp_path / "b", BEFORE.replace("retries: 1", "retries: 2")),
    )
    text = markdown(Difference(tuple(compared(before, now)), len(now), {}, {}, ()))
    assert text.splitlines() == [
        "## windlass: 1 of 1 pipeline changed",
        "",
        "### `orders`",
        "",
        "| what | before | now |",
        "| --- | --- | --- |",
        "| `retry.retries` of tasks `gone`, `tell` | `1` | `2` |",
    ]
    assert markdown(Difference((), 3, {}, {}, ())) == "## windlass: no pipeline changed\n"


@given(st.text())
def test_no_value_leaves_its_cell(value: str) -> None:
    changes = PipelineChanges("p", "changed", (Change(("description",), value, None),))
    row = markdown(Difference((changes,), 1, {}, {}, ())).removesuffix("\n").split("\n")[-1]
    assert row.startswith("| `description` | `")
    assert len(re.findall(r"(?<!\\)\|", row)) == 4
