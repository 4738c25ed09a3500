"""The loader, read by a real Airflow: what becomes of a plan, and what a task does. Needs no scheduler."""

from __future__ import annotations

import base64
import json
import os
import random
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, missing
from tests.targets.exported import export_to_airflow
from tests.warm import Warm
from windlass.errors import FatalError
from windlass.plan.model import Retry
from windlass.plan.travel import pack, unpack
from windlass.spec import load_project
from windlass.targets.exporting import compiled

EVERYTHING = ROOT / "tests" / "targets"
RUNTIMES = ("process", "docker", "kubernetes")
CANARY = "s3cr3t-canary"
SCHEDULED = {
    "run_id": "scheduled__2024-05-01T02:15:00+00:00",
    "run_type": "scheduled",
    "logical_date": "2024-05-01T02:15:00+00:00",
    "start": "2024-05-01T02:15:00+00:00",
    "end": "2024-05-02T02:15:00+00:00",
    "run_after": "2024-05-02T02:15:00+00:00",
}
MANUAL = {"run_id": "manual__1", "run_type": "manual", "run_after": "2024-05-03T10:00:00+00:00"}

SHOWN_AS = {
    "fetch": "download",
    "api": "service",
    "api__stop": "service stop",
    "transform": "run",
    "load": "copy",
    "publish": "copy",
    "clean_up": "sql",
    "next": "trigger",
    "windlass__tell": "tell",
}

IMPORTED_INSIDE = (
    "airflow.dag_processing.dagbag",
    "airflow.sdk.definitions.dag",
    "airflow.serialization.serialized_objects",
    "airflow.providers.cncf.kubernetes.operators.pod",
    "airflow.providers.docker.operators.docker",
    "kubernetes.client",
)

Inside = Callable[..., Any]


@pytest.fixture(scope="session")
def warm_airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    """Starts processes that have imported Airflow already."""
    if find_spec("airflow") is None:
        missing("Airflow")
    home = str(tmp_path_factory.mktemp("airflow"))
    warm = Warm(*IMPORTED_INSIDE, env={"AIRFLOW_HOME": home, "PYTHONWARNINGS": "ignore"})
    yield warm
    warm.close()


@pytest.fixture
def inside(tmp_path: Path, warm_airflow: Warm) -> Inside:
    """Ask a real Airflow about a folder of DAGs; see tests/airflow/inside.py."""

    def ask(*arguments: str | Path, env: dict[str, str] | None = None) -> Any:
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "WINDLASS_"))}
        environment |= {"AIRFLOW_HOME": str(tmp_path / "airflow"), "PYTHONWARNINGS": "ignore", **(env or {})}
        done = warm_airflow.run(
            "tests.airflow.inside", *map(str, arguments), cwd=ROOT, env=environment, timeout=120
        )
        assert done.returncode == 0, done.stderr
        log, _, answer = done.stdout.rpartition("\n")
        found = json.loads(answer)
        return found | {"log": log} if isinstance(found, dict) else found

    return ask


@pytest.fixture
def everything(tmp_path: Path) -> Path:
    """The project with everything in it."""
    root = tmp_path / "everything"
    (root / "pipelines").mkdir(parents=True)
    shutil.copy(EVERYTHING / "windlass.yaml", root)
    for name in ("everything.yaml", "follow.yaml"):
        shutil.copy(EVERYTHING / name, root / "pipelines")
    return root


# --- what Airflow sees ------------------------------------------------------------------------------


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_every_example_becomes_dags_without_an_import_error(
    runtime: str, inside: Inside, tmp_path: Path
) -> None:
    examples = sorted(path.parent for path in (ROOT / "examples").glob("*/windlass.yaml"))
    for project in examples:
        export_to_airflow(project, tmp_path / "all" / project.name, runtime)
    found = inside("describe", tmp_path / "all")
    assert found["errors"] == {}
    assert found["windlass"] == []
    assert set(found["dags"]) == {name for root in examples for name in compiled(load_project(root)).plans}


@pytest.mark.parametrize(
    ("runtime", "prefix"), [("process", ""), ("docker", "Docker"), ("kubernetes", "Pod")]
)
def test_everything_in_a_plan_arrives(
    runtime: str, prefix: str, inside: Inside, everything: Path, tmp_path: Path
) -> None:
    export_to_airflow(everything, tmp_path / "out", runtime)
    found = inside("describe", tmp_path / "out")
    assert found["errors"] == {}
    dag, follow = found["dags"]["everything"], found["dags"]["follow"]
    tasks = dag.pop("tasks")
    assert dag == {
        "doc": "Everything at once\n\nSee the notes in notes.md\n\n`pipelines/everything.yaml`:\n\n```yaml\n"
        f"{(EVERYTHING / 'everything.yaml').read_text().rstrip()}\n```\n",
        "tags": ["nightly", "sales"],
        "timetable": "CronDataIntervalTimetable",
        "summary": "15 4 * * *",
        "zone": "Europe/Paris",
        "start": "2024-01-01 00:00:00+00:00",
        "catchup": True,
        "max_active_runs": 1,
        "limit": 4 * 3600 + 600,
        "params": {
            "table": ["orders", ["string", "null"]],
            "day": [5, ["integer", "null"]],
            "rate": [0.5, ["number", "null"]],
            "dry": [False, ["boolean", "null"]],
            "any": [None, ["null", "string", "number", "boolean"]],
        },
        "groups": {"ingest": "ingest", "ingest__raw": "raw"},
    }
    assert {name: task["needs"] for name, task in tasks.items()} == {
        "fetch": [],
        "api": [],
        "transform": ["api", "fetch"],
        "api__stop": ["api", "transform"],
        "load": ["transform"],
        "publish": ["load"],
        "clean_up": ["load"],
        "next": ["publish"],
        "windlass__tell": ["clean_up", "fetch", "load", "next", "publish", "transform"],
    }
    assert {name: task["shown"] for name, task in tasks.items()} == SHOWN_AS
    assert {task["owner"] for task in tasks.values()} == {"sales-data"}
    assert {task["owner"] for task in follow["tasks"].values()} == {"platform"}
    fetch, load, clean_up = tasks["fetch"], tasks["load"], tasks["clean_up"]
    assert fetch["operator"] == f"Windlass{prefix}Operator"
    assert (fetch["group"], fetch["doc"], fetch["outlets"]) == (
        "ingest__raw",
        "Bring the file\n",
        ["in/*.csv"],
    )
    assert (fetch["retries"], fetch["delay"], fetch["timeout"], fetch["pool"]) == (2, 30, 3600, "warehouse")
    assert (load["at_once"], fetch["at_once"]) == (1, None)
    assert (load["inlets"], load["outlets"]) == (["in/*.csv"], ["x.orders"])
    assert (clean_up["rule"], clean_up["retries"]) == ("all_done", 0)
    assert (tasks["api"]["is"], tasks["api__stop"]["is"], load["is"]) == ("setup", "teardown", "task")
    assert (tasks["next"]["operator"], tasks["next"]["waits"]) == ("WindlassTriggerOperator", False)
    assert (follow["timetable"], follow["max_active_runs"]) == ("AssetTriggeredTimetable", 16)
    if runtime != "process":
        images = (fetch["image"], tasks["transform"]["image"], tasks["api"]["image"])
        assert images == tuple(f"docker.io/acme/all{step}:latest" for step in ("", "-transform", "-api"))


