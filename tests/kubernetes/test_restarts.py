"""Programs of the cluster, and its node, are lost in the middle of copies. Nothing else may be under way meanwhile: `make cluster`
runs this file by itself.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.kubernetes.argo import Argo
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.programs import ARGO, NODE, PROGRAMS, Programs
from tests.kubernetes.test_pipelines import until_somebody_waits
from windlass.connectors.postgres.session import Session

WAITING = """
schedule: none
kubernetes: {{restarts: 3, workspace: shared}}
defaults: {{retries: 3, retry_delay: 1s}}
tasks:
  load:
    copy:
      from: {{connection: db, query: "SELECT i AS id, CASE WHEN i = 50000 THEN pg_advisory_lock({lock})::text END AS waited FROM generate_series(1, 100000) AS i"}}
      to: {{connection: db, table: {table}, mode: append}}
"""
TABLES = ("of_job", "of_workflow")
LOCK = 42


@pytest.mark.parametrize("lost", [(*PROGRAMS, ARGO), (NODE,)], ids=["programs", "node"])
def test_a_copy_is_made_once_whatever_is_started_again_in_its_middle(
    lost: tuple[str, ...],
    cluster: Cluster,
    argo: Argo,
    programs: Programs,
    exported: Callable[..., str],
    session: Session,
) -> None:
    job = exported(f"job-{lost[0]}", WAITING.format(lock=LOCK, table=TABLES[0]))
    workflow = exported(f"flow-{lost[0]}", WAITING.format(lock=LOCK + 1, table=TABLES[1]), target="argo")
    session.execute(f"SELECT pg_advisory_lock({LOCK}), pg_advisory_lock({LOCK + 1})")
    cluster.start(job, f"{job}-1")
    run = argo.submit(f"workflowtemplate/{workflow}")
    for lock in (LOCK, LOCK + 1):
        until_somebody_waits(session, set(), lock)
    for name in lost:
        programs.restart(name)
        cluster.until_ready()
    session.execute(f"SELECT pg_advisory_unlock({LOCK}), pg_advisory_unlock({LOCK + 1})")
    assert cluster.ended(f"{job}-1") == "Complete"
    assert argo.ended(run)["status"]["phase"] == "Succeeded"
    for table in TABLES:
        counted = session.fetch(f"SELECT count(*), count(DISTINCT id) FROM {table}")
        assert [tuple(row) for row in counted] == [(100_000, 100_000)]
