"""The workflows of Argo: what they say, and what they refuse to say."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from itertools import permutations
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from click.testing import CliRunner

from windlass.cli.main import cli
from windlass.errors import SpecError, UsageError
from windlass.plan.codec import to_json
from windlass.spec import load_project
from windlass.targets.argo.failures import told_of
from windlass.targets.argo.target import TARGET
from windlass.targets.exporting import compiled

Project = Callable[..., Path]
EXAMPLES = Path(__file__).parents[3] / "examples"


def rendered(root: Path) -> dict[str, str]:
    return TARGET.render(compiled(load_project(root)), TARGET.options())


def objects(text: str) -> dict[str, dict[str, Any]]:
    """The objects of a file by kind; the pods of their templates are valid."""
    found = {one["kind"]: one for one in yaml.safe_load_all(text)}
    spec = spec_of(found)
    for template in spec["templates"]:
        if "container" in template:
            kubernetes_validate.validate(_pod(template, spec), "1.34", strict=True)
    return found


def spec_of(found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The workflow, in whatever submits it."""
    (one,) = (one["spec"] for kind, one in found.items() if kind != "ConfigMap")
    workflow: dict[str, Any] = one.get("workflowSpec", one)
    return workflow


def _pod(template: dict[str, Any], spec: dict[str, Any]) -> dict[str, Any]:
    """The pod that Argo makes of a template."""
    taken: dict[str, Any] = {
        key: spec[key]
        for key in ("nodeSelector", "tolerations", "affinity", "securityContext")
        if key in spec
    }
    volumes = [*spec["volumes"], *template.get("volumes", ())]
    pod: dict[str, Any] = {
        **taken,
        "containers": [{"name": "main", **template["container"]}],
        "initContainers": template.get("initContainers", []),
        "volumes": volumes,
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": pod}


def templates(spec: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {template["name"]: template for template in spec["templates"]}


def env_of(container: dict[str, Any]) -> dict[str, Any]:
    return {v["name"]: v.get("value", v.get("valueFrom")) for v in container["env"]}


@pytest.mark.parametrize(
    ("example", "name"), [("pg2pg", "pg2pg"), ("ensembl", "ensembl-etl2"), ("taxi", "taxi")]
)
def test_examples(example: str, name: str, golden: Callable[[str, Path], None]) -> None:
    text = rendered(EXAMPLES / example)[f"argo/{name}.yaml"]
    objects(text)
    head, _, rest = re.sub("-plan-[0-9a-f]{8}", "-plan-DIGEST", text).partition("---\n")
    heading = "".join(line for line in head.splitlines(keepends=True) if line.startswith("#"))
    golden(heading + rest, Path(__file__).parents[2] / f"targets/golden/argo/{name}.yaml")


EVERYTHING = {
    "windlass.yaml": """
project: shop
connections: {db: {type: postgres}, slack: {type: slack}}
pools: {heavy: 2}
runtimes: {kubernetes: {namespace: data, node_selector: {pool: etl}}}
""",
    "pipelines/orders.yaml": """
pipeline: orders
schedule: "*/15 * * * *"
timezone: Europe/Paris
concurrency: replace
on_failure: slack
params: {table: orders}
kubernetes: {starting_deadline: 5m, deadline: 1h, suspend: true, workspace_size: 5Gi}
defaults: {retries: 2, retry_delay: 10s}
tasks:
  api: {service: {image: acme/api, command: [serve], port: 3000, health: /ok}}
  one: {pool: heavy, timeout: 5m, sql: {connection: db, statement: "SELECT * FROM {{ params.table }}"}}
  two:
    uses: api
    kubernetes: {entrypoint: []}
    run: {image: acme/two, command: [two, "{{ services.api.url }}", "{{ ds }}"], env: {HOOK: {secret: s, key: K}}}
  three: {needs: [one, two], trigger_rule: all_done, retries: 0, sql: {connection: db, statement: SELECT 3}}
  four: {needs: [one, two], trigger_rule: one_failed, sql: {connection: db, statement: SELECT 4}}
""",
}


def test_a_pipeline_is_a_cron_workflow_with_a_pod_for_each_task(project: Project) -> None:
    texts = rendered(project(EVERYTHING))
    found = objects(texts["argo/shop-orders.yaml"])
    cron, spec = found["CronWorkflow"]["spec"], spec_of(found)
    assert (cron["schedules"], cron["timezone"]) == (["*/15 * * * *"], "Europe/Paris")
    assert (cron["concurrencyPolicy"], cron["startingDeadlineSeconds"], cron["suspend"]) == (
        "Replace",
        300,
        True,
    )
    tick, params = spec["arguments"]["parameters"]
    assert tick == {"name": "fired-at", "value": "{{workflow.scheduledTime}}"}
    assert params == {"name": "params", "value": "{}"}
    assert (spec["activeDeadlineSeconds"], spec["nodeSelector"]) == (3600, {"pool": "etl"})
    (claim,) = spec["volumeClaimTemplates"]
    assert claim["spec"]["resources"]["requests"]["storage"] == "5Gi"
    known = templates(spec)
    depends = {task["name"]: task.get("depends") for task in known["main"]["dag"]["tasks"]}
    done = "({0}.Succeeded || {0}.Failed || {0}.Errored || {0}.Skipped || {0}.Omitted)"
    assert depends == {
        "api": None,
        "one": None,
        "two": "api",
        "three": f"{done.format('one')} && {done.format('two')}",
        "four": "one.Failed || one.Errored || two.Failed || two.Errored",
    }
    later = (
        EVERYTHING["pipelines/orders.yaml"]
        .replace("deadline: 1h, ", "")
        .replace("concurrency", "timeout: 90m\nconcurrency", 1)
    )
    other = rendered(project({**EVERYTHING, "pipelines/orders.yaml": later}))
    assert spec_of(objects(other["argo/shop-orders.yaml"]))["activeDeadlineSeconds"] == 5400
    one, two, api = known["task-one"], known["task-two"], known["task-api"]
    assert one["activeDeadlineSeconds"] == 300
    assert one["retryStrategy"]["backoff"] == {"duration": "10s", "factor": 2, "cap": "1h"}
    assert "[1, 2]" in one["retryStrategy"]["expression"]
    assert "expression" not in two["retryStrategy"]
    assert "retryStrategy" not in known["task-three"]
    (slot,) = one["synchronization"]["semaphores"]
    assert slot == {"configMapKeyRef": {"name": "shop-pools", "key": "heavy"}}
    assert yaml.safe_load(texts["argo/pools.yaml"])["data"] == {"heavy": "2"}
    assert api["daemon"] is True
    assert api["container"]["readinessProbe"]["httpGet"] == {"path": "/ok", "port": 3000}
    (address,) = next(t for t in known["main"]["dag"]["tasks"] if t["name"] == "two")["arguments"][
        "parameters"
    ]
    assert address == {"name": "api", "value": "{{tasks.api.ip}}"}
    (scripts,) = two["initContainers"]
    reached = json.loads(env_of(scripts)["WINDLASS_SERVICES"])["api"]
    assert reached == {
        "url": "http://{{inputs.parameters.api}}:3000",
        "host": "{{inputs.parameters.api}}",
        "port": 3000,
    }
    assert env_of(two["container"])["HOOK"] == {"secretKeyRef": {"name": "s", "key": "K"}}
    assert spec["onExit"] == "windlass-alarm"
    assert known["windlass-alarm-pod"]["container"]["command"][:3] == ["windlass", "alarm", "orders"]


def test_pods_are_observed_by_what_a_config_map_and_a_secret_say(project: Project) -> None:
    said = "namespace: data, config_maps: observability, secrets: observability-keys"
    project_file = EVERYTHING["windlass.yaml"].replace("namespace: data", said)
    texts = rendered(project(EVERYTHING | {"windlass.yaml": project_file}))
    found = [
        t["container"]
        for t in spec_of(objects(texts["argo/shop-orders.yaml"]))["templates"]
        if "container" in t
    ]
    assert len(found) == 6
    for container in found:
        assert container["envFrom"] == [
            {"secretRef": {"name": "observability-keys"}},
            {"configMapRef": {"name": "observability"}},
        ]


def test_what_nobody_schedules_is_submitted_by_hand_and_what_runs_once_is_a_workflow(
    project: Project,
) -> None:
    task = "tasks: {a: {sql: {statement: SELECT 1}}}\n"
    once = f"pipeline: once\nschedule: '@once'\nstart: 2021-10-02\n{task}"
    root = project({"pipelines/p.yaml": f"pipeline: p\n{task}", "pipelines/once.yaml": once})
    texts = rendered(root)
    assert objects(texts["argo/test-p.yaml"]).keys() == {"ConfigMap", "WorkflowTemplate"}
    found = objects(texts["argo/test-once.yaml"])
    assert found.keys() == {"ConfigMap", "Workflow"}
    container = templates(spec_of(found))["task-a"]["container"]
    assert env_of(container)["WINDLASS_LOGICAL_DATE"] == "2021-10-02T00:00:00+00:00"


def test_what_cannot_be_expressed_is_said_with_its_place(project: Project) -> None:
    text = """
pipeline: a
on_success: slack
catchup: true
start: 2026-01-01
defaults: {backoff: 1.5}
tasks:
  one: {trigger: {pipeline: b, wait: false}}
  two: {run: {image: acme/a, command: ["{{ ds }}"]}}
  three: {run: {image: acme/a, env: {A: {secret: s}}}}
  four: {on_failure: slack, run: {image: acme/a}}
"""
    other = "pipeline: b\ntasks: {a: {sql: {statement: SELECT 1}}}\n"
    slack = "project: test\nconnections: {slack: {type: slack}}\n"
    with pytest.raises(SpecError) as raised:
        rendered(project({"windlass.yaml": slack, "pipelines/a.yaml": text, "pipelines/b.yaml": other}))
    assert {(p.line, str(p.code)) for p in raised.value.problems} == {
        (3, "W0710"),
        (4, "W0710"),
        (6, "W0710"),
        (8, "W0710"),
        (9, "W0711"),
        (10, "W0710"),
        (11, "W0710"),
    }
    assert all(p.message.startswith("Argo ") for p in raised.value.problems)


# --- alarms -----------------------------------------------------------------------------------------


def _failures() -> Iterator[str]:
    """What Argo says of a workflow that failed: a list, or a text with one."""
    told = [
        {"displayName": "load(0)", "message": "Error (exit code 1)", "phase": "Failed"},
        {"displayName": "load(1)", "message": "Error (exit code 1)", "phase": "Failed"},
    ]
    yield json.dumps(told)
    yield json.dumps(json.dumps(told))


@pytest.mark.parametrize("failures", list(_failures()), ids=("list", "text"))
def test_an_alarm_says_which_tasks_of_which_run_failed(
    project: Project, monkeypatch: pytest.MonkeyPatch, failures: str
) -> None:
    root = project(EVERYTHING)
    plan = root / "plan.json"
    plan.write_text(to_json(compiled(load_project(root)).plans["orders"]))
    sent: list[Any] = []
    monkeypatch.setattr("windlass.alerts.delivery.deliver", lambda *told: sent.append(told))
    environ = {
        "WINDLASS_RUN_ID": "orders-x",
        "WINDLASS_FIRED_AT": "2026-11-30T06:00:00Z",
        "WINDLASS_FAILURES": failures,
    }
    done = CliRunner().invoke(cli, ["-C", str(root), "alarm", "orders", "--plan", str(plan)], env=environ)
    assert done.exception is None, done.output
    ((alert, name, connection, _),) = sent
    assert (alert.run_id, alert.logical_date) == ("orders-x", "2026-11-30T05:45:00+00:00")
    assert [(told.task, told.what) for told in alert.told] == [("load", "Error (exit code 1)")]
    assert (name, connection.type) == ("slack", "slack")


ENTRIES = {
    "windlass.yaml": "project: shop\nconnections: {db: {type: postgres}}\nimages: {registry: r.io/a}\n",
    "pipelines/cities.yaml": """
pipeline: cities
tasks:
  api: {service: {image: api:1, command: [serve], port: 80}}
  list: {run: {image: tools:1, command: [sh, -c, "list > out/cities.csv"]}}
  load:
    for_each: {of: list, path: "out/{{ ds }}.csv", name: "{{ each.city }}"}
    uses: api
    retries: 2
    backoff: 1
    kubernetes: {entrypoint: []}
    run: {image: tools:1, command: [load, "{{ each.city }}"], env: {DAY: "{{ ds }}"}}
  copies:
    for_each: {of: list, path: out/cities.csv, name: "{{ each.city }}"}
    trigger_rule: all_done
    copy: {from: {path: "in/{{ each.city }}.csv"}, to: {connection: db, table: t, mode: append}}
  report: {needs: [load, copies], run: {image: tools:1, command: [report]}}
""",
}


def test_a_task_of_each_entry_is_a_pod_for_each_item_that_a_step_before_it_lists(project: Project) -> None:
    spec = spec_of(objects(rendered(project(ENTRIES))["argo/shop-cities.yaml"]))
    steps = {task["name"]: task for task in templates(spec)["main"]["dag"]["tasks"]}
    assert list(steps) == ["api", "list", "entries-of-load", "load", "entries-of-copies", "copies", "report"]
    listing, load = steps["entries-of-load"], steps["load"]
    assert (listing["template"], listing["depends"]) == ("entries-of-load", "list && api")
    assert (load["template"], load["depends"]) == ("task-load", "entries-of-load")
    assert load["withParam"] == "{{tasks.entries-of-load.outputs.parameters.entries}}"
    assert load["arguments"]["parameters"][-1] == {"name": "windlass-entry", "value": "{{item}}"}
    assert "Skipped" in steps["entries-of-copies"]["depends"]
    assert steps["report"]["depends"] == "load && copies"


def test_what_lists_entries_is_windlass_and_a_pod_finds_its_own_in_its_environment(project: Project) -> None:
    made = templates(spec_of(objects(rendered(project(ENTRIES))["argo/shop-cities.yaml"])))
    listing = made["entries-of-load"]
    assert listing["container"]["image"].startswith("r.io/a/")
    assert listing["container"]["command"][:4] == ["windlass", "exec", "cities", "load"]
    assert listing["container"]["command"][-1] == "--entries=/windlass/entries/list.json"
    assert listing["outputs"]["parameters"] == [
        {"name": "entries", "valueFrom": {"path": "/windlass/entries/list.json"}}
    ]
    assert listing["retryStrategy"]["limit"] == 2
    assert [volume["name"] for volume in listing["volumes"]] == ["entries"]
    for name in ("task-load", "task-copies"):
        assert made[name]["inputs"]["parameters"][-1] == {"name": "windlass-entry"}
        assert env_of(made[name]["container"])["WINDLASS_ENTRY"] == "{{inputs.parameters.windlass-entry}}"
    (scripts,) = made["task-load"]["initContainers"]
    assert env_of(scripts)["WINDLASS_ENTRY"] == "{{inputs.parameters.windlass-entry}}"


PARTS = """
pipeline: big
schedule: "@daily"
tasks:
  load:
    retries: 2
    copy:
      from: {connection: db, table: orders}
      to: {connection: db, table: copied, mode: append}
      partition: {by: id, parts: 4}
  whole:
    copy: {from: {connection: db, table: orders}, to: {connection: db, table: all_of_it, mode: replace}, partition: {by: id, parts: 4}}
"""


def test_a_copy_whose_parts_can_be_loads_is_a_pod_for_each_of_them(project: Project) -> None:
    files = {
        "windlass.yaml": "project: shop\nconnections: {db: {type: postgres}}\n",
        "pipelines/big.yaml": PARTS,
    }
    made = templates(spec_of(objects(rendered(project(files))["argo/shop-big.yaml"])))
    steps = {task["name"]: task for task in made["main"]["dag"]["tasks"]}
    assert [*steps] == ["parts-of-load", "load", "whole"]
    assert steps["load"]["withParam"] == "{{tasks.parts-of-load.outputs.parameters.parts}}"
    assert steps["load"]["arguments"]["parameters"] == [{"name": "windlass-part", "value": "{{item}}"}]
    assert env_of(made["task-load"]["container"])["WINDLASS_PART"] == "{{inputs.parameters.windlass-part}}"
    assert made["task-load"]["retryStrategy"]["limit"] == 2  # of each part alone
    listing = made["parts-of-load"]["container"]
    assert listing["command"][-1] == "--parts=/windlass/parts/list.json"
    assert "WINDLASS_CONN_DB" in env_of(listing)  # it looks for the bounds, and keeps them in the ledger


def test_a_task_with_the_name_of_a_step_that_lists_entries_is_refused(project: Project) -> None:
    files = dict(ENTRIES)
    files["pipelines/cities.yaml"] += "  entries_of_load: {run: {image: tools:1, command: [x]}}\n"
    with pytest.raises(
        SpecError, match="one step of 'entries_of_load' and of what lists the entries of 'load'"
    ):
        rendered(project(files))


# --- triggers -----------------------------------------------------------------------------------------

TRIGGERING = {
    "windlass.yaml": """
project: shop
connections: {db: {type: postgres}, other: {type: postgres}, slack: {type: slack}}
pools: {few: 2}
""",
    "pipelines/all.yaml": """
pipeline: all
schedule: "@daily"
on_failure: slack
tasks:
  one: {sql: {connection: db, statement: SELECT 1}}
  load: {needs: one, retries: 2, timeout: 1h, trigger: {pipeline: load, params: {day: "{{ ds }}", n: 3}}}
  after: {needs: load, trigger_rule: all_done, sql: {connection: db, statement: SELECT 1}}
""",
    "pipelines/load.yaml": """
pipeline: load
params: {day: "", n: 1}
tasks:
  first: {pool: few, sql: {connection: other, statement: "SELECT {{ params.n }}"}}
  inner: {needs: first, trigger: {pipeline: inner}}
""",
    "pipelines/inner.yaml": "pipeline: inner\ntasks: {last: {sql: {connection: other, statement: SELECT 1}}}\n",
}


def test_a_pipeline_that_is_triggered_runs_in_the_workflow_of_who_triggers_it(project: Project) -> None:
    loaded = compiled(load_project(project(TRIGGERING)))
    options = TARGET.options(pipelines="all")
    texts = TARGET.render(loaded, options)
    found = objects(texts["argo/shop-all.yaml"])
    known = templates(spec_of(found))
    steps = {task["name"]: task for task in known["main"]["dag"]["tasks"]}
    assert [*steps] == ["one", "run-of-load", "load", "after"]
    assert steps["run-of-load"]["depends"] == "one"
    assert (steps["load"]["depends"], steps["load"]["template"]) == ("run-of-load", "in-load--main")
    told = ["windlass-logical-date", "windlass-run-key", "windlass-params"]
    given = {one["name"]: one["value"] for one in steps["load"]["arguments"]["parameters"]}
    assert given == {name: f"{{{{tasks.run-of-load.outputs.parameters.{name}}}}}" for name in told}
    command = known["run-of-load"]["container"]["command"]
    assert (command[:4], command[-1]) == (
        ["windlass", "exec", "all", "load"],
        "--hand-on=/windlass/handing-on",
    )
    dag = known["in-load--main"]
    assert dag["retryStrategy"]["limit"] == 2
    assert known["in-load--in-inner--task-last"]["activeDeadlineSeconds"] == 3600  # a DAG has no timeout
    assert [task["name"] for task in dag["dag"]["tasks"]] == ["first", "run-of-inner", "inner"]
    for name in ("in-load--task-first", "in-load--in-inner--task-last"):
        assert [one["name"] for one in known[name]["inputs"]["parameters"]] == told
    environment = env_of(known["in-load--in-inner--task-last"]["container"])
    assert environment["WINDLASS_RUN_ID"] == "{{workflow.name}}.load.inner"
    assert environment["WINDLASS_RUN_KEY"] == "{{inputs.parameters.windlass-run-key}}"
    assert "WINDLASS_FIRED_AT" not in environment
    plans = json.loads(found["ConfigMap"]["data"]["plan.json"])["pipelines"]
    assert plans.keys() == {"all", "load", "inner"}
    # whatever it starts needs what it needs
    assert yaml.safe_load(texts["argo/pools.yaml"])["data"] == {"few": "2"}
    needs = TARGET.needs(loaded, options)
    assert (needs.pipelines, [*needs.connections]) == (("all",), ["db", "other", "slack"])


def test_what_a_workflow_cannot_do_for_another_pipeline_is_refused(project: Project) -> None:
    files = dict(TRIGGERING)
    files["pipelines/inner.yaml"] += "kubernetes: {node_selector: {pool: large}}\n"
    files["pipelines/all.yaml"] += "  run_of_load: {trigger: {pipeline: inner, wait: false}}\n"
    with pytest.raises(SpecError) as raised:
        rendered(project(files))
    messages = [problem.message for problem in raised.value.problems]
    assert len(messages) == 4
    assert sum("leaves no run behind" in message for message in messages) == 1
    assert sum("'inner' in the same workflow" in message for message in messages) == 2
    assert sum("one step of 'run_of_load'" in message for message in messages) == 1


def test_the_run_that_is_triggered_has_the_date_of_who_triggers_it_and_parameters_that_arrive_exactly(
    project: Project, tmp_path: Path
) -> None:
    files = dict(TRIGGERING)
    odd = """$(HOME) $$ {{ '{{' }} it's "quoted" ü"""
    files["pipelines/all.yaml"] = files["pipelines/all.yaml"].replace(
        'day: "{{ ds }}"', f"day: {json.dumps(odd)}"
    )
    root, into = project(files), tmp_path / "told"
    into.mkdir()

    def told(**environ: str) -> dict[str, str]:
        command = ["-C", str(root), "exec", "all", "load", "--hand-on", str(into)]
        done = CliRunner().invoke(cli, command, env={"WINDLASS_RUN_ID": "all-x", **environ})
        assert done.exception is None, done.output
        return {file.name.removeprefix("windlass-"): file.read_text() for file in into.iterdir()}

    found = told(WINDLASS_FIRED_AT="2026-02-03T00:00:00Z")
    assert found["logical-date"] == found["run-key"] == "2026-02-02T00:00:00+00:00"
    assert json.loads(found["params"]) == {"day": """$(HOME) $$ {{ it's "quoted" ü""", "n": 3}
    assert not re.search(r"\$|\{\{", found["params"])  # Kubernetes and Argo would fill it in
    found = told(WINDLASS_FIRED_AT="by-hand", WINDLASS_STARTED_AT="2026-02-03T11:00:00Z")
    assert (found["logical-date"], found["run-key"]) == ("2026-02-03T11:00:00+00:00", "all-x.load")


def test_only_a_trigger_hands_on(project: Project) -> None:
    command = ["-C", str(project(TRIGGERING)), "exec", "all", "one", "--hand-on", "/"]
    done = CliRunner().invoke(cli, command, standalone_mode=False)
    assert done.return_value == 2
    assert "triggers no pipeline" in done.output


FAILED_NODES = [
    {"displayName": "all-x7", "templateName": "main"},
    {"displayName": "load(0)", "templateName": "in-load--main"},
    {"displayName": "load", "templateName": "in-load--main", "message": "No more retries left"},
    {"displayName": "first", "templateName": "in-load--task-first", "message": "child 'all-x7-1' failed"},
    {
        "displayName": "first(0)",
        "templateName": "in-load--task-first",
        "message": "main: Error (exit code 1)",
    },
]


@pytest.mark.parametrize("order", list(permutations(range(len(FAILED_NODES))))[::7])
def test_an_alarm_names_the_trigger_in_whose_run_something_failed(
    project: Project, order: tuple[int, ...]
) -> None:
    plan = compiled(load_project(project(TRIGGERING))).plans["all"]
    told = list(told_of(plan, json.dumps([FAILED_NODES[number] for number in order])))
    assert [(one.task, one.what) for one in told] == [("load", "first: main: Error (exit code 1)")]


# --- rights -------------------------------------------------------------------------------------------


def test_pods_have_an_account_with_a_role_that_notes_results_and_reach_only_each_other(
    project: Project,
) -> None:
    files = {
        "windlass.yaml": "project: shop\nconnections: {db: {type: postgres}}\nruntimes: {kubernetes: {namespace: etl}}\n",
        "pipelines/own.yaml": """
pipeline: own
kubernetes: {service_account: loader}
tasks: {a: {sql: {connection: db, statement: SELECT 1}}}
""",
        "pipelines/other.yaml": "pipeline: other\ntasks: {a: {sql: {connection: db, statement: SELECT 1}}}\n",
    }
    loaded = compiled(load_project(project(files)))
    texts = TARGET.render(loaded, TARGET.options(rbac=True, network_policy=True))
    account, role, binding = yaml.safe_load_all(texts["argo/rbac.yaml"])
    for one in (account, role, binding):
        kubernetes_validate.validate(one, "1.34", strict=True)
    assert role["rules"] == [
        {"apiGroups": ["argoproj.io"], "resources": ["workflowtaskresults"], "verbs": ["create", "patch"]}
    ]
    assert [subject["name"] for subject in binding["subjects"]] == [account["metadata"]["name"], "loader"]
    accounts = {}
    for name in ("own", "other"):
        _plan, owner, policy = yaml.safe_load_all(texts[f"argo/shop-{name}.yaml"])
        kubernetes_validate.validate(policy, "1.34", strict=True)
        pods = policy["spec"]["podSelector"]
        assert policy["spec"]["ingress"] == [{"from": [{"podSelector": pods}]}]
        assert pods["matchLabels"].items() <= owner["spec"]["podMetadata"]["labels"].items()
        accounts[name] = owner["spec"]["serviceAccountName"]
    assert accounts == {"own": "loader", "other": "shop-workflows"}
    assert "rbac.yaml" in texts["argo/kustomization.yaml"]


def test_a_role_is_bound_in_a_namespace_that_has_to_be_said(project: Project) -> None:
    files = {"pipelines/p.yaml": "pipeline: p\ntasks: {a: {run: {command: [echo]}}}\n"}
    with pytest.raises(UsageError, match="namespace"):
        TARGET.render(compiled(load_project(project(files))), TARGET.options(rbac=True))
