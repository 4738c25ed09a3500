"""The manifests of Kubernetes: what they say, what they refuse to say, and that every reader takes them for the same."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from windlass.api.planning import validate
from windlass.errors import SpecError, UsageError
from windlass.plan.schedule import dates_of_start
from windlass.spec import load_project
from windlass.targets.exporting import compiled
from windlass.targets.kubernetes.target import TARGET
from windlass.targets.pods.manifests import manifests
from windlass.targets.pods.names import dns_name, object_name
from windlass.targets.pods.schedule import cron_of
from windlass.tasks.scripts import write_scripts

Project = Callable[..., Path]
EXAMPLES = Path(__file__).parents[3] / "examples"


def rendered(root: Path, pipelines: str | None = None) -> dict[str, str]:
    return TARGET.render(compiled(load_project(root)), TARGET.options(pipelines=pipelines))


def objects(text: str) -> dict[str, dict[str, Any]]:
    """The objects of a file by kind, all of them valid."""
    found = {one["kind"]: one for one in yaml.safe_load_all(text)}
    for one in found.values():
        kubernetes_validate.validate(one, "1.34", strict=True)
    return found


def of(root: Path, name: str) -> dict[str, dict[str, Any]]:
    return objects(rendered(root)[f"kubernetes/{name}.yaml"])


def pod_of(cron_job: dict[str, Any]) -> dict[str, Any]:
    pod: dict[str, Any] = cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    return pod


def env_of(container: dict[str, Any]) -> dict[str, Any]:
    return {v["name"]: v.get("value", v.get("valueFrom")) for v in container["env"]}


# --- the examples -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("example", "name"),
    [
        ("pg2pg", "pg2pg"),
        ("ensembl", "ensembl-etl1"),
        ("ensembl", "ensembl-etl1-parallel"),
        ("ensembl", "ensembl-etl2"),
        ("taxi", "taxi"),
        ("taxi", "taxi-taxi-csv"),
    ],
)
def test_examples(example: str, name: str, golden: Callable[[str, Path], None]) -> None:
    text = rendered(EXAMPLES / example)[f"kubernetes/{name}.yaml"]
    assert objects(text).keys() == {"ConfigMap", "CronJob"}
    head, _, cron_job = re.sub("-plan-[0-9a-f]{8}", "-plan-DIGEST", text).partition("---\n")
    heading = "".join(line for line in head.splitlines(keepends=True) if line.startswith("#"))
    golden(heading + cron_job, Path(__file__).parents[2] / f"targets/golden/kubernetes/{name}.yaml")


def test_the_same_project_gives_the_same_bytes_and_a_kustomization_names_all_files() -> None:
    texts = rendered(EXAMPLES / "ensembl")
    assert texts == rendered(EXAMPLES / "ensembl")
    *files, kustomization = texts
    assert kustomization == "kubernetes/kustomization.yaml"
    named = yaml.safe_load(texts[kustomization])["resources"]
    assert [f"kubernetes/{name}" for name in named] == files


# --- text ---------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@example({"": "0\x1f\n"})
@example({"last": "0\x08\n", "first": "\x08a\n", "lines": "a\n\n"})
@example({"": ["\x01\n", "a\n", "a \n\n", "a\n\tb\n", "\n", "\u00a0a\n", "# a\n", "a: \n  b\n"]})
@given(st.dictionaries(st.text(), st.text() | st.lists(st.text())))
def test_text_comes_back_as_it_was(values: dict[str, Any]) -> None:
    assert list(yaml.safe_load_all(manifests("", [values, values]))) == [values, values]


ODD = "n Y on OFF no null ~ 1e3 0o7 0x1f 1_000 1:30 2026-11-30 .5 = << nan .inf *a &a !a %a @a `a` 'a' {a} 007 +1 - --- ... true %"


def test_what_a_reader_may_take_for_something_else_is_quoted() -> None:
    for text in (
        *ODD.split(),
        "",
        "- a",
        "a: b",
        "a #b",
        "a\n\nb",
        " a",
        "a ",
        "\ta",
        "a\rb",
        "a\x85b",
        "a\u2028b",
        "on\n",
    ):
        written = manifests("", [{"key": text, text: 1}])
        assert yaml.safe_load(written) == {"key": text, text: 1}
        assert re.match(r'key: (["|])', written), text
    assert (
        manifests("", [{"key": "docker.io/acme/a:1.2", "--a-b": "/c"}])
        == "key: docker.io/acme/a:1.2\n--a-b: /c\n"
    )


# --- shapes -------------------------------------------------------------------------------------------

IN_PROJECT = {
    "windlass.yaml": """
