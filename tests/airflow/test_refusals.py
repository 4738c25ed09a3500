"""Whatever `windlass validate` takes, Airflow takes: odd pipelines, each refused by the former or a DAG in the latter.

Some are written down, for what Airflow is known to refuse, and many are made of odd values in every key that there is.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable, Mapping, Sequence
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
    "tasks: {a: {group: x.y, run: {command: [echo]}}, x__y: {run: {command: [echo]}}}",
    "tasks: {a: {group: x.y, run: {command: [echo]}}, b: {group: x__y, run: {command: [echo]}}}",
    "tasks: {a: {group: x._y, run: {command: [echo]}}, b: {group: x_.y, run: {command: [echo]}}}",
    "tasks: {a: {trigger_rule: one_failed, run: {command: [echo]}}}",
    f"tasks: {{{SERVICE}}}",
    f"tasks: {{{SERVICE}, a: {{uses: s, trigger_rule: all_done, run: {{command: [echo]}}}}}}",
    f"tasks: {{{SERVICE}, s2: {{uses: s, service: {{command: [echo]}}}}, a: {{uses: s2, run: {{command: [echo]}}}}}}",
    f"tasks: {{{SERVICE}, s--start: {{uses: s, run: {{command: [echo]}}}}, s-stop: {{uses: s, run: {{command: [echo]}}}}}}",
    f"tasks: {{z: {{run: {{command: [echo]}}}}, {SERVICE}, a: {{needs: z, uses: s, run: {{command: [echo]}}}}}}",
)


OF_THE_PROJECT = {
    "windlass.yaml": f"project: odd\nconnections: {{hook: {{type: slack}}}}\npools: {{a: 1, {'x' * 100}: {2**31 - 1}}}\n",
    "pipelines/other.yaml": "pipeline: other\nparams: {a: null}\ntasks: {a: {run: {command: [echo]}}}\n",
}
NAMES = ("a", "A", "_", "a-b", "a--b", "s--start", "s--stop", "load__raw", "load", "dag", "None", "x" * 100, "x" * 101, "1a", "é",
         "a b", "a.b", "", "a\n", "x\u0301")  # fmt: skip
GOOD_NAMES = NAMES[:12]
GROUPS = ("load", "load.raw", "load__raw", "load._raw", "load_.raw", "a.a", "x" * 100, "x" * 201, ".".join(["x" * 60] * 4),
          ".".join("abcdefgh"), "a..b", "a--b", "load.load__raw", "A", "Load.raw", "")  # fmt: skip
TEXTS = ("", " ", "x", "é", "{{ ds }}", "{% if %}", "{#", "x.md", "/etc/passwd", "a\nb", "\x85", "x" * 3000, "☃", "<b>", "None",
         "{{ macros.x }}", "[1]", "true", "\ud83d\ude00", "a\r\nb", "%s", "{}")  # fmt: skip
VALUES = (None, True, 0, -1, 2**31, 2**63, 10**30, 1.5, 1e308, "", *TEXTS, [1], {"a": 1})
NUMBERS = (0, 1, 100, 101, -1, 2**31, 2**63, 1.5, True, "1", None)
DURATIONS = ("0s", "1ms", "3650d", "3651d", "1s", "0.0001ms", "1d1h1m1s1ms", "", "1", 1, -1)
BACKOFFS = (1, 10, 1.5, 0.99, 10.01, 2, "x")
MOMENTS = (*STARTS, "2021-10-02", "2021-10-02T03:04:05+14:00", "2021-10-02T03:04:05.123456Z", "1969-12-31T23:59:59Z",
           "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00", "2038-01-20", "2021-13-01", "now")  # fmt: skip
RULES = (
    "all_success",
    "all_failed",
    "all_done",
    "one_success",
    "one_failed",
    "none_failed",
    "always",
    "none_skipped",
)
MADE = 600


def made(chance: random.Random, name: str) -> dict[str, object]:
    """A pipeline of a few odd values: so few that there is a chance that it makes sense."""

    def some(keys: Mapping[str, Callable[[], object]]) -> dict[str, object]:
        return {key: keys[key]() for key in chance.sample(sorted(keys), chance.randint(0, 2))}

    def of(values: Sequence[object]) -> Callable[[], object]:
        return lambda: chance.choice(values)

    def many(values: Sequence[object]) -> Callable[[], object]:
        return lambda: chance.sample(values, min(len(values), chance.randint(1, 3)))

    retrying = {
        "retries": of(NUMBERS),
        "retry_delay": of(DURATIONS),
        "backoff": of(BACKOFFS),
        "timeout": of(DURATIONS),
    }
    tasks: dict[str, object] = {}
    for _ in range(chance.randint(1, 4)):
        named = many([*tasks, *NAMES[:1]])
        own = {**retrying, "description": of(TEXTS), "pool": of(NAMES), "trigger_rule": of(RULES), "needs": named,
               "inlets": many((*ASSETS, *TEXTS)), "outlets": many((*ASSETS, *TEXTS))}  # fmt: skip
        task = {**some(own), **({"group": chance.choice(GROUPS)} if chance.random() < 0.5 else {})}
        trigger = {
            "pipeline": "other",
            **some({"wait": of((True, False)), "params": lambda: {"a": chance.choice(VALUES)}}),
        }
        kinds = ({"run": {"command": ["echo"]}}, {"service": {"command": ["echo"]}}, {"trigger": trigger})
        tasks[chance.choice(NAMES if chance.random() < 0.1 else GOOD_NAMES)] = {
            **task,
            **chance.choice(kinds),
        }
    return {
        "pipeline": name,
        **some(
            {
                "description": of(TEXTS),
                "tags": many((*TEXTS, *NAMES, "x" * 100)),
                "schedule": of((*SCHEDULES, "@daily", "0 6 * * *", "none", "")),
                "timezone": of((*ZONES, "Europe/Paris", "UTC", "Europe/Nowhere", "", "../etc/localtime")),
                "start": of(MOMENTS),
                "catchup": of((True, False)),
                "concurrency": of(("allow", "forbid", 1)),
                "params": lambda: {chance.choice(NAMES): chance.choice(VALUES) for _ in range(2)},
                "defaults": lambda: some({**retrying, "pool": of(NAMES)}),
                "on_failure": of(("hook", "nobody", "é")),
            }
        ),
        "tasks": tasks,
    }


def written(number: int) -> str:
    return json.dumps(made(random.Random(number), f"made{number}"), ensure_ascii=True)


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
    known = {f"p{i}": f"pipeline: p{i}\n{text}" for i, text in enumerate(texts)}
    valid = {name: text for name, text in known.items() if is_valid(project, name, text)}
    assert len(texts) > len(valid) > len(texts) // 2
    many = {f"made{number}": written(number) for number in range(MADE)}
    sound = {name: text for name, text in many.items() if is_valid(project, name, text)}
    assert MADE > len(sound) > MADE // 10
    valid |= sound
    files = {f"pipelines/{name}.yaml": text for name, text in valid.items()}
    root = project({**OF_THE_PROJECT, **files}, "all")
    export_to_airflow(root, root / "out")
    done = asked(
        Path(sys.executable), tmp_path, "-m", "tests.airflow.inside", "describe", root / "out" / "dags"
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.rpartition("\n")[2])
    assert found["errors"] == {}
    refused = {name: valid[name] for name, dag in found["dags"].items() if "cannot_be_a_dag" in dag["tasks"]}
    assert (refused, {*found["dags"]}) == ({}, {*valid, "other"})


def is_valid(project: Callable[..., Path], name: str, text: str) -> bool:
    files = load_project(project({**OF_THE_PROJECT, f"pipelines/{name}.yaml": text}, name))
    try:
        compile(files.pipeline(name), {}, Scope.of(files))
    except SpecError:
        return False
    return True
