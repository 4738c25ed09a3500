"""Pipelines that were exported to Argo Workflows, on a real cluster with its controller."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.conftest import Output
from tests.kubernetes.argo import Argo
from tests.kubernetes.cluster import Cluster, Door
from tests.kubernetes.hook import hook
from windlass.connectors.postgres.session import Session

Exported = Callable[..., str]


def ended(workflow: dict[str, Any]) -> list[tuple[str, str, str]]:
    """What became of each step, and why."""
    nodes = workflow["status"]["nodes"].values()
    return [(node["displayName"], node["phase"], node.get("message", "")) for node in nodes]


def phases(workflow: dict[str, Any]) -> dict[str, str]:
    """What became of each pod."""
    nodes = workflow["status"]["nodes"].values()
    return {node["displayName"]: node["phase"] for node in nodes if node["type"] == "Pod"}


DAG = """
schedule: "*/5 * * * *"
kubernetes: {workspace: shared, suspend: true}
defaults: {retries: 1, retry_delay: 1s}
tasks:
  api:
    kubernetes: {entrypoint: []}
    service:
      image: python:3.12-slim
      command: [python, -c, "import http.server as h, os; h.test(h.SimpleHTTPRequestHandler, port=int(os.environ['PORT']), bind='0.0.0.0')"]
      port: 8099
      health: /
  ask:
    uses: api
    kubernetes: {entrypoint: []}
    run:
      image: python:3.12-slim
      command: [python, -c, "import sys, urllib.request as u; assert u.urlopen(sys.argv[1]).status == 200; open('/data/out.csv', 'w').write('day,hook\\\\n{{ ds }},' + __import__('os').environ['HOOK'])", "{{ services.api.url }}"]
      env: {HOOK: {secret: argo-webhook, key: WEBHOOK_ETL}}
  load:
    needs: ask
    copy: {from: {path: out.csv}, to: {connection: db, table: asked, mode: append}}
"""


def test_a_dag_with_a_daemon_loads_a_tick_once_however_often_it_is_submitted(
    argo: Argo, cluster: Cluster, exported: Exported, session: Session
) -> None:
    cluster.secret("argo-webhook", WEBHOOK_ETL="hook-value")
    name = exported("dag", DAG, target="argo")
    for _ in range(2):
        workflow = argo(f"cronwf/{name}", "--parameter=fired-at=2026-02-01T00:05:00Z")
        assert workflow["status"]["phase"] == "Succeeded", ended(workflow)
    assert {tuple(row) for row in session.fetch("SELECT day::text, hook FROM asked")} == {
        ("2026-02-01", "hook-value")
    }
    assert session.value("SELECT count(*) FROM asked") == 1
    assert session.value("SELECT run_key FROM _windlass_loads") == "2026-02-01T00:00:00+00:00"


ENTRIES = """
schedule: none
kubernetes: {workspace: shared}
tasks:
  list:
    kubernetes: {entrypoint: []}
    run:
      image: debian:bookworm-slim
      command: [sh, -c, 'printf "city,n\\nParis,1\\nRome,2\\nOslo,3\\n" > /data/cities.csv; printf "city,n\\n" > /data/nowhere.csv']
  load:
    for_each: {of: list, path: cities.csv, name: "{{ each.city }}"}
    copy:
      from: {connection: db, query: "SELECT '{{ each.city }}' AS city, {{ each.n }} AS n"}
      to: {connection: db, table: "city_{{ each.n }}", mode: append}
  nothing:
    for_each: {of: list, path: nowhere.csv, name: "{{ each.city }}"}
    sql: {connection: db, statement: SELECT no_such_column}
  after: {needs: [load, nothing], sql: {connection: db, statement: CREATE TABLE all_done AS SELECT 1}}