TRACE = {"TRACEPARENT": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "TRACESTATE": "a=b"}
OBSERVED = {"OTEL_EXPORTER_OTLP_HEADERS": f"key={CANARY}", "OPENLINEAGE_API_KEY": CANARY, **TRACE}
"""Of a worker: what its tasks are to be seen by."""


def test_a_container_has_what_the_project_says_and_tells_its_numbers(
    inside: Inside, everything: Path, tmp_path: Path
) -> None:
    export_to_airflow(everything, tmp_path / "out", "docker")
    lines = [json.dumps(RESULT)[:20], json.dumps(RESULT)[20:] + "\n"]
    run = SCHEDULED | {"lines": lines, "code": 0}
    env = {"AIRFLOW_CONN_X": f"postgres://me:{CANARY}@db/sales"}
    done = inside("docker", tmp_path / "out", "everything", "load", json.dumps(run), env=env | OBSERVED)
    container = done["container"]
    assert done["raised"] is None
    assert done["result"]["rows_written"] == 1300
    assert container["image"] == "docker.io/acme/all:latest"
    assert container["command"] == ["windlass", "exec", "everything", "load"]
    plan = compiled(load_project(everything)).open_plans["everything"]
    assert unpack(container["environment"]["WINDLASS_PLAN"]).tasks == (plan.task("load"),)
    assert container["environment"]["WINDLASS_WORKSPACE"] == "/data"
    assert container["environment"]["WINDLASS_CONN_X"] == env["AIRFLOW_CONN_X"]
    assert OBSERVED.items() <= container["environment"].items()
    assert container["user"] == "1000:1000"
    host = container["host_config"]
    assert (host["network_mode"], host["mem_limit"]) == ("etl", 2_000_000_000)
    assert [(m["Type"], m["Source"], m["Target"], m["ReadOnly"]) for m in host["mounts"]] == [
        ("bind", "/srv/data", "/data", False),
        ("bind", "/etc/certs", "/certs", True),
    ]
    assert done["removed"] == [["of an earlier try", True], ["ended in 2020", True], ["1", True]]
    assert done["looked for"] == [f"{name}={value}" for name, value in container["labels"].items()]
    assert container["labels"] == {
        "windlass.project": "all",
        "windlass.pipeline": "everything",
        "windlass.task": "load",
        "windlass.run": SCHEDULED["run_id"],
    }
    assert host["init"] is True
    assert CANARY not in done["log"]


INGEST = """
  bring:
    run:
      image: docker.io/acme/ingest:1.4
      user: image
      network: other
      mount: /app/data
      resources: {memory: 1GB}
      env: {DB_HOST: {connection: x, part: host}, DB_PASSWORD: {connection: x, part: password}, KEY: {secret: vendor, key: api.key}, API: {connection: web}, API_HOST: {connection: web, part: host}}
      connections: [web]
"""


def declare_its_address(root: Path, connection: str) -> None:
    """Have the project's file say where a connection of the type http is."""
    file, said = root / "windlass.yaml", f"{connection}: {{type: http"
    text = file.read_text()
    assert said in text
    file.write_text(text.replace(said, f"{said}, base_url: https://api.example.org/v1"))


def test_a_container_of_an_image_has_what_its_own_task_says(
    inside: Inside, everything: Path, tmp_path: Path
) -> None:
    file = everything / "pipelines/everything.yaml"
    file.write_text(file.read_text() + INGEST.lstrip("\n"))
    declare_its_address(everything, "web")
    export_to_airflow(everything, tmp_path / "out", "docker")
    env = {"AIRFLOW_CONN_X": "postgres://me:p%40ss@db/sales", "WINDLASS_SECRET_VENDOR_API_KEY": CANARY}
    run = json.dumps(SCHEDULED | {"lines": [f"the key is {CANARY}\n"], "code": 0})
    done = inside("docker", tmp_path / "out", "everything", "bring", run, env=env | OBSERVED)
    container, host = done["container"], done["container"]["host_config"]
    assert (done["raised"], container["image"]) == (None, "docker.io/acme/ingest:1.4")
    assert "command" not in container
    assert container.get("user") is None
    assert (host["network_mode"], host["mem_limit"]) == ("other", 1_000_000_000)
    assert [(m["Source"], m["Target"]) for m in host["mounts"]] == [
        ("/srv/data", "/app/data"),
        ("/etc/certs", "/certs"),
    ]
    found = container["environment"]
    assert (found["DB_HOST"], found["DB_PASSWORD"], found["KEY"]) == ("db", "p@ss", CANARY)
    assert (found["WINDLASS_WORKSPACE"], "WINDLASS_CONN_X" in found) == ("/app/data", False)
    address = "https://api.example.org/v1"
    assert (found["API"], found["API_HOST"]) == (address, "api.example.org")
    assert found["WINDLASS_CONN_WEB"] == address
    assert TRACE.items() <= found.items()
    assert not found.keys() & (OBSERVED.keys() - TRACE.keys()), "keys of ours, for a program of the user's"
    assert CANARY not in done["log"]
    with pytest.raises(
        FatalError, match="DB_HOST refers to a part of a connection, which no pod can be given"
    ):
        export_to_airflow(everything, tmp_path / "out", "kubernetes")


