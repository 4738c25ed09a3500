"""`python -m benchmarks airflow`: how long Airflow takes to read many pipelines, beside dag-factory.

Every contender has the same pipelines: a schedule, parameters, five commands in a row, each with retries and
a timeout. A round is a new process each, one contender after the other; what counts is the time from the
first line of the DAG file to its last, with Airflow and its operators imported beforehand.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import yaml

from windlass.targets.airflow.target import LOADER, TARGET
from windlass.targets.exporting import export

__all__ = ["main"]

_STEPS = ("fetch", "load", "clean", "check", "publish")
_PARSE = Path(__file__).parent / "peers" / "parse_dags.py"


def main(arguments: Sequence[str]) -> int:
    """Measure, and print a table of medians. Returns the exit code: nonzero when somebody lost a task."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks airflow",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pipelines", type=int, default=1000)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="windlass-bench-") as name:
        folder = Path(name)
        files = {
            "windlass": _windlass(folder / "windlass", options.pipelines),
            "dag-factory": _dag_factory(folder / "dag-factory", options.pipelines),
            "plain Python": _plain(folder / "plain", options.pipelines),
        }
        seconds: dict[str, list[float]] = {name: [] for name in files}
        for number in range(options.rounds + 1):
            for name, file in files.items():
                took, tasks = _parse(file, folder)
                if tasks != options.pipelines * len(_STEPS):
                    sys.stderr.write(f"{name}: {tasks} tasks\n")
                    return 1
                if number > 0:  # the first round writes bytecode
                    seconds[name].append(took)
            sys.stderr.write(f"round {number} of {options.rounds}\n")
    sys.stdout.write(f"\n{_table(seconds, options.pipelines)}\n")
    return 0


def _parse(file: Path, home: Path) -> tuple[float, int]:
    """Seconds to read the DAG file, and how many tasks were in it."""
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("AIRFLOW")},
        "AIRFLOW_HOME": str(home / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(file.parent),
        "PYTHONWARNINGS": "ignore",
    }
    done = subprocess.run(
        [sys.executable, str(_PARSE), str(file)], env=environment, capture_output=True, text=True, check=True
    )
    seconds, _, tasks = done.stdout.splitlines()[-1].split()
    return float(seconds), int(tasks)


def _table(seconds: dict[str, list[float]], pipelines: int) -> str:
    lines = [f"{pipelines} pipelines of {len(_STEPS)} tasks", "who           median s  min-max     ms a task"]
    for name, values in seconds.items():
        median = statistics.median(values)
        spread = f"{min(values):.2f}-{max(values):.2f}"
        each = median / (pipelines * len(_STEPS)) * 1000
        lines.append(f"{name:12}  {median:8.2f}  {spread:10}  {each:9.2f}")
    return "\n".join(lines)


# --- the pipelines, as each wants them -----------------------------------------------------------


def _command(pipeline: int, step: str) -> list[str]:
    return ["echo", step, f"p{pipeline}"]


def _windlass(folder: Path, pipelines: int) -> Path:
    (folder / "pipelines").mkdir(parents=True)
    (folder / "windlass.yaml").write_text("project: bench\n")
    for number in range(pipelines):
        tasks = {
            step: {"needs": list(before), "run": {"command": _command(number, step)}}
            for step, before in zip(_STEPS, ((), *((step,) for step in _STEPS)), strict=False)
        }
        pipeline = {
            "pipeline": f"p{number}",
            "description": "A pipeline",
            "schedule": "15 4 * * *",
            "start": "2024-01-01",
            "params": {"table": "orders", "day": 5},
            "defaults": {"retries": 2, "retry_delay": "30s", "timeout": "1h"},
            "tasks": tasks,
        }
        (folder / "pipelines" / f"p{number}.yaml").write_text(yaml.safe_dump(pipeline, sort_keys=False))
    export(TARGET, folder, folder)
    return folder / LOADER


def _dag_factory(folder: Path, pipelines: int) -> Path:
    folder.mkdir()
    for number in range(pipelines):
        tasks = [
            {
                "task_id": step,
                "operator": "airflow.providers.standard.operators.bash.BashOperator",
                "bash_command": " ".join(_command(number, step)),
                "dependencies": list(before),
            }
            for step, before in zip(_STEPS, ((), *((step,) for step in _STEPS)), strict=False)
        ]
        dag = {
            "default_args": {
                "start_date": "2024-01-01",
                "retries": 2,
                "retry_delay_sec": 30,
                "execution_timeout_secs": 3600,
            },
            "description": "A pipeline",
            "schedule": "15 4 * * *",
            "catchup": False,
            "params": {"table": "orders", "day": 5},
            "tasks": tasks,
        }
        (folder / f"p{number}.yml").write_text(yaml.safe_dump({f"p{number}": dag}, sort_keys=False))
    file = folder / "dags.py"
    file.write_text(
        "from airflow.sdk import DAG\nfrom dagfactory import load_yaml_dags\n\n"
        f"load_yaml_dags(globals_dict=globals(), dags_folder={str(folder)!r})\n"
    )
    return file


_PLAIN = """\
from datetime import datetime, timedelta
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, CronDataIntervalTimetable

for number in range({pipelines}):
    with DAG(
        f"p{{number}}",
        description="A pipeline",
        schedule=CronDataIntervalTimetable("15 4 * * *", timezone="UTC"),
        start_date=datetime(2024, 1, 1),
        catchup=False,
        params={{"table": "orders", "day": 5}},
        default_args={{
            "retries": 2,
            "retry_delay": timedelta(seconds=30),
            "execution_timeout": timedelta(hours=1),
        }},
    ) as dag:
        before = None
        for step in {steps!r}:
            task = BashOperator(task_id=step, bash_command=f"echo {{step}} p{{number}}")
            if before is not None:
                before >> task
            before = task
    globals()[dag.dag_id] = dag
"""


def _plain(folder: Path, pipelines: int) -> Path:
    folder.mkdir()
    file = folder / "dags.py"
    file.write_text(_PLAIN.format(pipelines=pipelines, steps=_STEPS))
    return file