"""


def test_each_entry_that_a_task_has_written_is_a_pod(
    argo: Argo, exported: Exported, session: Session
) -> None:
    name = exported("entries", ENTRIES, target="argo")
    workflow = argo(f"workflowtemplate/{name}")
    assert workflow["status"]["phase"] == "Succeeded", ended(workflow)
    found = [session.value(f"SELECT city FROM city_{number}") for number in (1, 2, 3)]
    assert found == ["Paris", "Rome", "Oslo"]
    assert session.value("SELECT count(*) FROM all_done") == 1


OUTER = """
schedule: "*/5 * * * *"
on_failure: slack
kubernetes: {workspace: shared, suspend: true}
defaults: {retries: 1, retry_delay: 1s, timeout: 5m}
tasks:
  write:
    kubernetes: {entrypoint: []}
    run: {image: debian:bookworm-slim, command: [sh, -c, 'printf "day\\n{{ ds }}\\n" > /data/outer.csv']}
  inner: {needs: write, trigger: {pipeline: inner, params: {text: "$(HOME) $$ it's {{ '{{' }} \\"{{ ds }}\\"", wrong: %s}}}
  after: {needs: inner, sql: {connection: db, statement: SELECT count(*) FROM triggered}}
"""
INNER = """
kubernetes: {workspace: shared}
params: {text: "", wrong: false}
tasks:
  load: {copy: {from: {path: outer.csv}, to: {connection: db, table: triggered, mode: append}}}
  note:
    needs: load
    kubernetes: {entrypoint: []}
    run: {image: debian:bookworm-slim, command: [sh, -c, 'printf "text\\n%s\\n" "$TEXT" > /data/inner.csv'], env: {TEXT: "{{ params.text }}"}}
  told: {needs: note, copy: {from: {path: inner.csv, csv: {quote: "~"}}, to: {connection: db, table: told, mode: append}}}
  fails: {needs: told, sql: {connection: db, statement: "SELECT 1 / (CASE WHEN {{ params.wrong }} THEN 0 ELSE 1 END)"}}
"""


def test_a_pipeline_triggers_another_with_its_date_its_workspace_and_parameters(
    argo: Argo, exported: Exported, session: Session
) -> None:
    name = exported("outer", OUTER % "false", target="argo", inner=INNER)
    for _ in range(2):
        workflow = argo(f"cronwf/{name}", "--parameter=fired-at=2026-02-01T00:05:00Z")
        assert workflow["status"]["phase"] == "Succeeded", ended(workflow)
    assert [row[0] for row in session.fetch("SELECT day::text FROM triggered")] == ["2026-02-01"]
    texts = [row[0] for row in session.fetch("SELECT text FROM told")]
    assert texts == ["""$(HOME) $$ it's {{ "2026-02-01\""""]
    loads = session.fetch("SELECT DISTINCT pipeline, run_key FROM _windlass_loads")
    assert [tuple(row) for row in loads] == [("inner", "2026-02-01T00:00:00+00:00")]


def test_what_fails_in_a_run_that_was_triggered_is_told_of_the_task_that_triggered_it(
    argo: Argo, exported: Exported, node: str
) -> None:
    with hook() as (told, port), Door(node, port) as door:
        slack = f"http://{node}:{door.port}/hook"
        name = exported("outer-wrong", OUTER % "true", slack, target="argo", inner=INNER)
        workflow = argo(f"cronwf/{name}", "--parameter=fired-at=by-hand")
    assert workflow["status"]["phase"] == "Failed"
    assert not any(task.startswith("after") for task in phases(workflow))
    (message,) = told
    text = json.dumps(message)
    assert "*inner*: fails: " in text
    assert "exit code 1" in text
    assert workflow["metadata"]["name"] + "*" not in text  # of the DAG as a whole there is nothing to say


DAILY = """
schedule: "0 5 * * *"
kubernetes: {workspace: shared, suspend: true}
params: {n: 1}
tasks:
  load: {copy: {from: {connection: db, query: "SELECT '{{ ds }}' AS day, {{ params.n }} AS n"}, to: {connection: db, table: days, mode: append}}}
"""


