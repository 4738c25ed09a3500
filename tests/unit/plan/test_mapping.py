"""Which parts of a copy a scheduler may make tasks of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from windlass.plan.compiler import compile_project
from windlass.plan.model import Copy
from windlass.spec import load_project

PROJECT = "project: p\nconnections: {x: {type: postgres}, y: {type: postgres}, s: {type: sqlite}, m: {type: mysql}}\n"
FROM = "from: {connection: x, table: t}"
APPEND, MERGE = (
    f"to: {{connection: y, table: t, mode: {mode}}}" for mode in ("append", "merge, key: [id, day]")
)
BY_ID = "partition: {by: id, parts: 4}"
SET_ASIDE = "on_bad_row: quarantine"


@pytest.mark.parametrize(
    ("lines", "mapped"),
    [
        ((FROM, APPEND, BY_ID), True),
        ((FROM, MERGE, BY_ID), True),
        ((FROM, MERGE, BY_ID, "select: {id: id, day: at}"), True),
        ((FROM, APPEND, BY_ID, SET_ASIDE), True),
        ((FROM, APPEND, BY_ID, SET_ASIDE, "quarantine: {connection: y, table: bad}"), True),
        (("from: {connection: m, table: t}", APPEND, BY_ID), True),
        (
            (
                "from: {connection: m, table: t}",
                MERGE,
                BY_ID,
                SET_ASIDE,
                "quarantine: {connection: y, table: bad}",
            ),
            True,
        ),
        # two parts could bring the same key
        ((FROM, MERGE, "partition: {by: amount, parts: 4}"), False),
        ((FROM, MERGE, BY_ID, "select: {id: {from: id, type: int}, day: day}"), False),
        ((FROM, MERGE, BY_ID, "select: {id: other, day: day, old: id}"), False),
        # what is about the copy as a whole
        ((FROM, "to: {connection: y, table: t, mode: replace}", BY_ID), False),
        ((FROM, APPEND, BY_ID, "incremental: {cursor: id}"), False),
        ((FROM, APPEND, BY_ID, SET_ASIDE, "max_bad_rows: 5"), False),
        ((FROM, APPEND, BY_ID, SET_ASIDE, "quarantine: {path: bad.ndjson}"), False),
        # no bounds that hold, or no ledger with a writer a part
        ((FROM, APPEND, "partition: {by: ctid, parts: 4}"), False),
        ((FROM, APPEND, "partition: {by: id, parts: 1}"), False),
        (("from: {connection: x, query: SELECT 1 AS id}", APPEND, BY_ID), False),
        ((FROM, APPEND, BY_ID, SET_ASIDE, "quarantine: {connection: s, table: bad}"), False),
    ],
)
def test_a_part_is_a_load_of_its_own_only_where_it_makes_sense_alone(
    lines: tuple[str, ...], mapped: bool, project: Callable[..., Path]
) -> None:
    copy = "".join(f"\n      {line}" for line in lines)
    root = project(
        {"windlass.yaml": PROJECT, "pipelines/p.yaml": f"pipeline: p\ntasks:\n  a:\n    copy:{copy}\n"}
    )
    action = compile_project(load_project(root))["p"].task("a").action
    assert isinstance(action, Copy)
    assert action.partition is not None
    assert action.partition.mapped is mapped
