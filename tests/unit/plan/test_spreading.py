"""Which copies an engine can do is told with the place in the file, before anything runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from windlass.errors import SpecError
from windlass.plan.compiler import compile_project
from windlass.plan.model import Copy
from windlass.spec import load_project

PROJECT = "project: p\nconnections: {cluster: {type: spark}, pg: {type: postgres}, lake: {type: s3}}\n"
TYPED = "select: {id: {type: bigint}, day: {from: d, type: date}}"
TO = "to: {path: out/}"


def _compiled(project: Callable[..., Path], *lines: str) -> Copy:
    copy = "".join(f"\n      {line}" for line in ("engine: cluster", *lines))
    text = f"pipeline: p\ntasks:\n  a:\n    copy:{copy}\n"
    task = compile_project(load_project(project({"windlass.yaml": PROJECT, "pipelines/p.yaml": text})))[
        "p"
    ].task("a")
    assert isinstance(task.action, Copy)
    assert "cluster" in task.connections
    return task.action


@pytest.mark.parametrize(
    "lines",
    [
        ("from: {path: in/*.parquet}", TO),
        ("from: {path: in/*.parquet}", "to: {path: out/, mode: append}", "on_bad_row: quarantine"),
        ("from: {path: in/*.csv.gz}", TO, TYPED),
        ("from: {path: 'in/{{ ds }}.ndjson'}", TO, TYPED),
        ("from: {path: in/*.csv, columns: {a: bigint}}", TO, "select: {id: a}"),
        ("from: {path: 's3://lake/in/*.parquet'}", "to: {path: 'gs://lake/out/'}"),
        ("from: {connection: lake, path: in/a.csv}", "to: {connection: lake, path: out/}", TYPED),
        ("from: {path: in/}", TO),  # what is in the folder is known later
    ],
)
def test_what_an_engine_can_do_names_its_connection(
    lines: tuple[str, ...], project: Callable[..., Path]
) -> None:
    assert _compiled(project, *lines).engine == "cluster"


@pytest.mark.parametrize(
    ("lines", "line", "said"),
    [
        (("from: {connection: pg, table: t}", TO), 6, "these rows come from a connection"),
        (("from: {path: 'https://a.example/b.parquet'}", TO), 6, "can be read only once"),
        (("from: {path: a.parquet}", "to: {connection: pg, table: t}"), 7, "these rows go to a connection"),
        (("from: {path: a.parquet}", "to: {path: b.parquet}"), 7, "'b.parquet' is one file"),
        (("from: {path: a.parquet}", "to: {path: b.csv, mode: merge, key: id}"), 7, "'b.csv' is one file"),
        (("from: {path: a.parquet}", "to: {path: 's3://lake/o.csv'}"), 7, "'s3://lake/o.csv' is one file"),
        (("from: {path: a.parquet}", "to: {connection: lake, path: o.csv}"), 7, "'o.csv' is one file"),
        (
            ("from: {path: a.parquet}", "to: {path: o/, mode: append}", "incremental: {cursor: id}"),
            8,
            "`incremental` does not",
        ),
        (
            ("from: {path: a.parquet}", TO, "partition: {by: id, parts: 2}"),
            8,
            "`partition` does not go with `engine`",
        ),
        (("from: {path: a.xlsx}", TO, TYPED), 6, "an Excel file is read whole"),
        (("from: {path: a.csv}", TO), 5, "each column of a csv file needs a type"),
        (("from: {path: a.json.zst}", TO, "select: [id]"), 8, "json file needs a type in `select`: 'id'"),
        (("from: {path: data, format: csv}", TO, "select: [id]"), 8, "csv file needs a type"),
    ],
)
def test_what_an_engine_cannot_do_is_told_where_it_stands(
    lines: tuple[str, ...], line: int, said: str, project: Callable[..., Path]
) -> None:
    with pytest.raises(SpecError) as caught:
        _compiled(project, *lines)
    [problem] = caught.value.problems
    assert said in problem.message
    assert (problem.line, problem.hint is not None) == (line, True)


def test_an_engine_is_a_connection_that_has_machines(project: Callable[..., Path]) -> None:
    text = "pipeline: p\ntasks:\n  a:\n    copy: {engine: pg, from: {path: a.parquet}, to: {path: b/}}\n"
    root = project({"windlass.yaml": PROJECT, "pipelines/p.yaml": text})
    with pytest.raises(
        SpecError, match=r"connection 'pg' is of type postgres, which does not spread(.|\n)*fit: spark"
    ):
        compile_project(load_project(root))
