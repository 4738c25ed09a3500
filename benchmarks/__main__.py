"""`python -m benchmarks`: makes the data, runs everybody in turn, prints a table and draws a chart.

Every run is a whole process, start included. The contenders of a case run one after the other, round by
round, so that a machine that changes its speed changes it for all; the table shows medians, and ratios to
the limit. Times compare within one run of this program only.

`python -m benchmarks airflow` measures how long Airflow takes to read many pipelines instead, `python -m benchmarks
containers` what a step in a container costs over `docker run`, `python -m benchmarks runs` what `windlass run` costs by itself,
`python -m benchmarks scale` whether time and memory follow the size of the data, and `python -m benchmarks tested` what
`windlass test` takes for a hundred cases on Postgres.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks import airflow_parse, containers, runs, scale, tested
from benchmarks.api import serving
from benchmarks.cases import Case, Contender, all_cases
from benchmarks.chart import draw
from benchmarks.data import make
from benchmarks.elsewhere import running_elsewhere
from benchmarks.mariadb import running_mariadb
from benchmarks.measure import Result, measure
from benchmarks.servers import running
from benchmarks.table import table

HERE = Path(__file__).parent
OTHERS: dict[str, Callable[[list[str]], int]] = {
    "airflow": airflow_parse.main,
    "containers": containers.main,
    "runs": runs.main,
    "scale": scale.main,
    "tested": tested.main,
}
"""What is measured by a program of its own."""


def main() -> int:
    """Measure. Returns the exit code: nonzero when somebody failed to copy all rows."""
    # or each process compiles what an installation has compiled once
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    if sys.argv[1:2] and (other := OTHERS.get(sys.argv[1])):
        return other(sys.argv[2:])
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--rounds", type=int, default=5, help="how often each is measured; the slow ones fewer times"
    )
    parser.add_argument(
        "--scale", type=float, default=1.0, help="the size of the data: 1 is 5 million narrow rows"
    )
    parser.add_argument("--only", default="", help="only the cases whose names contain this")
    parser.add_argument("--without-peers", action="store_true", help="only the limit and windlass")
    parser.add_argument("--chart", type=Path, default=HERE.parent / "docs" / "images" / "benchmarks.svg")
    options = parser.parse_args()
    results: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="windlass-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        orders = round(1_000_000 * options.scale)
        rows = round(2_000_000 * options.scale)
        with (
            running(folder / "server") as server,
            running_mariadb(folder / "mariadb", rows) as mariadb,
            serving(orders) as api,
            running_elsewhere(round(200_000 * options.scale)) as elsewhere,
        ):
            _say("making the data")
            data = make(server, folder, options.scale, api, orders, mariadb, elsewhere)
            for case in all_cases(data, folder):
                if options.only in case.name:
                    contenders = _without_peers(case) if options.without_peers else case.contenders
                    results += measure(case, contenders, options.rounds, before=data.reset, say=_say)
    sys.stdout.write(f"\n{table(results)}\n{_machine(options.scale, options.rounds)}\n")
    if not options.only and not options.without_peers:
        _write(options.chart, results)
    return 1 if any(result.failed for result in results) else 0


def _without_peers(case: Case) -> list[Contender]:
    return [each for i, each in enumerate(case.contenders) if i == 0 or each.name.startswith("windlass")]


def _write(chart: Path, results: list[Result]) -> None:
    chart.parent.mkdir(parents=True, exist_ok=True)
    chart.write_text(draw(results), encoding="utf-8")
    document = [result.as_json() for result in results]
    (HERE / "results").mkdir(exist_ok=True)
    (HERE / "results" / "latest.json").write_text(json.dumps(document, indent=1), encoding="utf-8")
    _say(f"chart: {chart}")


def _machine(scale: float, rounds: int) -> str:
    from windlass import __version__

    cores = os.cpu_count()
    return f"windlass {__version__}, Python {platform.python_version()}, {cores} cores, scale {scale:g}, {rounds} rounds"


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