def test_a_container_that_fails_says_why(inside: Inside, everything: Path, tmp_path: Path) -> None:
    export_to_airflow(everything, tmp_path / "out", "docker")
    failed = {"event": "failed", "error": "no such table", "retryable": False}
    run = SCHEDULED | {"lines": [json.dumps(failed) + "\n"], "code": 1}
    done = inside("docker", tmp_path / "out", "everything", "load", json.dumps(run))
    assert done["raised"] == ["AirflowFailException", "no such table"]
    run = SCHEDULED | {"lines": [], "code": 137}
    done = inside("docker", tmp_path / "out", "everything", "load", json.dumps(run))
    error = "killed, out of memory: it wanted more than 2000000000 bytes; `resources` says what it may use"
    assert done["raised"] == ["AirflowException", error]  # it was stopped, which is tried again


STOPPED = json.dumps({"event": "failed", "error": "stopped by SIGTERM", "retryable": False})
GIVEN_UP = json.dumps({"event": "failed", "error": "no such table", "retryable": False})
DEEP = '{"event": "a", "x": ' + "[" * 5000 + "]" * 5000 + "}"
TRACEBACK = [
    "begun",
    "Traceback (most recent call last):",
    '  File "a.py", line 1',
    "ValueError: no such city",
]
ENDS: list[tuple[str, int, list[str], str | None]] = [
    ("copy", 0, [DEEP, '{"event": "\\ud800"}'], None),
    ("copy", 1, [GIVEN_UP], "AirflowFailException: no such table"),
    ("copy", 1, [], "AirflowFailException: exit code 1"),
    ("copy", 3, [], "AirflowException: exit code 3"),
    # an eviction, a node that is drained, `docker stop`: whatever the task says of it, it is tried again
    ("copy", 143, [STOPPED], "AirflowException: stopped by SIGTERM"),
    ("copy", 130, [], "AirflowException: exit code 130"),
    ("copy", 137, [], "AirflowException: exit code 137"),
    ("copy", -9, [], "AirflowException: killed by SIGKILL"),
    ("copy", -40, [], "AirflowException: killed by signal 40"),
    ("copy", 255, [], "AirflowFailException: exit code 255"),
    # of a command nobody knows whether another try makes sense, unless it says so
    ("run", 255, [], "AirflowException: exit code 255"),
    ("run", 143, [GIVEN_UP], "AirflowFailException: no such table"),
    ("run", -15, [], "AirflowException: killed by SIGTERM"),
    # what it printed last may say why
    ("run", 1, [*TRACEBACK, ""], "AirflowException: exit code 1\n    ValueError: no such city"),
    ("run", 2, list("abcdefg"), "AirflowException: exit code 2" + "".join(f"\n    {c}" for c in "cdefg")),
]


def test_which_ends_of_a_task_are_tried_again(inside: Inside, everything: Path, tmp_path: Path) -> None:
    export_to_airflow(everything, tmp_path / "out", "process")
    run = json.dumps({"ends": [case[:3] for case in ENDS]})
    assert inside("ends", tmp_path / "out", "everything", "load", run) == [case[3] for case in ENDS]


LONG = """
pipeline: long
tasks: {a: {sql: {connection: x, file: long.sql}}}
"""


@pytest.mark.parametrize("runtime", ["process", "docker"])
def test_a_plan_that_is_too_long_is_read_from_a_file_or_compared_by_its_digest(
    runtime: str, inside: Inside, everything: Path, tmp_path: Path
) -> None:
    (everything / "pipelines" / "long.yaml").write_text(LONG)
    (everything / "long.sql").write_text(base64.b64encode(random.Random(1).randbytes(100_000)).decode())
    (tmp_path / "fake.py").write_text(FAKE)
    script = tmp_path / "script.json"
    script.write_text(json.dumps({"lines": [RESULT], "code": 0}))
    command = shlex.join((sys.executable, str(tmp_path / "fake.py"), str(script)))
    *_, plans = export_to_airflow(everything, tmp_path / "out", runtime, command=command)
    plan = compiled(load_project(everything)).open_plans["long"]
    digest = pack(plan, plan.task("a"))
    assert digest.startswith("sha256:")
    run = SCHEDULED | {"lines": [json.dumps(RESULT) + "\n"], "code": 0}
    done = inside(
        "execute" if runtime == "process" else "docker", tmp_path / "out", "long", "a", json.dumps(run)
    )
    if runtime == "docker":
        assert done["container"]["environment"]["WINDLASS_PLAN"] == digest
        return
    seen = json.loads(Path(f"{script}.seen").read_text())
    assert seen["argv"][-2:] == ["--plan", str(plans)]
    assert seen["env"]["WINDLASS_PLAN"] == digest


DOLLARS = """
pipeline: dollars
tasks:
  a: {run: {command: [sh, -c, "echo $(date) $(WINDLASS_RUN_ID) $HOME $$"], env: {A: "$(A)"}}}
"""


def test_kubernetes_takes_nothing_of_a_command_for_a_variable_of_its_own(
    inside: Inside, everything: Path, tmp_path: Path
) -> None:
    (everything / "pipelines" / "dollars.yaml").write_text(DOLLARS)
    export_to_airflow(everything, tmp_path / "out", "kubernetes")
    pod = inside("pod", tmp_path / "out", "dollars", "a", json.dumps(SCHEDULED))
    (container,) = pod["spec"]["containers"]
    # https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#Container: $$ becomes $
    assert container["args"][-1] == "echo $$(date) $$(WINDLASS_RUN_ID) $$HOME $$$$"
    assert {v["name"]: v.get("value") for v in container["env"]}["A"] == "$$(A)"


PARTED = """
pipeline: parted
timeout: 2h
tasks:
  first: {sql: {connection: x, statement: SELECT 1}}
  move:
    needs: [first]
    trigger_rule: all_done
    retries: 3
    group: load
    copy:
      from: {connection: x, table: orders}
      to: {connection: y, table: orders, mode: append}
      partition: {by: id, parts: 4}
  last: {needs: [move], sql: {connection: y, statement: SELECT 1}}
"""
PARTS = [{"part": f"{i}/2", "by": "id", "from": None, "to": None} for i in (1, 2)]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_parts_of_a_copy_are_mapped_and_its_own_task_waits_for_them(
    runtime: str, inside: Inside, everything: Path, tmp_path: Path
) -> None:
    (everything / "pipelines" / "parted.yaml").write_text(PARTED)
    export_to_airflow(everything, tmp_path / "out", runtime)
    found = inside("describe", tmp_path / "out")
    assert found["errors"] == {}
    tasks = found["dags"]["parted"]["tasks"]
    assert {name: task["needs"] for name, task in tasks.items()} == {
        "first": [],
        "move__split": ["first"],
        "move__part": ["move__split"],
        "move": ["move__part"],
        "last": ["move"],
    }
    of_move = ("move__split", "move__part", "move")
    assert [tasks[name]["mapped"] for name in of_move] == [False, True, False]
    assert [tasks[name]["shown"] for name in of_move] == ["copy split", "copy part", "copy"]
    rules = {name: task["rule"] for name, task in tasks.items() if name != "last"}
    assert rules == {
        "first": "all_success", "move__split": "all_done", "move__part": "all_success", "move": "all_success"
    }  # fmt: skip
    assert {tasks[name]["group"] for name in ("move__split", "move__part", "move")} == {"load"}
    assert (tasks["move__part"]["retries"], tasks["move__part"]["outlets"]) == (3, [])
    assert (tasks["move"]["inlets"], tasks["move"]["outlets"]) == (["x.orders"], ["y.orders"])


