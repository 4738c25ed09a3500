"""`python -m benchmarks scale`: whether time and memory follow the size, for one file of CSV and for many small ones, to Parquet.

By the process of the task, and with `--spark` by the machines of a cluster as well (`sc://…`, whose Python is this one). Memory is
that of all processes of `windlass run` together, at most; that of the cluster's own is not in it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import timed

__all__ = ["main"]

_TYPES = {
    "id": "bigint",
    "at": "timestamp",
    "amount": "numeric(12,2)",
    "customer": "text",
    "note": "text",
    "paid": "boolean",
}
_HEADER = ",".join(_TYPES) + "\n"
_DEADLINE = 7200.0


def main(arguments: list[str]) -> int:
    """Measure. Returns the exit code: nonzero when a copy failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gigabytes", type=float, nargs="*", default=[1, 5, 20])
    parser.add_argument("--files", type=int, nargs="*", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--spark", default="", help="the address of a cluster: sc://host:15002")
    parser.add_argument("--folder", type=Path, help="where the data are made, and removed")
    options = parser.parse_args(arguments)
    engines = ("", options.spark) if options.spark else ("",)
    sys.stdout.write(f"{'':20} {'engine':8} {'seconds':>9} {'MB of memory':>13} {'MB/s':>7}\n")
    failed = False
    with tempfile.TemporaryDirectory(prefix="windlass-bench-", dir=options.folder) as name:
        root = Path(name)
        for what, size in _inputs(root, options.gigabytes, options.files):
            for engine in engines:
                failed |= _measured(root, what, size, engine)
    return int(failed)


def _inputs(root: Path, gigabytes: list[float], files: list[int]) -> Iterator[tuple[str, int]]:
    """Make each input in turn, below `in/`; its name and bytes."""
    rows = _some_rows(root)
    for wanted in gigabytes:
        yield f"{wanted:g} GB in one file", _one_file(root / "in", rows, round(wanted * 1e9))
        shutil.rmtree(root / "in")
    for count in files:
        yield f"{count:,} files", _many_files(root / "in", rows, count)
        shutil.rmtree(root / "in")


def _some_rows(root: Path) -> Path:
    """About 90 MB of rows without a header, some with a line end within quotes."""
    import duckdb

    rows = root / "rows.csv"
    note = (
        "CASE WHEN i % 50 = 0 THEN 'a note, with \"quotes\" and' || chr(10) || 'a line' ELSE md5(i::text) END"
    )
    values = f"i, TIMESTAMP '2024-01-01' + INTERVAL (i) SECONDS, (i * 7919 % 1000000) / 100, 'customer ' || i % 5000, {note}, i % 2 = 0"
    duckdb.execute(f"COPY (SELECT {values} FROM range(1000000) r(i)) TO '{rows}' (HEADER false)")
    return rows


def _one_file(folder: Path, rows: Path, wanted: int) -> int:
    folder.mkdir()
    with (folder / "rows.csv").open("wb") as out:
        out.write(_HEADER.encode())
        while out.tell() < wanted:
            with rows.open("rb") as some:
                shutil.copyfileobj(some, out, 1 << 24)
        return out.tell()


def _many_files(folder: Path, rows: Path, count: int) -> int:
    """Files of some ten lines each, a thousand in a folder."""
    with rows.open("rb") as some:
        lines = [
            line
            for line in some.read(1 << 16).splitlines(keepends=True)
            if line.count(b",") == 5 and b'"' not in line
        ][:10]
    data = _HEADER.encode() + b"".join(lines)
    for number in range(count):
        below = folder / f"{number // 1000:04d}"
        if number % 1000 == 0:
            below.mkdir(parents=True)
        (below / f"{number}.csv").write_bytes(data)
    return count * len(data)


def _measured(root: Path, what: str, size: int, engine: str) -> bool:
    """Copy what is there, and print what that took. Returns whether it failed."""
    select = ", ".join(f"{name}: {{type: '{kind}'}}" for name, kind in _TYPES.items())
    keys = f"from: {{path: in/, format: csv}}, to: {{path: out/}}, select: {{{select}}}"
    if engine:
        keys = f"engine: cluster, {keys}"
    (root / "pipelines").mkdir(exist_ok=True)
    connection = f"connections: {{cluster: {{type: spark, python: {sys.executable}}}}}\n"
    (root / "windlass.yaml").write_text(f"project: bench\n{connection}")
    (root / "pipelines" / "p.yaml").write_text(f"pipeline: p\ntasks:\n  t: {{copy: {{{keys}}}}}\n")
    windlass = Path(sys.executable).parent / "windlass"
    os.environ["WINDLASS_CONN_CLUSTER"] = engine or "sc://nowhere.example"
    seconds, megabytes, error = timed(f"{windlass} -C {root} run p", _DEADLINE)
    shutil.rmtree(root / "out", ignore_errors=True)
    said = f"{what:20} {'spark' if engine else '-':8} {seconds:9.1f} {megabytes:13.0f} {size / 1e6 / seconds:7.1f}"
    sys.stdout.write(f"{said}{f'  failed: {error}' if error else ''}\n")
    sys.stdout.flush()
    return bool(error)
