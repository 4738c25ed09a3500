"""Pipelines that were exported to Kubernetes, on a real cluster: they run, fail, are put out, and load each row once."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from tests.conftest import Output
from tests.kubernetes.cluster import Cluster, Door
from tests.kubernetes.hook import hook
from windlass.connections.address import Address
from windlass.connectors.postgres.session import Session

Windlass = Callable[..., Output]
Url = Callable[[Address], str]
Exported = Callable[..., str]

# --- tests ------------------------------------------------------------------------------------------

CHAIN = """
schedule: none
defaults: {retries: 1, timeout: 5m}
tasks:
  api:
    kubernetes: {entrypoint: []}
    service:
      image: python:3.12-slim
      command: [python, -c, "import http.server as h, os; h.test(h.SimpleHTTPRequestHandler, port=int(os.environ['PORT']), bind='0.0.0.0')"]
      port: 8099
      health: /
  first:
    kubernetes: {entrypoint: []}
    run:
      image: debian:bookworm-slim
      command: [sh, -c, 'printf "day,hook,text\\n{{ ds }},$HOOK,%s\\n" "$TEXT" > /data/out.csv']
      env: {HOOK: {secret: slack-webhook, key: WEBHOOK_ETL}, TEXT: "$(HOME) it's {{ params.word }}"}
  second:
    needs: first
    uses: api
    kubernetes: {entrypoint: []}
    run:
      image: python:3.12-slim
      command: [python, -c, "import sys, urllib.request as u; assert u.urlopen(sys.argv[1]).status == 200", "{{ services.api.url }}"]
  third:
    needs: second
    copy: {from: {path: out.csv}, to: {connection: db, table: chained, mode: append}}
params: {word: "'quoted'"}
"""


def test_containers_run_in_turn_with_a_sidecar_a_secret_under_another_name_and_one_workspace(
    cluster: Cluster, exported: Exported, session: Session
) -> None:
    cluster.secret("slack-webhook", WEBHOOK_ETL="hook-value")
    name = exported("chain", CHAIN)
    for job in ("by-hand", "by-hand-again"):
        cluster.start(name, job)
        assert cluster.ended(job) == "Complete", cluster("logs", f"job/{job}", "--all-containers")
    rows = session.fetch("SELECT day::text, hook, text FROM chained")
    assert {tuple(row) for row in rows} == {
        (datetime.now(UTC).date().isoformat(), "hook-value", "$(HOME) it's 'quoted'")
    }
    assert len(rows) == 2  # two runs by hand are two runs
    keys = [row[0] for row in session.fetch("SELECT run_key FROM _windlass_loads ORDER BY 1")]
    assert keys == ["by-hand", "by-hand-again"]


EVERY_MINUTE = """
schedule: "* * * * *"
tasks:
  load: {copy: {from: {connection: db, query: "SELECT 1 AS id"}, to: {connection: db, table: ticks, mode: append}}}
"""


def test_a_cron_job_fires_and_its_run_is_that_of_its_tick_however_often_it_is_started(
    cluster: Cluster, exported: Exported, session: Session
) -> None:
    name = exported("ticks", EVERY_MINUTE)
    job = cluster.first("jobs", name)
    cluster("patch", "cronjob", name, "--patch", '{"spec": {"suspend": true}}')
    assert cluster.ended(job) == "Complete", cluster("logs", f"job/{job}")
    fired = datetime.fromtimestamp(int(job.rpartition("-")[2]) * 60, UTC)
    cluster("delete", "job", job)
    cluster.start(name, job)  # somebody submits the same run again
    assert cluster.ended(job) == "Complete"
    loads = session.fetch(
        "SELECT run_key, rows_written FROM _windlass_loads WHERE run_key = $1", _tick_before(fired)
    )
    assert [tuple(load) for load in loads] == [(_tick_before(fired), 1)]
    jobs = cluster.json("get", "jobs", f"--selector=app.kubernetes.io/name={name}")["items"]
    assert session.value("SELECT count(*) FROM ticks") <= len(jobs)


def _tick_before(fired: datetime) -> str:
    return (fired - timedelta(minutes=1)).isoformat()


WAITING = """
schedule: none
kubernetes: {restarts: 1}
tasks:
  load:
    copy:
      from: {connection: db, query: "SELECT i AS id, CASE WHEN i = 50000 THEN pg_advisory_lock(42)::text END AS waited FROM generate_series(1, 100000) AS i"}
      to: {connection: db, table: waited, mode: append}
"""


def test_a_copy_whose_pod_is_evicted_and_then_deleted_in_the_middle_is_made_once(
    cluster: Cluster, exported: Exported, session: Session
) -> None:
    name = exported("waiting", WAITING)
    session.execute("SELECT pg_advisory_lock(42)")
    cluster.start(name, "lost")
    copying = until_somebody_waits(session, set())
    (first,) = _names(cluster, "lost")
    _evict(cluster, first)  # which counts for nothing
    cluster.until("delete", f"pod/{first}")
    until_somebody_waits(session, copying)
    (second,) = _names(cluster, "lost")
    cluster("delete", "pod", second, "--grace-period=0", "--force")  # killed at once; the one that may be
    session.execute("SELECT pg_advisory_unlock(42)")
    assert cluster.ended("lost") == "Complete", cluster("logs", "job/lost")
    assert len({first, second, *_names(cluster, "lost")}) == 3
    assert session.value("SELECT count(*) FROM waited") == 100_000
    assert session.value("SELECT count(DISTINCT id) FROM waited") == 100_000


def _evict(cluster: Cluster, pod: str) -> None:
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod}}
    path = f"/api/v1/namespaces/{cluster.namespace}/pods/{pod}/eviction"
    cluster("create", "--raw", path, "--filename=-", given=json.dumps(eviction))


def _names(cluster: Cluster, job: str) -> list[str]:
    return [pod["metadata"]["name"] for pod in cluster.pods(job)]


def until_somebody_waits(session: Session, known: set[object], lock: int = 42) -> set[object]:
    """The server's processes that wait in the middle of a copy, as soon as there is another one among them."""
    waiting = f"SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = {lock} AND NOT granted"
    for _ in range(3_000):
        found = session.fetch(waiting)
        if others := {row[0] for row in found} - known:
            return others | known
        session.execute("SELECT pg_sleep(0.1)")
    raise AssertionError("no pod has begun to copy")


FAILING = """
schedule: none
on_failure: slack
defaults: {retries: 5}
tasks:
  right: {sql: {connection: db, statement: SELECT 1}}
  wrong: {needs: right, sql: {connection: db, statement: SELECT no_such_column}}
"""


def test_what_cannot_succeed_fails_once_and_tells(cluster: Cluster, exported: Exported, node: str) -> None:
    with hook() as (told, port), Door(node, port) as door:
        name = exported("failing", FAILING, f"http://{node}:{door.port}/hook")
        cluster.start(name, "wrong")
        assert cluster.ended("wrong") == "Failed"
    assert len(cluster.pods("wrong")) == 1
    (message,) = told
    assert "no_such_column" in json.dumps(message)
