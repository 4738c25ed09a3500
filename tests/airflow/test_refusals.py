"""Whatever `windlass validate` takes, Airflow takes: odd pipelines, each refused by the former or a DAG in the latter."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from tests.airflow.test_versions import asked
from tests.conftest import missing
from tests.targets.exported import export_to_airflow
from windlass.errors import SpecError
from windlass.plan.compiler import Scope, compile
from windlass.spec import load_project

TASK = "tasks: {a: {run: {command: [echo]}}}"
SERVICE = "s: {service: {command: [echo]}}"
SCHEDULES = ("0 0 30 2 *", "0 0 1 1 * *", "0 0 L * *", "0 0 * * 1#2", "0 0 15W * *", "0 0 ? * *", "R R * * *", "H H * * *",
             "0 0 * jan mon-fri", "*/100 * * * *", "61 * * * *", "0 0 * * 5-1", "@continuous", "@quarterly", "@annually", "@once")  # fmt: skip
ZONES = ("Etc/GMT+5", "Zulu", "localtime", "Factory", "EST5EDT")
STARTS = ("0001-01-02", "1700-01-01", "9999-12-31")
ASSETS = ("airflow://x", " a ", "é", "postgres://h/db/s/t", "postgres://x", "s3://b/k", "file:///x", "http://[bad", "://", "a:b",
          "x" * 1500, "x" * 1501, "gs://", "mysql://h/x", "//x", "\t", "a\nb", "AIRFLOW:x")  # fmt: skip
OTHERS = (
    f"tags: ['{'x' * 100}']\n{TASK}",
    f"tags: ['{'x' * 101}']\n{TASK}",
    f"tags: [a, a, 'a,b', ' ', 'é']\n{TASK}",
    f"description: 'ends in .md'\n{TASK}",
    f"params: {{a: null, dag_run: 2, params: 3, conf: 4, b: 123456789012345678901234567890}}\n{TASK}",
    "tasks: {a: {retries: 100, retry_delay: 3000d, timeout: 3650d, run: {command: [echo]}}}",
    "tasks: {a: {group: x.y, run: {command: [echo]}}, b: {group: x, run: {command: [echo]}}}",
    "tasks: {a: {group: x, run: {command: [echo]}}, x--a: {run: {command: [echo]}}}",
    "tasks: {a: {trigger_rule: one_failed, run: {command: [echo]}}}",
    f"tasks: {{{SERVICE}}}",
    f"tasks: {{{SERVICE}, a: {{uses: s, trigger_rule: all_done, run: {{command: [echo]}}}}}}",
    f"tasks: {{{SERVICE}, s2: {{uses: s, service: {{command: [echo]}}}}, a: {{uses: s2, run: {{command: [echo]}}}}}}",
    f"tasks: {{{SERVICE}, s--start: {{uses: s, run: {{command: [echo]}}}}, s-stop: {{uses: s, run: {{command: [echo]}}}}}}",
    f"tasks: {{z: {{run: {{command: [echo]}}}}, {SERVICE}, a: {{needs: z, uses: s, run: {{command: [echo]}}}}}}",
)


def test_what_is_valid_is_a_dag(project: Callable[..., Path], tmp_path: Path) -> None:
    if find_spec("airflow") is None:
        missing("Airflow")
    texts = [
        *(f"schedule: '{schedule}'\n{TASK}" for schedule in SCHEDULES),
        *(f"schedule: '@daily'\ntimezone: {zone}\n{TASK}" for zone in ZONES),
        *(f"schedule: '@daily'\nstart: {start}\n{TASK}" for start in STARTS),
        *(f"schedule: '@daily'\ncatchup: true\nstart: {start}\n{TASK}" for start in STARTS),
        *(f"tasks: {{a: {{outlets: [{json.dumps(name)}], run: {{command: [echo]}}}}}}" for name in ASSETS),
        *OTHERS,
    ]
    valid = {f"p{i}": text for i, text in enumerate(texts) if is_valid(project, f"p{i}", text)}
    assert len(texts) > len(valid) > len(texts) // 2
    root = project(
        {f"pipelines/{name}.yaml": f"pipeline: {name}\n{text}\n" for name, text in valid.items()}, "all"
    )
    export_to_airflow(root, root / "out")
    done = asked(
        Path(sys.executable), tmp_path, "-m", "tests.airflow.inside", "describe", root / "out" / "dags"
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.rpartition("\n")[2])
    assert found["errors"] == {}
    refused = {name: valid[name] for name, dag in found["dags"].items() if "cannot_be_a_dag" in dag["tasks"]}
    assert (refused, {*found["dags"]}) == ({}, {*valid})


def is_valid(project: Callable[..., Path], name: str, text: str) -> bool:
    files = load_project(project({f"pipelines/{name}.yaml": f"pipeline: {name}\n{text}\n"}, name))
    try:
        compile(files.pipeline(name), {}, Scope.of(files))
    except SpecError:
        return False
    return True