project: shop
connections: {db: {type: postgres}, slack: {type: slack}}
runtimes:
  kubernetes:
    namespace: data
    node_selector: {pool: etl}
    labels: {team: data}
    secrets: common
    resources: {requests: {cpu: 200m, memory: 128Mi}, limits: {memory: 256Mi}}
""",
    "pipelines/orders.yaml": """
pipeline: orders
description: "on: every order"
schedule: "*/15 * * * 1-7"
timezone: Europe/Paris
concurrency: replace
on_failure: slack
kubernetes:
  starting_deadline: 5m
  deadline: 1h
  keep_failed: 5
  node_selector: {disk: ssd}
  tolerations: [{key: etl, operator: Exists, effect: NoSchedule}]
  affinity: {nodeAffinity: {}}
  security_context: {runAsNonRoot: true, fsGroup: 1000}
  container_security_context: {readOnlyRootFilesystem: true}
  service_account: etl
  config_maps: settings
  image_pull_secrets: registry
  image_pull_policy: IfNotPresent
  resources: {limits: {cpu: 400m}}
  annotations: {a/b: "yes"}
  volumes: [{secret_name: certificates, mount_path: /certificates, read_only: true}]
  workspace: shared
tasks:
  one: {sql: {connection: db, statement: SELECT 1}}
  two: {sql: {connection: db, statement: SELECT 2}}
  tell:
    needs: [one, two]
    trigger_rule: all_done
    run: {command: [tell], env: {HOOK: {secret: slack-webhook, key: WEBHOOK.ETL}}}
""",
}


def test_tasks_of_the_project_image_are_one_container_with_all_that_is_said_of_it(project: Project) -> None:
    cron_job = of(project(IN_PROJECT), "shop-orders")["CronJob"]
    spec, pod = cron_job["spec"], pod_of(cron_job)
    assert cron_job["metadata"]["namespace"] == "data"
    assert (spec["schedule"], spec["timeZone"]) == ("*/15 * * * 0-6", "Europe/Paris")
    assert (spec["concurrencyPolicy"], spec["startingDeadlineSeconds"]) == ("Replace", 300)
    assert (spec["successfulJobsHistoryLimit"], spec["failedJobsHistoryLimit"]) == (3, 5)
    assert spec["jobTemplate"]["spec"]["activeDeadlineSeconds"] == 3600
    (container,) = pod["containers"]
    assert "initContainers" not in pod
    assert container["image"] == "shop:latest"
    assert container["command"][:3] == ["windlass", "run", "orders"]
    assert pod["nodeSelector"] == {"pool": "etl", "disk": "ssd"}
    assert container["resources"] == {
        "requests": {"cpu": "200m", "memory": "128Mi"},
        "limits": {"memory": "256Mi", "cpu": "400m"},
    }
    assert container["envFrom"] == [{"secretRef": {"name": "common"}}, {"configMapRef": {"name": "settings"}}]
    assert pod["serviceAccountName"] == "etl"
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"] == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True}
    assert {"name": "workspace", "persistentVolumeClaim": {"claimName": "shared"}} in pod["volumes"]
    keys = {
        name: value["secretKeyRef"] for name, value in env_of(container).items() if "secretKeyRef" in value
    }
    assert keys == {
        "WINDLASS_CONN_DB": {"name": "shop-connections", "key": "WINDLASS_CONN_DB"},
        "WINDLASS_CONN_SLACK": {"name": "shop-connections", "key": "WINDLASS_CONN_SLACK"},
        "WINDLASS_SECRET_SLACK_WEBHOOK_WEBHOOK_ETL": {"name": "slack-webhook", "key": "WEBHOOK.ETL"},
    }


IMAGES = {
    "windlass.yaml": "project: shop\nconnections: {db: {type: postgres}}\n",
    "steps/load/Dockerfile": "FROM scratch\n",
    "pipelines/orders.yaml": """