def test_a_pod_copies_the_part_that_it_is_mapped_to(inside: Inside, everything: Path, tmp_path: Path) -> None:
    (everything / "pipelines" / "parted.yaml").write_text(PARTED)
    export_to_airflow(everything, tmp_path / "out", "kubernetes")
    run = json.dumps(SCHEDULED | {"part": PARTS[1]})
    pod = inside("pod", tmp_path / "out", "parted", "move__part", run)
    assert pod["spec"]["containers"][0]["args"] == [
        *("windlass", "exec", "parted", "move", "--part", json.dumps(PARTS[1]))
    ]


EACH = """\
pipeline: each
timeout: 2h
tasks:
  list: {run: {image: tools:1, command: [list]}}
  move:
    for_each: {of: list, path: out/list.csv, name: "{{ each.city }}"}
    group: load
    retries: 3
    copy:
      from: {connection: x, table: "{{ each.city }}"}
      to: {connection: y, table: orders, mode: append}
  shout:
    for_each: {of: list, path: out/list.csv, name: "{{ each.city }}"}
    trigger_rule: all_done
    run: {image: tools:2, command: [shout, "{{ each.city }} on {{ ds }}"], env: {LAT: "{{ each.lat }}"}}
  last: {needs: [move, shout], sql: {statement: SELECT 1}}
"""
ENTRY = json.dumps({"name": "oslo", "value": {"city": "oslo", "lat": 59.9}, "place": "out/list.csv:2"})


@pytest.mark.parametrize(
    ("runtime", "prefix"), [("process", ""), ("docker", "Docker"), ("kubernetes", "Pod")]
)
def test_a_task_of_each_entry_is_mapped_over_what_a_task_before_it_lists(
    runtime: str, prefix: str, inside: Inside, everything: Path, tmp_path: Path
) -> None:
    (everything / "pipelines" / "each.yaml").write_text(EACH)
    export_to_airflow(everything, tmp_path / "out", runtime)
    found = inside("describe", tmp_path / "out")
    assert found["errors"] == {}
    tasks = found["dags"]["each"]["tasks"]
    for name, kind in (("move", "copy"), ("shout", "run")):
        listing, each, whole = (tasks[f"{name}{end}"] for end in ("__entries", "__each", ""))
        assert (listing["needs"], listing["operator"]) == (["list"], f"Windlass{prefix}Operator")
        assert (each["needs"], each["mapped"]) == ([f"{name}__entries"], True)
        assert (whole["needs"], whole["shown"]) == ([f"{name}__each", f"{name}__entries"], kind)
        assert (each["rule"], whole["rule"]) == ("all_success", "none_failed")
    assert (tasks["shout__entries"]["rule"], tasks["move__each"]["group"]) == ("all_done", "load")
    assert (tasks["move__each"]["retries"], tasks["move__each"]["outlets"]) == (3, [])
    assert tasks["move"]["outlets"] == ["y.orders"]
    assert tasks["last"]["needs"] == ["move", "shout"]


def test_a_pod_is_about_the_entry_that_it_is_mapped_to(
    inside: Inside, everything: Path, tmp_path: Path
) -> None:
    (everything / "pipelines" / "each.yaml").write_text(EACH)
    export_to_airflow(everything, tmp_path / "out", "kubernetes")

    def container(task: str) -> dict[str, Any]:
        found = inside("pod", tmp_path / "out", "each", task, json.dumps(SCHEDULED | {"entry": ENTRY}))
        one: dict[str, Any] = found["spec"]["containers"][0]
        return one | {"env": {v["name"]: v.get("value") for v in one["env"]}}

    listing, move, shout = map(container, ("shout__entries", "move__each", "shout__each"))
    assert listing["args"] == ["windlass", "exec", "each", "shout", "--entries"]
    assert listing["image"] != "tools:2"
    assert unpack(listing["env"]["WINDLASS_PLAN"]).tasks[0].name == "shout"
    assert (move["args"], move["env"]["WINDLASS_ENTRY"]) == (["windlass", "exec", "each", "move"], ENTRY)
    assert (shout["image"], shout["args"]) == ("tools:2", ["shout", "oslo on 2024-05-01"])
    assert (shout["env"]["LAT"], shout["env"]["WINDLASS_ENTRY"]) == ("59.9", ENTRY)