def test_past_dates_are_workflows_that_load_each_once_one_after_the_other(
    argo: Argo,
    cluster: Cluster,
    exported: Exported,
    windlass: Callable[..., Output],
    tmp_path: Path,
    session: Session,
) -> None:
    name = exported("days", DAILY, target="argo")
    argo(f"cronwf/{name}", "--parameter=fired-at=2026-02-03T05:00:00Z")  # one of them has been loaded before
    dates = ("--from=2026-02-01", "--to=2026-02-03")
    made = windlass("-C", tmp_path / "project", "backfill", name, *dates, "--as=argo")
    assert made.code == 0, made.stderr
    image = cluster.json("get", "cronworkflow", name)["spec"]["workflowSpec"]
    text = made.stdout.replace(f"image: {name}:latest", f"image: {_image_of(image)}")
    applied = cluster("apply", "--filename=-", "--output=name", given=text)
    workflows = [one for one in applied.split() if one.startswith("workflow")]
    assert len(workflows) == 3
    for workflow in workflows:
        cluster.until("jsonpath={.status.phase}=Succeeded", workflow)
    rows = session.fetch("SELECT day, n FROM days ORDER BY day")
    assert [tuple(row) for row in rows] == [("2026-02-01", 1), ("2026-02-02", 1), ("2026-02-03", 1)]
    assert "created" not in cluster("apply", "--filename=-", given=text)  # they are the same however often


def _image_of(workflow: dict[str, Any]) -> str:
    return next(str(one["container"]["image"]) for one in workflow["templates"] if "container" in one)


EVERY_MINUTE = """
schedule: "* * * * *"
kubernetes: {workspace: shared}
tasks:
  load: {copy: {from: {connection: db, query: "SELECT 1 AS id"}, to: {connection: db, table: ticks, mode: append}}}
"""


def test_a_cron_workflow_hands_on_its_tick(
    argo: Argo, cluster: Cluster, exported: Exported, session: Session
) -> None:
    name = exported("cron", EVERY_MINUTE, target="argo")
    workflow = cluster.first("workflows", name)
    cluster("patch", "cronworkflow", name, "--type=merge", '--patch={"spec": {"suspend": true}}')
    cluster.until("jsonpath={.status.phase}=Succeeded", f"workflow/{workflow}")
    noted = cluster.json("get", "workflow", workflow)["metadata"]["annotations"]
    fired = datetime.fromisoformat(noted["workflows.argoproj.io/scheduled-time"]).astimezone(UTC)
    keys = [row[0] for row in session.fetch("SELECT run_key FROM _windlass_loads")]
    assert (fired - timedelta(minutes=1)).isoformat() in keys


FAILING = """
schedule: none
on_failure: slack
kubernetes: {workspace: shared}
defaults: {retries: 3, retry_delay: 1s}
tasks:
  wrong: {sql: {connection: db, statement: SELECT no_such_column}}
  after: {needs: wrong, trigger_rule: all_done, sql: {connection: db, statement: SELECT 1}}
  never: {needs: wrong, sql: {connection: db, statement: SELECT 1}}
"""


def test_what_cannot_succeed_is_tried_once_and_its_end_tells(
    argo: Argo, exported: Exported, node: str
) -> None:
    with hook() as (told, port), Door(node, port) as door:
        name = exported("wrong", FAILING, f"http://{node}:{door.port}/hook", target="argo")
        workflow = argo(f"workflowtemplate/{name}")
    assert workflow["status"]["phase"] == "Failed"
    of_pods = phases(workflow)
    assert of_pods["wrong(0)"] == "Failed"
    assert "wrong(1)" not in of_pods
    assert {task.partition("(")[0]: phase for task, phase in of_pods.items()}["after"] == "Succeeded"
    assert not any(task.startswith("never") for task in of_pods)
    (message,) = told
    assert "wrong" in json.dumps(message)
