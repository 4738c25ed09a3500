"""Runs the examples in every way that there is, and compares what came of it: `python -m tests.matrix [--on WAY]… [PIPELINE…]`.

Prints a table in Markdown: a row a pipeline, a column a way, each cell the rows and files that are the same as those of the
first column, or what is otherwise. Needs a container engine with BuildKit; WINDLASS_TEST_MONGODB for the documents;
for Kubernetes and Argo what `make cluster` needs.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from tests.matrix.by_cron import by_cron
from tests.matrix.here import as_text, by_runtime
from tests.matrix.on_airflow import on_airflow
from tests.matrix.on_cluster import on_argo, on_kubernetes
from tests.matrix.on_compose import on_compose
from tests.matrix.place import RunFailedError, a_place
from tests.matrix.rows import ROWS, Row
from tests.matrix.way import Column, NotHereError, Way
from windlass.cli.echo import echo

FIRST = "process"
COLUMNS: Mapping[str, Column] = {
    FIRST: Column("processes", partial(by_runtime, "process")),
    "docker": Column("containers", partial(by_runtime, "docker")),
    "kubernetes-text": Column("Kubernetes, as text", partial(as_text, "kubernetes")),
    "argo-text": Column("Argo, as text", partial(as_text, "argo")),
    "kubernetes": Column("Kubernetes", on_kubernetes),
    "argo": Column("Argo", on_argo),
    "airflow": Column("Airflow, processes", partial(on_airflow, "process")),
    "airflow-docker": Column("Airflow, containers", partial(on_airflow, "docker")),
    "airflow-celery": Column(
        "Airflow, Celery", partial(on_airflow, "process", "--executor", "celery", "--workers", "1")
    ),
    "airflow-kubernetes": Column("Airflow, pods", partial(on_airflow, "kubernetes")),
    "compose": Column("Compose", on_compose),
    "cron": Column("cron", by_cron),
}


def main() -> int:
    """Print the table. Returns 1 where a way differs from the first."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.matrix", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("pipelines", nargs="*", metavar="PIPELINE", help="only these")
    parser.add_argument("--on", action="append", choices=COLUMNS, metavar="WAY", help=", ".join(COLUMNS))
    given = parser.parse_args()
    rows = [row for row in ROWS if row.pipeline in given.pipelines or not given.pipelines]
    names = list(dict.fromkeys((FIRST, *(given.on or COLUMNS))))
    columns = [_column(name, rows) for name in names]
    table = [[row.title, *cells] for row, *cells in zip(rows, *_compared(columns), strict=True)]
    header = ["pipeline", *(COLUMNS[name].title for name in names)]
    for line in (header, ["---"] * len(header), *table):
        echo(f"| {' | '.join(line)} |")
    return int(any(cell.startswith(("differs", "failed")) for line in table for cell in line))


def _column(name: str, rows: Sequence[Row]) -> list[str]:
    """What came of each pipeline in one way."""
    with ExitStack() as stack, tempfile.TemporaryDirectory(prefix="windlass-matrix-") as folder:
        try:
            way = stack.enter_context(COLUMNS[name].opened())
        except NotHereError as exc:
            return [f"not run: {exc}"] * len(rows)
        return [_cell(row, way, name, Path(folder)) for row in rows]


def _cell(row: Row, way: Way, name: str, folder: Path) -> str:
    with a_place(
        row.project, row.pipeline, row.away, folder / f"{row.project}-{row.pipeline}-{name}"
    ) as place:
        try:
            way(place)
            found = row.came_of(place)
        except (RunFailedError, AssertionError) as exc:
            echo(str(exc), err=True)
            found = "failed"
    echo(f"{row.title}, {COLUMNS[name].title}: {found}", err=True)
    return found


def _compared(columns: Sequence[Sequence[str]]) -> list[list[str]]:
    """The columns, in which what is the same as in the first one says so."""
    first, *others = columns
    return [[*first], *([_against(*pair) for pair in zip(first, other, strict=True)] for other in others)]


def _against(first: str, found: str) -> str:
    if found == first:
        return "the same"
    return found if found.startswith(("failed", "not run")) else f"differs: {found}"


if __name__ == "__main__":
    sys.exit(main())