def test_a_pod_finds_its_secrets_by_reference_and_its_settings_as_the_project_says(
    inside: Inside, everything: Path, tmp_path: Path
) -> None:
    pipeline = everything / "pipelines" / "everything.yaml"
    pipeline.write_text(pipeline.read_text().replace("connections: [x]", "connections: [x, web]"))
    declare_its_address(everything, "web")
    export_to_airflow(everything, tmp_path / "out", "kubernetes")
    service = {"api": {"address": {"url": "http://10.1.1.1:3000", "host": "10.1.1.1", "port": 3000}}}
    pod = inside(
        "pod",
        tmp_path / "out",
        "everything",
        "transform",
        json.dumps(SCHEDULED | {"xcoms": service}),
        env=OBSERVED,
    )
    (container,) = pod["spec"]["containers"]
    variables = {variable["name"]: variable for variable in container["env"]}
    assert container["image"] == "docker.io/acme/all-transform:latest"
    assert container["args"] == [
        "python",
        "transform.py",
        "http://10.1.1.1:3000",
        "in/2024-05-01.csv",
        "orders",
    ]
    assert variables["DAY"]["value"] == "5"
    assert variables["WINDLASS_WORKSPACE"]["value"] == "/app/data"
    assert {name: variables[name]["value"] for name in TRACE} == TRACE
    assert CANARY not in json.dumps(pod), "a Secret has that, under envFrom"
    keys = {name: v["valueFrom"]["secretKeyRef"] for name, v in variables.items() if "valueFrom" in v}
    of_web = [variable for variable in container["env"] if variable["name"] == "WINDLASS_CONN_WEB"]
    web = keys.pop("WINDLASS_CONN_WEB")
    assert web == {"name": "all-connections", "key": "WINDLASS_CONN_WEB", "optional": True}
    assert [variable.get("value") for variable in of_web] == ["https://api.example.org/v1", None]
    assert keys == {
        "WINDLASS_CONN_X": {"name": "all-connections", "key": "WINDLASS_CONN_X"},
        "OTHER": {"name": "all-connections", "key": "WINDLASS_CONN_Y"},
        "KEY": {"name": "vendor", "key": "api.key"},
    }
    assert container["envFrom"] == [
        {"secretRef": {"name": "api-keys"}},
        {"secretRef": {"name": "vendor"}},
        {"configMapRef": {"name": "settings"}},
    ]
    assert container["resources"] == {
        "requests": {"cpu": "500m", "memory": "1Gi"},
        "limits": {"memory": "512000000", "cpu": "1.5"},
    }
    assert container["securityContext"] == {"runAsUser": 1001, "runAsGroup": 1002}
    assert container["imagePullPolicy"] == "Always"
    assert [mount["mountPath"] for mount in container["volumeMounts"]] == ["/app/data", "/certs"]
    assert (pod["metadata"]["namespace"], pod["spec"]["serviceAccountName"]) == ("etl", "etl")
    assert (pod["spec"]["nodeSelector"], pod["spec"]["securityContext"]["fsGroup"]) == ({"disk": "ssd"}, 1000)


def test_waits_are_those_of_windlass_and_begin_again_when_a_task_is_cleared(
    inside: Inside, everything: Path, tmp_path: Path
) -> None:
    export_to_airflow(everything, tmp_path / "out")

    def seconds(max_tries: int, *attempts: int) -> Any:
        run = json.dumps({"max_tries": max_tries, "attempts": attempts})
        return inside("waits", tmp_path / "out", "everything", "load", run)["seconds"]

    retry = Retry(retries=2, delay=30.0, backoff=2.0)
    assert seconds(2, 1, 2, 12) == [retry.delay_after(n) for n in (1, 2, 12)]
    assert seconds(5, 4, 5) == [30.0, 60.0]  # Airflow counts on after three attempts, and allows two more


def test_a_task_process_builds_only_its_own_dag(inside: Inside, everything: Path, tmp_path: Path) -> None:
    export_to_airflow(everything, tmp_path / "out")
    env = {"_AIRFLOW_PARSING_CONTEXT_DAG_ID": "follow", "_AIRFLOW_PARSING_CONTEXT_TASK_ID": "verify"}
    assert list(inside("describe", tmp_path / "out", env=env)["dags"]) == ["follow"]


# --- plans that cannot be used ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "there is no plan.json beside windlass_dags.py"),
        ("{broken", "plan.json cannot be read"),
        ("[]", "plan.json is not what `windlass export airflow` writes"),
        ('{"version": 99, "pipelines": {}}', "plan.json has version 99, windlass_dags.py reads version 3"),
    ],
)
def test_a_plan_that_cannot_be_used_is_an_import_error_that_says_what_to_do(
    text: str | None, says: str, inside: Inside, everything: Path, tmp_path: Path
) -> None:
    *_, plan = export_to_airflow(everything, tmp_path / "out")
    export_to_airflow(ROOT / "examples" / "taxi", tmp_path / "out" / "other")
    plan.unlink()
    if text is not None:
        plan.write_text(text)
    found = inside("describe", tmp_path / "out")
    (error,) = found["errors"].values()
    assert says in error
    assert "write it again with `windlass export airflow`" in error
    assert sorted(found["dags"]) == ["taxi", "taxi_csv"]


def test_a_runtime_whose_provider_is_missing_is_one_import_error(
    inside: Inside, everything: Path, tmp_path: Path
) -> None:
    export_to_airflow(everything, tmp_path / "out", "docker")
    (tmp_path / "without").mkdir()
    (tmp_path / "without" / "docker.py").write_text("raise ModuleNotFoundError('docker')\n")
    found = inside("describe", tmp_path / "out", env={"PYTHONPATH": str(tmp_path / "without")})
    (error,) = found["errors"].values()
    assert "runtime docker needs a package here: pip install apache-airflow-providers-docker" in error
    assert found["dags"] == {}


def test_a_loader_without_its_package_says_what_to_deploy(
    inside: Inside, everything: Path, tmp_path: Path
) -> None:
    export_to_airflow(everything, tmp_path / "out")
    shutil.rmtree(tmp_path / "out" / "dags" / "windlass_airflow")
    (error,) = inside("describe", tmp_path / "out")["errors"].values()
    assert "deploy the whole folder `dags`" in error


def test_a_pipeline_that_airflow_refuses_says_so_and_harms_no_other(
    inside: Inside, everything: Path, tmp_path: Path
) -> None:
    *_, plan = export_to_airflow(everything, tmp_path / "out")
    bundle = json.loads(plan.read_text())
    bundle["pipelines"]["everything"]["tags"] = ["x" * 200]
    plan.write_text(json.dumps(bundle))
    found = inside("describe", tmp_path / "out")
    assert found["errors"] == {}
    assert list(found["dags"]["everything"]["tasks"]) == ["cannot_be_a_dag"]
    assert "tag cannot be longer" in found["dags"]["everything"]["doc"]
    assert list(found["dags"]["follow"]["tasks"]) == ["verify"]


# --- what a task does -------------------------------------------------------------------------------

FAKE = """\
import json, os, sys
said = json.load(open(sys.argv[1]))
json.dump({"argv": sys.argv[2:], "env": dict(os.environ)}, open(sys.argv[1] + ".seen", "w"))
for line in said["lines"]:
    print(line if isinstance(line, str) else json.dumps(line), flush=True)
if said["code"] < 0:
    os.kill(os.getpid(), -said["code"])
sys.exit(said["code"])
"""


