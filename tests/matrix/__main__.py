"""Runs the examples in every way that one machine can, and compares what came of it: `python -m tests.matrix [PIPELINE…]`.

Prints a table in Markdown: a row a pipeline, a column a way, each cell the rows and files that are the same as those of the
first column, or what is otherwise. Needs a container engine with BuildKit; WINDLASS_TEST_MONGODB for the documents.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from windlass.cli.echo import echo

ROOT = Path(__file__).parents[2]
WINDLASS = str(Path(sys.executable).with_name("windlass"))
NOW = datetime.now(UTC)
TICK = (NOW - timedelta(days=2)).replace(day=2, hour=6, minute=0, second=0).strftime("%Y-%m-%dT%H:%M:%SZ")
"""When the schedules below have fired last; the date of a run is the tick before."""

WAYS: Mapping[str, tuple[str, ...]] = {
    "processes": ("--runtime", "process", "--fired-at", TICK),
    "containers": ("--runtime", "docker", "--fired-at", TICK),
    "Kubernetes, as text": ("--as", "kubernetes", "--fired-at", TICK),
    "Argo, as text": ("--as", "argo", "--fired-at", TICK),
}


@dataclass(frozen=True)
class Row:
    """A pipeline, and where to look for what came of it."""

    project: str
    pipeline: str
    tables: tuple[tuple[str, str], ...] = ()
    files: tuple[str, ...] = ()


ROWS = (
    Row("pg2pg", "pg2pg", tables=(("pg_y", "tb_trx_dest"),)),
    Row(
        "taxi",
        "taxi_csv",
        tables=(("warehouse", "yellow_trips"),),
        files=("downloads/yellow_tripdata_2021-01.csv",),
    ),
    Row("taxi", "taxi", tables=(("warehouse", "yellow_taxi_trips"),)),
    Row("ensembl", "etl1", tables=(("ensembl-transformed", "ensembl"),)),
    Row("ensembl", "etl1_parallel", tables=(("ensembl-transformed", "ensembl"),)),
    Row("dashboard", "project_tasks", tables=(("warehouse", "project_tasks"),)),
    Row("dashboard", "yield_curve", tables=(("warehouse", "yield_curve"),)),
    Row("drugs", "import_dv", files=("imported_data/drugs.parquet", "imported_data/pubmed_csv.parquet")),
)


def main() -> int:
    """Print the table. Returns 1 where a way differs from the first."""
    with tempfile.TemporaryDirectory(prefix="windlass-matrix-") as folder:
        chosen = [row for row in ROWS if row.pipeline in sys.argv[1:] or not sys.argv[1:]]
        rows = [[f"{row.project}: `{row.pipeline}`", *_cells(row, Path(folder))] for row in chosen]
    header = ["pipeline", *WAYS]
    for line in (header, ["---"] * len(header), *rows):
        echo(f"| {' | '.join(line)} |")
    return int(any(cell.startswith(("differs", "failed")) for row in rows for cell in row))


def _cells(row: Row, folder: Path) -> list[str]:
    first: str | None = None
    cells = []
    for number, way in enumerate(WAYS):
        root = _copied(row, folder / f"{row.project}-{row.pipeline}-{number}")
        echo(f"{row.project}: {row.pipeline}, {way}", err=True)
        found = _came_of(row, root, way)
        first = found if first is None else first
        cells.append(
            found
            if number == 0 or found.startswith("failed")
            else "the same"
            if found == first
            else f"differs: {found}"
        )
        shutil.rmtree(root, ignore_errors=True)
    return cells


def _copied(row: Row, root: Path) -> Path:
    """A copy of the project, in which what windlass does itself has an image, too."""
    shutil.copytree(
        ROOT / "examples" / row.project, root, ignore=shutil.ignore_patterns(".windlass", "__pycache__")
    )
    file = root / "windlass.yaml"
    said = re.sub(r"^images:.*\n", "", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    file.write_text(
        f"{said}images: {{project: {{files: [config]}}}}\n"
        if (root / "config").is_dir()
        else f"{said}images: {{project: {{}}}}\n",
        encoding="utf-8",
    )
    return root


def _came_of(row: Row, root: Path, way: str) -> str:
    environment = {**os.environ, **_servers(root)}
    if way != "processes":
        _windlass(root, environment, "build")
    options = [*WAYS[way], "--workspace", str(root)]
    done = _windlass(root, environment, "run", row.pipeline, *options)
    if done.returncode:
        echo(done.stdout[-3000:] + done.stderr[-3000:], err=True)
        return f"failed: {done.returncode}"
    tables = [_rows(root, environment, f"{connection}:{table}") for connection, table in row.tables]
    return ", ".join([*tables, *(_file(root, environment, name) for name in row.files)])


def _servers(root: Path) -> dict[str, str]:
    """A database of its own on the server of documents; everything else is a dev service of the copy."""
    mongodb = os.environ.get("WINDLASS_TEST_MONGODB")
    if not mongodb:
        return {}
    server, _, options = mongodb.partition("?")
    name = re.sub(r"[^a-z0-9]+", "_", root.name)
    return {
        "WINDLASS_CONN_ENSEMBL_TRANSFORMED": f"{server.rstrip('/')}/{name}{'?' + options if options else ''}"
    }


def _windlass(
    root: Path, environment: Mapping[str, str], *arguments: str
) -> subprocess.CompletedProcess[str]:
    command = [WINDLASS, "-C", str(root), *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, env=environment, timeout=900)


def _rows(root: Path, environment: Mapping[str, str], source: str) -> str:
    """How many rows, and what is in them, in any order."""
    done = _windlass(root, environment, "query", source, "--format", "csv")
    done.check_returncode()
    header, *rows = csv.reader(io.StringIO(done.stdout))
    text = json.dumps([header, sorted(rows)])
    return f"{len(rows):,} rows, {_digest(text.encode())}"


def _file(root: Path, environment: Mapping[str, str], name: str) -> str:
    """The rows of a Parquet file, in whose bytes stand the versions of what wrote it; every byte of another."""
    path = root / name
    if not path.exists():
        return f"no {name}"
    if path.suffix == ".parquet":
        return _rows(root, environment, str(path))
    return f"{path.stat().st_size:,} bytes, {_digest(path.read_bytes())}"


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:8]


if __name__ == "__main__":
    sys.exit(main())