pipeline: orders
schedule: "@daily"
params: {table: orders}
defaults: {retries: 2, timeout: 10m}
tasks:
  api:
    service: {image: acme/api, port: 3000, ready_timeout: 30s}
  fetch:
    run:
      image: acme/fetch:1
      command: ["--to=$HOME", "{{ params.table }}"]
      env: {N: n, HOOK: {secret: slack-webhook, key: WEBHOOK_ETL}, URL: {connection: db}}
      resources: {memory: 512MB, cpus: 1.5}
      user: "1000:1000"
      mount: /app/data
  load:
    needs: fetch
    uses: api
    run: {build: steps/load, command: [load, "{{ ds }}"], env: {API: "{{ services.api.url }}"}}
  check: {needs: load, sql: {connection: db, statement: SELECT 1}}
""",
}


def test_tasks_with_images_are_containers_in_turn_with_services_beside_them(project: Project) -> None:
    cron_job = of(project(IMAGES), "shop-orders")["CronJob"]
    pod, job = pod_of(cron_job), cron_job["spec"]["jobTemplate"]["spec"]
    before, (check,) = pod["initContainers"], pod["containers"]
    assert [container["name"] for container in before] == ["windlass-scripts", "fetch", "api", "load"]
    scripts, fetch, api, load = before
    assert (api["restartPolicy"], api["startupProbe"]["failureThreshold"]) == ("Always", 30)
    assert api["startupProbe"]["tcpSocket"] == {"port": 3000}
    assert not {"command", "args"} & api.keys()  # the image's own
    assert fetch["args"] == ["--to=$$HOME", "orders"]
    assert env_of(fetch)["N"] == "n"
    assert env_of(fetch)["HOOK"] == {"secretKeyRef": {"name": "slack-webhook", "key": "WEBHOOK_ETL"}}
    assert env_of(fetch)["URL"] == {"secretKeyRef": {"name": "shop-connections", "key": "WINDLASS_CONN_DB"}}
    assert fetch["resources"] == {"limits": {"memory": "512000000", "cpu": "1.5"}}
    assert fetch["securityContext"]["runAsUser"] == 1000
    assert {"name": "workspace", "mountPath": "/app/data"} in fetch["volumeMounts"]
    assert load["command"] == ["/bin/sh", "/windlass/scripts/load.sh"]
    assert json.loads(env_of(load)["WINDLASS_SERVICES"])["api"]["url"] == "http://127.0.0.1:3000"
    assert check["command"][:4] == ["windlass", "exec", "orders", "check"]
    assert scripts["command"][:3] == ["windlass", "scripts", "orders"]
    assert job["backoffLimit"] == 2
    assert pod["activeDeadlineSeconds"] == 3 * 600
    final = [rule["onExitCodes"] for rule in job["podFailurePolicy"]["rules"] if "onExitCodes" in rule]
    assert final == [{"containerName": "check", "operator": "In", "values": [1, 2]}]


@pytest.mark.parametrize(
    ("said", "task", "seconds"),
    [
        ("timeout: 90m", "run: {image: acme/a, command: [a]}", 5400),
        ("timeout: 90m\nkubernetes: {deadline: 2h}", "run: {image: acme/a, command: [a]}", 7200),
        ("timeout: 1500ms", "run: {image: acme/a, command: [a]}", 2),
        ("timeout: 90m", "sql: {statement: SELECT 1}", None),  # windlass ends the run, and tells of it
    ],
)
def test_the_time_of_a_run_is_the_deadline_of_the_job_where_each_task_has_a_container(
    said: str, task: str, seconds: int | None, project: Project
) -> None:
    text = f"pipeline: p\n{said}\ntasks: {{a: {{{task}}}}}\n"
    job = of(project({"pipelines/p.yaml": text}), "test-p")["CronJob"]["spec"]["jobTemplate"]["spec"]
    assert job.get("activeDeadlineSeconds") == seconds


def test_what_runs_once_is_a_job_whose_logical_date_is_its_start(project: Project) -> None:
    text = "pipeline: p\nschedule: '@once'\nstart: 2021-10-02\ntasks: {a: {sql: {statement: SELECT 1}}}\n"
    job = of(project({"pipelines/p.yaml": text}), "test-p")["Job"]
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert env_of(container)["WINDLASS_LOGICAL_DATE"] == "2021-10-02T00:00:00+00:00"
    assert container["command"][-2:] == ["--logical-date", "$(WINDLASS_LOGICAL_DATE)"]


def test_a_plan_that_changes_has_another_name(project: Project) -> None:
    name = "kubernetes/test-p.yaml"
    text = "pipeline: p\ntasks: {a: {sql: {statement: SELECT 1}}}\n"
    before = objects(rendered(project({"pipelines/p.yaml": text}))[name])
    after = objects(rendered(project({"pipelines/p.yaml": text.replace("1", "2")}))[name])
    names = {one["ConfigMap"]["metadata"]["name"] for one in (before, after)}
    assert len(names) == 2
    for one in (before, after):
        mounted = {v["configMap"]["name"] for v in pod_of(one["CronJob"])["volumes"] if "configMap" in v}
        assert mounted == {one["ConfigMap"]["metadata"]["name"]}


# --- what is refused ------------------------------------------------------------------------------------

REFUSED = {
    "windlass.yaml": "project: shop\nconnections: {slack: {type: slack}, db: {type: postgres}}\n",
    "steps/entry/Dockerfile": "FROM scratch\nENTRYPOINT [load]\n",
    "pipelines/a.yaml": """