@pytest.fixture
def fake(everything: Path, tmp_path: Path, inside: Inside) -> Callable[..., Any]:
    """Executes a task of the everything project, with a windlass that says what it is told to."""
    (tmp_path / "fake.py").write_text(FAKE)
    script = tmp_path / "script.json"
    (everything / "pipelines" / "parted.yaml").write_text(PARTED)
    (everything / "pipelines" / "each.yaml").write_text(EACH)
    export_to_airflow(
        everything,
        tmp_path / "out",
        command=shlex.join((sys.executable, str(tmp_path / "fake.py"), str(script))),
    )

    def run(
        task: str,
        *lines: object,
        code: int = 0,
        run: dict[str, Any] = SCHEDULED,
        pipeline: str = "everything",
        **env: str,
    ) -> Any:
        script.write_text(json.dumps({"lines": lines, "code": code}))
        answer = inside("execute", tmp_path / "out", pipeline, task, json.dumps(run), env=env)
        seen = tmp_path / "script.json.seen"
        return answer | (json.loads(seen.read_text()) if seen.exists() else {})

    return run


RESULT = {"event": "result", "rows_read": 1300, "rows_written": 1300, "bytes": 5, "path": "copy-binary"}


def test_a_task_gives_its_numbers_to_log_xcom_and_asset(fake: Callable[..., Any]) -> None:
    done = fake("load", "plain text", {"event": "copy", "level": "warning", "table": "orders"}, RESULT)
    numbers = {"rows_read": 1300, "rows_written": 1300, "bytes": 5}
    assert done["raised"] is None
    assert done["result"] == {**numbers, "path": "copy-binary"}
    assert done["extras"] == {"x.orders": numbers}
    assert re.search(r"info\s*\] plain text", done["log"])
    assert re.search(r"warning\s*\] copy table=orders", done["log"])
    assert "done: 1,300 rows read, 1,300 written, 5 bytes (copy-binary)" in done["log"]


@pytest.mark.parametrize(("minutes", "most"), [(30, 3600), (210, 1800)])
def test_an_attempt_takes_no_longer_than_what_is_left_of_its_run(
    minutes: int, most: int, fake: Callable[..., Any]
) -> None:
    began = datetime.now(UTC) - timedelta(minutes=minutes)
    done = fake("load", RESULT, run=SCHEDULED | {"began": began.isoformat()})
    assert done["raised"] is None
    assert most - 60 < done["timeout"] <= most


def test_no_attempt_begins_after_the_end_of_its_run_and_people_are_told(fake: Callable[..., Any]) -> None:
    run = SCHEDULED | {"began": (datetime.now(UTC) - timedelta(hours=5)).isoformat()}
    late = ["AirflowFailException", "the run timed out after 14400 s"]
    assert fake("load", RESULT, run=run)["raised"] == late
    assert fake("move__part", RESULT, run=run | {"part": PARTS[0]}, pipeline="parted")["raised"] == [
        late[0], "the run timed out after 7200 s"
    ]  # fmt: skip
    assert fake("windlass__tell", RESULT, run=run | {"states": {"load": "failed"}})["raised"] is None


def test_a_task_finds_its_run_and_the_connections_that_it_names_and_nothing_of_airflows(
    fake: Callable[..., Any], everything: Path, tmp_path: Path
) -> None:
    own = f"postgres://me:{CANARY}@db:5432/sales"
    seen = fake(
        "load", RESULT, AIRFLOW_CONN_X=own, AIRFLOW_CONN_Y="postgres://y", AIRFLOW__CORE__FERNET_KEY="k",
        WINDLASS_CONN_Y="postgres://y",
    )  # fmt: skip
    assert seen["argv"] == ["-C", str(everything), "exec", "everything", "load"]
    found = {name: value for name, value in seen["env"].items() if name.startswith("WINDLASS_")}
    plan = compiled(load_project(everything)).open_plans["everything"]
    assert unpack(found.pop("WINDLASS_PLAN")).tasks == (plan.task("load"),)
    assert json.loads(found.pop("WINDLASS_PARAMS")) == {
        "table": "orders",
        "day": 5,
        "rate": 0.5,
        "dry": False,
        "any": None,
    }
    assert found == {
        "WINDLASS_RUN_ID": SCHEDULED["run_id"],
        "WINDLASS_RUN_KEY": SCHEDULED["logical_date"],
        "WINDLASS_LOGICAL_DATE": SCHEDULED["logical_date"],
        "WINDLASS_DATA_INTERVAL_START": SCHEDULED["start"],
        "WINDLASS_DATA_INTERVAL_END": SCHEDULED["end"],
        "WINDLASS_ATTEMPT": "1",
        "WINDLASS_WORKSPACE": str(everything),
        "WINDLASS_SERVICES": "{}",
        "WINDLASS_CONN_X": own,
        "WINDLASS_ORIGIN_X": "the Airflow connection 'x'",
    }
    assert not [name for name in seen["env"] if name.startswith("AIRFLOW")]


def test_a_run_by_hand_has_its_own_id_for_a_key(fake: Callable[..., Any]) -> None:
    seen = fake("load", RESULT, run=MANUAL)["env"]
    assert (seen["WINDLASS_RUN_KEY"], seen["WINDLASS_LOGICAL_DATE"]) == (
        "manual__1",
        "2024-05-03T10:00:00+00:00",
    )
    assert "WINDLASS_DATA_INTERVAL_START" not in seen


def test_a_run_that_was_handed_its_date_is_the_run_of_that_date(fake: Callable[..., Any]) -> None:
    run = SCHEDULED | {"run_type": "operator_triggered", "run_id": "windlass_handed_on__p.t__scheduled__x"}
    seen = fake("load", RESULT, run=run)["env"]
    assert seen["WINDLASS_RUN_KEY"] == seen["WINDLASS_LOGICAL_DATE"] == SCHEDULED["logical_date"]
    assert "WINDLASS_DATA_INTERVAL_START" not in seen  # Airflow's ends where windlass's begins


def test_a_secret_is_nowhere_in_what_a_task_leaves_behind(fake: Callable[..., Any]) -> None:
    address = f"postgres://me:{CANARY}@db:5432/sales"
    failed = {"event": "failed", "error": f"no route to {address}", "retryable": True}
    done = fake("load", failed, code=3, AIRFLOW_CONN_X=address)
    assert done["raised"] == ["AirflowException", "no route to ***"]
    assert CANARY not in json.dumps([done["pushed"], done["raised"], done["argv"], done["log"]])


