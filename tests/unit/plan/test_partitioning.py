"""`partition` is refused where no part would be read by itself: for every pair of connectors there are."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest
from msgspec.structs import replace

from windlass import registry
from windlass.errors import SpecError
from windlass.plan.compiler import compile_project
from windlass.plan.model import Copy, Destination, Partition, Source
from windlass.plan.partitioning import why_not_in_parts
from windlass.spec import load_project

SOURCES = [each.type for each in registry.all_connectors() if each.source is not None]
DESTINATIONS = [each.type for each in registry.all_connectors() if each.destination is not None]


@pytest.mark.parametrize(("source", "destination"), list(product(SOURCES, DESTINATIONS)))
def test_a_copy_is_split_or_says_why_not(source: str, destination: str) -> None:
    what = Copy(
        source=Source(connection="a", type=source),
        destination=Destination(connection="b", type=destination),
        partition=Partition(),
    )
    refused = why_not_in_parts(what)
    assert (refused is None) is (source == destination == "postgres")
    by_column = replace(
        what,
        source=Source(connection="a", type=source, options={"table": "t"}),
        destination=Destination(connection="b", type=destination, options={"mode": "append"}),
        partition=Partition(by="id"),
    )
    is_split = why_not_in_parts(by_column) is None
    assert is_split is (source in ("mysql", "postgres") and destination == "postgres")
    assert refused is None or f"from {source} to {destination}" in refused.message


@pytest.mark.parametrize(
    ("ends", "hint"),
    [
        ("from: {path: a.parquet}\n      to: {connection: pg, table: t}", "postgres; leave it out"),
        ("from: {connection: pg, table: t}\n      to: {path: a.parquet}", "postgres; leave it out"),
        ("from: {connection: my, table: t}\n      to: {connection: pg, table: t}", "with a column in `by`"),
    ],
)
def test_it_is_told_where_it_stands(ends: str, hint: str, project: Callable[..., Path]) -> None:
    text = f"pipeline: p\ntasks:\n  a:\n    copy:\n      {ends}\n      partition: {{parts: 4}}\n"
    declared = "project: p\nconnections: {pg: {type: postgres}, my: {type: mysql}}\n"
    root = project({"windlass.yaml": declared, "pipelines/p.yaml": text})
    with pytest.raises(SpecError) as caught:
        compile_project(load_project(root))
    [problem] = caught.value.problems
    assert problem.line == 7
    assert "`partition` does not split a copy from" in problem.message
    assert hint in str(problem.hint)
