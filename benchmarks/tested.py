"""`python -m benchmarks tested`: what `windlass test` takes for a hundred cases on Postgres.

Once with cases of one task, a copy from an API that is checked by a JSON Schema and writes into a table that has rows; once with
those of `examples/dashboard` that write into Postgres, over and over, which have 2.6 tasks on average. Processor time is that of all
processes together, Postgres with them: on a busy machine it says more than the seconds.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

__all__ = ["main"]

_DASHBOARD = Path(__file__).parent.parent / "examples" / "dashboard"
_OF_POSTGRES = ("product_feed.yaml", "project_tasks.yaml", "t_bills.yaml", "yield_curve.yaml")
# man 2 prctl: who has lost their parent are our children, and their time is ours
_PR_SET_CHILD_SUBREAPER = 36

_PROJECT = """\
project: bench
connections:
  shop: {type: http, auth: {type: bearer}}
  warehouse: {type: postgres}
  slack: {type: slack}
"""
_PIPELINE = """\
pipeline: orders
on_failure: slack
tasks:
  load:
    copy:
      from: {connection: shop, path: /orders, records: orders, fields: {id: id, city: customer.city, total: total}}
      select: {id: {type: bigint}, city: {type: text}, total: {type: "numeric(10,2)"}}
      validate: {json_schema: order.json}
      to: {connection: warehouse, table: orders, mode: merge, key: id}
"""
_SCHEMA = '{"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}}}'
_CASE = """\
- test: order NUMBER is added
  run: {pipeline: orders, logical_date: 2026-01-01}
  given:
    apis: {shop: [{response: {json: {orders: [{id: NUMBER, customer: {city: Lyon}, total: 1.50}]}}}]}
    tables: {warehouse.orders: {columns: {id: bigint, city: text, total: "numeric(10,2)"}, rows: [{id: 0, city: Paris, total: 2}]}}
  expect:
    tables: {warehouse.orders: [{id: 0, city: Paris, total: 2}, {id: NUMBER, city: Lyon, total: 1.5}]}
    alerts: []
"""


def main(arguments: list[str]) -> int:
    """Measure. Returns the exit code: nonzero when a case failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=100)
    count = parser.parse_args(arguments).cases
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    sys.stdout.write(f"{'':34} {'seconds':>8} {'processor s':>12}\n")
    with tempfile.TemporaryDirectory(prefix="windlass-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        projects = {
            "cases of one task": _small(folder / "small", count),
            "cases of examples/dashboard": _dashboard(folder / "dashboard", count),
        }
        for what, project in projects.items():
            seconds, processor = _measured(project)
            sys.stdout.write(f"{f'{count} {what}':34} {seconds:8.1f} {processor:12.1f}\n")
            sys.stdout.flush()
    return 0


def _small(project: Path, count: int) -> Path:
    cases = "".join(_CASE.replace("NUMBER", str(number + 1)) for number in range(count))
    files = {
        "windlass.yaml": _PROJECT,
        "order.json": _SCHEMA,
        "pipelines/orders.yaml": _PIPELINE,
        "tests/orders.yaml": cases,
    }
    for path, text in files.items():
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        (project / path).write_text(text, encoding="utf-8")
    return project


def _dashboard(project: Path, count: int) -> Path:
    shutil.copytree(_DASHBOARD, project, ignore=shutil.ignore_patterns(".windlass", "node_modules"))
    cases = [
        case
        for name in _OF_POSTGRES
        for case in re.split(r"(?m)^(?=- )", (project / "tests" / name).read_text(encoding="utf-8"))[1:]
    ]
    shutil.rmtree(project / "tests")
    (project / "tests").mkdir()
    chosen = (cases * (count // len(cases) + 1))[:count]
    (project / "tests" / "all.yaml").write_text("".join(chosen), encoding="utf-8")
    return project


def _measured(project: Path) -> tuple[float, float]:
    """Seconds, and seconds of processor time. Raises CalledProcessError where a case fails."""
    command = [str(Path(sys.executable).parent / "windlass"), "-C", str(project), "test"]
    before, began = _used(), time.monotonic()
    subprocess.run(command, stdout=subprocess.PIPE, check=True)
    seconds = time.monotonic() - began
    with suppress(ChildProcessError):
        while True:
            os.wait()  # the server ends a little later
    return seconds, _used() - before


def _used() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