@pytest.mark.parametrize(
    ("task", "lines", "code", "raised"),
    [
        ("load", [{"event": "failed", "error": "gone", "retryable": True}], 3, "AirflowException"),
        ("load", [{"event": "failed", "error": "bad key", "retryable": False}], 1, "AirflowFailException"),
        ("load", ["Traceback"], 1, "AirflowFailException"),
        ("load", [], 3, "AirflowException"),
        ("load", [], -9, "AirflowException"),
        ("transform", [], 1, "AirflowException"),
        ("transform", [{"event": "failed", "error": "no", "retryable": False}], 1, "AirflowFailException"),
    ],
)
def test_a_failure_is_retried_where_that_can_help(
    task: str, lines: list[object], code: int, raised: str, fake: Callable[..., Any]
) -> None:
    done = fake(task, *lines, code=code)
    assert done["raised"][0] == raised
    assert done["pushed"]["error"] == done["raised"][1]


def test_a_trigger_hands_on_date_and_parameters_in_the_types_that_the_other_pipeline_has(
    fake: Callable[..., Any],
) -> None:
    done = fake("next", run=SCHEDULED | {"params": {"day": 9}})
    assert done["raised"][0] == "DagRunTriggerException"
    assert done["conf"] == {"table": "orders", "day": 9, "n": 7}
    assert done["triggered"] == {
        "dag_run_id": f"windlass_handed_on__everything.next__{SCHEDULED['run_id']}",
        "logical_date": SCHEDULED["logical_date"].replace("T", " "),
    }
    by_hand = fake("next", run=MANUAL)
    assert by_hand["triggered"]["logical_date"] == "None"
    assert by_hand["triggered"]["dag_run_id"] == "windlass_triggered__everything.next__manual__1"


SLEEPER = """\
import os, signal, subprocess, sys, time
def end(*_):
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for line in [b"ending\\n"] * 20_000 + [b"polite\\n"]:
        os.write(1, line)
    os.kill(os.getpid(), signal.SIGTERM)
signal.signal(signal.SIGTERM, end)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
with open(sys.argv[1], "w") as seen:
    seen.write(f"{os.getpid()} {child.pid}\\n")
while True:
    os.write(1, b"at work\\n")
"""


@pytest.fixture
def sleeper(everything: Path, tmp_path: Path) -> Path:
    """A windlass that only talks, for long, and has a child that does nothing. Where it writes who they are."""
    (tmp_path / "sleeper.py").write_text(SLEEPER)
    pids = tmp_path / "pids"
    export_to_airflow(
        everything,
        tmp_path / "out",
        command=shlex.join((sys.executable, str(tmp_path / "sleeper.py"), str(pids))),
    )
    return pids