pipeline: a
schedule: 0 0 * * 5#2
start: 2026-01-01
catchup: true
on_failure: slack
tasks:
  one: {run: {image: acme/a, command: ["{{ ds }}"]}}
  two: {run: {image: acme/a, env: {DAY: "{{ ds }}"}}}
  three: {needs: one, trigger_rule: all_done, run: {build: steps/entry, command: ["{{ ds }}"]}}
  four: {trigger: {pipeline: b}}
  five: {run: {image: acme/a, env: {A: {secret: s}, B: {connection: db, part: password}, C: {secret: My_Secret, key: k}}}}
  six: {uses: [x, y], run: {image: acme/a}}
  x: {service: {image: acme/x, port: 80}}
  y: {service: {image: acme/y, port: 80}}
""",
    "pipelines/b.yaml": """
pipeline: b
schedule: {assets: out.csv}
tasks:
  w: {outlets: out.csv, kubernetes: {resources: {limits: {cpu: "1"}}}, sql: {statement: SELECT 1}}
""",
}


def test_what_cannot_be_expressed_is_said_all_at_once_with_its_place(project: Project) -> None:
    with pytest.raises(SpecError) as raised:
        rendered(project(REFUSED))
    assert "Kubernetes has no Secret of the name 'My_Secret'" in {p.message for p in raised.value.problems}
    told = {(p.file, p.line, str(p.code)) for p in raised.value.problems}
    lines = [(3, "W0710"), (5, "W0710"), (6, "W0710"), (8, "W0711"), (9, "W0710")]
    lines += [(10, "W0710"), (10, "W0711"), (11, "W0710"), (12, "W0710"), (15, "W0710")]
    assert told == {("pipelines/a.yaml", *at) for at in lines} | {
        ("pipelines/b.yaml", at, "W0710") for at in (3, 5)
    }
    with pytest.raises(UsageError, match="no pipeline 'c'"):
        rendered(project(REFUSED), "c")


def test_nobody_is_promised_to_be_told_of_what_did_not_run(project: Project) -> None:
    pipeline = (
        "pipeline: a\non_missed: slack\nfreshness: {within: 1d}\ntasks: {t: {sql: {statement: SELECT 1}}}\n"
    )
    root = project({"windlass.yaml": REFUSED["windlass.yaml"], "pipelines/a.yaml": pipeline})
    with pytest.raises(SpecError, match=r"a\.yaml:2:12: .*`windlass freshness`"):
        rendered(root)


def test_a_tick_that_the_clock_skips_or_shows_twice_is_refused(project: Project) -> None:
    files = {"windlass.yaml": REFUSED["windlass.yaml"]}
    for name, schedule in {"a": "15 2 * * *", "b": "15 3 * * *", "c": "15 * * * *"}.items():
        when = f'pipeline: {name}\nschedule: "{schedule}"\ntimezone: Europe/Paris\n'
        files[f"pipelines/{name}.yaml"] = when + "tasks: {t: {sql: {statement: SELECT 1}}}\n"
    with pytest.raises(SpecError, match=r"a\.yaml:2:11: .*W0710.*Europe/Paris skips 02:15 on") as raised:
        rendered(project(files))
    assert len(raised.value.problems) == 1


def test_names_that_would_be_one_are_refused_and_so_is_a_plan_that_is_too_long(project: Project) -> None:
    text = "pipeline: {}\ntasks: {{a_b: {{run: {{image: x}}}}, a-b: {{run: {{image: x}}}}}}\n"
    files = {f"pipelines/{name}.yaml": text.format(name) for name in ("p_q", "p-q")}
    with pytest.raises(SpecError) as raised:
        rendered(project(files))
    told = [p.message for p in raised.value.problems]
    assert sum("one object of" in message for message in told) == 1
    assert sum("one container of" in message for message in told) == 2
    long = "pipeline: p\ntasks: {a: {sql: {statement: " + "x" * 1_000_000 + "}}}\n"
    with pytest.raises(SpecError, match="no room for a plan"):
        rendered(project({"pipelines/p.yaml": long}, "long"))
    files = {"windlass.yaml": "project: p\ntargets: {kubernetes: {}, argo: {}}\n", "pipelines/p.yaml": long}
    with pytest.raises(SpecError) as raised:
        validate(project(files, "told"))
    told = [problem.message for problem in raised.value.problems]
    assert told == [f"{target} has no room for a plan of 1 MB" for target in ("Kubernetes", "Argo")]


def test_an_entrypoint_that_is_said_stands_in_front_of_the_script(project: Project) -> None:
    text = """