def test_a_killed_task_says_its_last_words_and_takes_its_group_with_it(
    sleeper: Path, inside: Inside, tmp_path: Path
) -> None:
    done = inside(
        "kill", tmp_path / "out", "everything", "load", json.dumps({**SCHEDULED, "pids": str(sleeper)})
    )
    assert done["raised"] == ["AirflowException", "killed by SIGTERM"]
    assert not any(map(_runs, sleeper.read_text().split()))
    assert "polite" in done["log"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent has died")
def test_a_task_ends_when_its_worker_is_killed(sleeper: Path, tmp_path: Path) -> None:
    arguments = ("execute", str(tmp_path / "out"), "everything", "load", json.dumps(SCHEDULED))
    environment = {**os.environ, "AIRFLOW_HOME": str(tmp_path / "airflow"), "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, "-m", "tests.airflow.inside", *arguments]
    worker = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    _wait_until(lambda: sleeper.exists() and sleeper.read_text().endswith("\n"))
    task, child = sleeper.read_text().split()
    worker.kill()
    worker.wait()
    _wait_until(lambda: not _runs(task))
    os.kill(int(child), signal.SIGKILL)  # the sleeper's own: windlass would have ended it


def _runs(pid: str) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def _wait_until(question: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not question():
        assert time.monotonic() < deadline, "waited for too long"
        time.sleep(0.05)


def test_the_parts_of_a_copy_are_listed_copied_and_added_up(
    everything: Path, fake: Callable[..., Any]
) -> None:
    listed = fake("move__split", {**RESULT, "detail": {"parts": PARTS}}, pipeline="parted")
    assert (listed["result"], listed["argv"][-1]) == (PARTS, "--parts")
    copied = fake("move__part", RESULT, pipeline="parted", run=SCHEDULED | {"part": PARTS[1]})
    assert copied["argv"][-2:] == ["--part", json.dumps(PARTS[1])]
    done = fake("move", pipeline="parted", run=SCHEDULED | {"xcoms": {"move__part": [copied["result"]] * 2}})
    numbers = {"rows_read": 2600, "rows_written": 2600, "bytes": 10}
    assert done["result"] == {**numbers, "path": "copy-binary"}
    assert done["extras"] == {"y.orders": numbers}
    assert "2 parts done: 2,600 rows read" in done["log"]


def test_entries_are_listed_done_and_added_up(everything: Path, fake: Callable[..., Any]) -> None:
    listed = fake("move__entries", {**RESULT, "detail": {"entries": [ENTRY]}}, pipeline="each")
    assert (listed["result"], listed["argv"][-1]) == ([ENTRY], "--entries")
    done = fake("move__each", RESULT, pipeline="each", run=SCHEDULED | {"entry": ENTRY})
    assert done["env"]["WINDLASS_ENTRY"] == ENTRY
    numbers = {"rows_read": 1300, "rows_written": 1300, "bytes": 5}

    def whole(**xcoms: object) -> Any:
        return fake("move", pipeline="each", run=SCHEDULED | {"xcoms": xcoms})

    added = whole(move__entries=[ENTRY, ENTRY], move__each=[done["result"], None])
    assert added["result"] == {**numbers, "path": "copy-binary"}
    assert "2 entries done: 1,300 rows read" in added["log"]
    assert whole(move__entries=[], move__each=None)["result"] == {"path": ""}
    assert whole()["raised"][0] == "AirflowSkipException"


# --- messages ---------------------------------------------------------------------------------------

TOLD = """\
pipeline: told
schedule: "@daily"
on_failure: [slack, pager]
on_recovery: slack
tasks:
  api: {service: {command: [serve], port: 1}}
  a: {uses: api, run: {command: [date]}, on_failure: [slack, mail], on_recovery: [mail]}
  b: {needs: a, run: {command: [date]}, on_success: hook}
"""


@pytest.fixture
def tell(everything: Path, tmp_path: Path, inside: Inside) -> Callable[..., Any]:
    """Execute the task that tells, and give back to whom it says what; nobody where it starts nothing."""
    (tmp_path / "fake.py").write_text(FAKE)
    script = tmp_path / "script.json"
    project = everything / "windlass.yaml"
    kinds = "pager: {type: pagerduty}, mail: {type: smtp}, hook: {type: webhook}"
    project.write_text(
        project.read_text().replace("slack: {type: slack}", f"slack: {{type: slack}}, {kinds}")
    )
    (everything / "pipelines" / "told.yaml").write_text(TOLD)
    command = shlex.join((sys.executable, str(tmp_path / "fake.py"), str(script)))
    export_to_airflow(everything, tmp_path / "out", command=command)

    def tell(states: dict[str, str], pipeline: str = "told", **run: Any) -> Any:
        script.write_text(json.dumps({"lines": [], "code": 0}))
        (tmp_path / "script.json.seen").unlink(missing_ok=True)
        ended = json.dumps(SCHEDULED | {"states": states} | run)
        answer = inside("execute", tmp_path / "out", pipeline, "windlass__tell", ended)
        assert answer["raised"] is None, answer
        seen = tmp_path / "script.json.seen"
        return json.loads(json.loads(seen.read_text())["env"]["WINDLASS_MESSAGES"]) if seen.exists() else []

    return tell


def said(messages: Any) -> list[tuple[str, str, str | None]]:
    return [(to, message["event"], message["task"]) for to, message in messages]


GOOD, BAD = {"a": "success", "b": "success"}, {"a": "failed", "b": "upstream_failed"}


def test_a_failed_run_is_told_once_with_every_task_that_failed(tell: Callable[..., Any]) -> None:
    states = {
        "load": "failed",
        "move__part_3": "failed",
        "next": "failed",
        "clean_up": "upstream_failed",
        "publish": "success",
    }
    xcoms = {
        "load:error": "no such table",
        "move__part[3]:error": "no such column",
        "publish": {"columns_added": ["fare"], "columns_widened": {"id": "integer → bigint"}},
    }
    [(to, message)] = tell(states, "everything", xcoms=xcoms)
    assert (to, message["event"], message["project"], message["pipeline"]) == (
        "slack",
        "failure",
        "all",
        "everything",
    )
    assert (message["run_id"], message["logical_date"]) == (SCHEDULED["run_id"], "2024-05-01T02:15:00+00:00")
    assert message["link"] == f"http://airflow/dags/d/runs/{SCHEDULED['run_id']}"
    assert [(told["task"], told["what"]) for told in message["told"]] == [
        ("load", "no such table"),
        ("move__part_3", "no such column"),
        ("next", "see its log"),
        ("publish", "columns added: fare; columns widened: id (integer → bigint)"),
    ]


def test_a_task_fails_with_those_that_it_stands_for(tell: Callable[..., Any]) -> None:
    states = {"a__entries": "success", "a__each_0": "success", "a__each_1": "failed", "a": "upstream_failed"}
    messages = tell({**states, "b": "upstream_failed"}, xcoms={"a__each[1]:error": "no such city"})
    assert said(messages) == [
        ("slack", "failure", None),
        ("pager", "failure", None),
        ("mail", "failure", "a"),
    ]
    assert messages[0][1]["told"] == messages[2][1]["told"] == [{"task": "a__each_1", "what": "no such city"}]


def test_who_is_told_of_what_is_as_on_a_laptop(tell: Callable[..., Any]) -> None:
    failed_before = {"run_id": "r0", "state": "failed", "states": BAD}
    assert said(tell(BAD)) == [
        ("slack", "failure", None),
        ("pager", "failure", None),
        ("mail", "failure", "a"),
    ]
    assert said(tell(GOOD)) == [("hook", "success", "b")]
    told = tell(GOOD, before=failed_before)
    assert said(told) == [
        ("slack", "recovery", None),
        ("pager", "recovery", None),
        ("mail", "recovery", "a"),
        ("hook", "success", "b"),
    ]
    assert told[0][1]["since"] == "r0"
    assert said(tell(GOOD, before=failed_before | {"state": "success", "states": GOOD})) == [
        ("hook", "success", "b")
    ]
    assert tell({"a": "skipped", "b": "skipped"}) == [], "and no process is started"


@pytest.mark.parametrize("runtime", ["process", "docker", "kubernetes"])
def test_the_task_that_tells_comes_last_and_decides_nothing(
    runtime: str, tell: Callable[..., Any], inside: Inside, everything: Path, tmp_path: Path
) -> None:
    export_to_airflow(everything, tmp_path / runtime, runtime)
    found = inside("describe", tmp_path / runtime)
    assert found["errors"] == {}
    teller = found["dags"]["told"]["tasks"]["windlass__tell"]
    assert (teller["is"], teller["needs"], teller["retries"]) == ("teardown", ["a", "b"], 3)
    assert teller["operator"].endswith("TellOperator")
    assert "windlass__tell" not in found["dags"]["follow"]["tasks"]


def test_a_task_of_a_dag_of_your_own_calls_windlass(inside: Inside, tmp_path: Path) -> None:
    """The example of the manual, docs/reference/python.md, as Airflow reads and executes it."""
    page = (ROOT / "docs" / "reference" / "python.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(from datetime.*?)```", page, re.DOTALL)
    shop = tmp_path / "shop"
    (shop / "pipelines").mkdir(parents=True)
    (shop / "windlass.yaml").write_text("project: shop\n")
    (shop / "a.csv").write_text("id\n1\n2\n")
    pipeline = "pipeline: orders\nschedule: '@daily'\n"
    pipeline += "tasks: {load: {copy: {from: {path: a.csv}, to: {path: '{{ ds }}.csv'}}}}\n"
    (shop / "pipelines" / "orders.yaml").write_text(pipeline)
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "shop.py").write_text(example.replace("/srv/shop", str(shop)))
    run = json.dumps(SCHEDULED | {"logical_date": "2024-05-01T00:00:00+00:00"})
    done = inside("execute", tmp_path / "dags", "shop", "orders", run)
    assert (done["raised"], done["result"]) == (None, {"load": 2})
    (shop / "a.csv").unlink()
    failed = inside("execute", tmp_path / "dags", "shop", "orders", run)
    assert failed["raised"][0] == "AirflowFailException"
    assert "load: there is no file 'a.csv'" in failed["raised"][1]


def test_a_worker_without_windlass_is_told_what_to_install(
    everything: Path, inside: Inside, tmp_path: Path
) -> None:
    export_to_airflow(everything, tmp_path / "out", command="no-such-windlass")
    done = inside("execute", tmp_path / "out", "everything", "load", json.dumps(SCHEDULED))
    assert done["raised"] == [
        "AirflowFailException",
        "'no-such-windlass' is not on this worker: install windlass there, or export for docker or kubernetes",
    ]