pipeline: a
tasks:
  one: {kubernetes: {entrypoint: [load, -v]}, run: {build: steps/entry, command: ["{{ ds }}"]}}
"""
    cron_job = of(
        project({**REFUSED, "pipelines/a.yaml": text, "pipelines/b.yaml": text.replace("a\n", "b\n", 1)}),
        "shop-a",
    )
    (container,) = pod_of(cron_job["CronJob"])["containers"]
    assert container["command"] == ["/bin/sh", "/windlass/scripts/one.sh", "load", "-v"]


# --- names, schedules, dates ----------------------------------------------------------------------------


def test_names_are_those_of_objects_and_stay_apart() -> None:
    assert object_name("Sales_EU", "Load Orders") == "sales-eu-load-orders"
    assert object_name("pg2pg", "pg2pg") == "pg2pg"
    long = [object_name("p", f"{'x' * 90}{end}") for end in "ab"]
    assert len(set(long)) == 2
    assert all(len(name) <= 52 for name in long)
    assert dns_name("__") == "x"


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("@quarterly", "0 0 1 */3 *"),
        ("*/5 0-3,8 1 jan-mar MON,fri", "*/5 0-3,8 1 jan-mar MON,fri"),
        ("0 0 * * 7", "0 0 * * 0"),
        ("0 0 * * 5-7", "0 0 * * 5-6,0"),
        ("0 0 1 * 1-7", "0 0 1 * 0-6"),
        ("0 0 L * *", None),
        ("0 0 * * 5#2", None),
        ("0 0 * * L5", None),
        ("0 0 * * 3-7/2", None),
    ],
)
def test_schedules_are_those_of_kubernetes(schedule: str, expected: str | None) -> None:
    assert cron_of(schedule) == expected


NOW = datetime(2026, 11, 30, 6, 3, tzinfo=UTC)
MINUTES = int(datetime(2026, 11, 30, 6, tzinfo=UTC).timestamp()) // 60


@pytest.mark.parametrize(
    ("fired", "logical", "scheduled"),
    [
        (f"shop-orders-{MINUTES}", "2026-11-30T00:00", True),
        (f"shop-orders-{MINUTES + 1}", "2026-11-30T06:01", False),  # at no tick
        ("shop-orders-20261130", "2026-11-30T06:03", False),  # a number, but of no tick of these days
        ("shop-orders-by-hand", "2026-11-30T06:03", False),
        ("now", "2026-11-30T00:00", True),
        ("2026-11-30T06:00:00Z", "2026-11-30T00:00", True),
        ("2026-11-30T07:00:00+01:00", "2026-11-30T00:00", True),
        ("2026-11-30T05:00:00Z", "2026-11-30T05:00", False),
    ],
)
def test_a_run_that_a_scheduler_starts_has_the_dates_that_it_has_everywhere(
    fired: str, logical: str, scheduled: bool
) -> None:
    dates = dates_of_start(fired, "0 */6 * * *", "UTC", NOW)
    assert (dates.logical_date.isoformat()[:16], dates.scheduled) == (logical, scheduled)
    assert dates.interval_end == datetime(2026, 11, 30, 6 if "05" not in fired else 0, tzinfo=UTC)


def test_scripts_have_the_dates_of_the_run_and_quote_what_they_fill_in(
    project: Project, tmp_path: Path
) -> None:
    plan = compiled(load_project(project(IMAGES))).plans["orders"]
    environ = {"WINDLASS_RUN_ID": "r", "WINDLASS_LOGICAL_DATE": "2026-11-29T00:00:00+00:00"}
    environ["WINDLASS_SERVICES"] = '{"api": {"url": "http://127.0.0.1:3000"}}'
    written = write_scripts(plan, tmp_path, tmp_path, environ)
    assert [file.name for file in written] == ["fetch.sh", "load.sh"]
    assert """\n"$@" '--to=$HOME' orders &\n""" in written[0].read_text()
    load = written[1].read_text()
    assert '\n"$@" load 2026-11-29 &\n' in load
    assert "export API=http://127.0.0.1:3000\n" in load
    assert "export WINDLASS_LOGICAL_DATE=2026-11-29T00:00:00+00:00\n" in load
    assert "export WINDLASS_RUN_KEY=2026-11-29T00:00:00+00:00\n" in load


def test_entries_that_a_task_writes_take_a_container_that_runs_the_plan(project: Project) -> None:
    each = "load: {for_each: {of: list, path: a.txt}, run: {command: [echo, '{{ each }}']}}"
    files = {
        "windlass.yaml": "project: p\nimages: {registry: r.io/a}\n",
        "pipelines/a.yaml": f"pipeline: a\ntasks:\n  list: {{run: {{command: [ls]}}}}\n  {each}\n",
    }
    assert pod_of(of(project(files), "p-a")["CronJob"])["containers"][0]["command"][:2] == ["windlass", "run"]
    files["pipelines/a.yaml"] = files["pipelines/a.yaml"].replace("[ls]", "[ls], image: acme/a")
    with pytest.raises(SpecError, match="has the containers of a pod before it runs") as caught:
        rendered(project(files))
    assert caught.value.problems[0].line == 4
