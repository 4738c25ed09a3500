"""Pods are lost at random moments of a copy, as often as `--faults` says. By hand, and not part of the suite:

pytest -n0 -s tests/kubernetes/kills.py --faults=100
"""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import islice

import pytest

from tests.kubernetes.cluster import Cluster
from windlass.connections.address import Address
from windlass.connectors.postgres.session import Session

ROWS = 100_000
LANES = 3  # pipelines side by side, so that the waits of Jobs between two pods are used

PIPELINE = """
schedule: none
kubernetes: {{restarts: 6}}
tasks:
  load:
    copy:
      from: {{connection: db, query: "SELECT i AS id, md5(i::text) AS text FROM generate_series(1, {rows}) AS i"}}
      to: {{connection: db, table: lane_{lane}, mode: append}}
"""


def test_rows_are_exact_however_often_pods_are_lost(
    cluster: Cluster, exported: Callable[..., str], database: Address, request: pytest.FixtureRequest
) -> None:
    wanted, seed = int(request.config.getoption("faults")), int(request.config.getoption("seed"))
    lanes = []
    for number in range(LANES):
        name = exported(f"lane-{number}", PIPELINE.format(rows=ROWS, lane=number))
        lanes.append(_Lane(cluster, name, random.Random(seed + number), -(-wanted // LANES)))
    with ThreadPoolExecutor(LANES) as pool:
        done = list(pool.map(_Lane.play, lanes))
    kills = sum((each for each in done), Counter[str]())
    session = Session(database)
    for number, lane in enumerate(lanes):
        loaded = f"SELECT times, count(*) FROM (SELECT count(*) AS times FROM lane_{number} GROUP BY id) GROUP BY 1"
        assert [tuple(row) for row in session.fetch(loaded)] == [(len(lane.jobs), ROWS)]
    session.close()
    runs = sum(len(lane.jobs) for lane in lanes)
    print(f"\n{dict(kills)} in {runs} runs of {ROWS:,} rows, seed {seed}: none lost, none doubled")  # noqa: T201


class _Lane:
    """A pipeline whose pods are lost again and again."""

    def __init__(self, cluster: Cluster, name: str, chance: random.Random, wanted: int) -> None:
        self._cluster, self._name, self._chance, self._wanted = cluster, name, chance, wanted
        self._killed = Counter[str]()
        self.jobs: list[str] = []

    def play(self) -> Counter[str]:
        seconds = 0.0
        while sum(self._killed.values()) < self._wanted:
            job = f"{self._name}-run-{len(self.jobs)}"
            self.jobs.append(job)
            self._cluster.start(self._name, job)
            pods = self._started(job)
            for pod in islice(pods, self._chance.randint(1, 2) if seconds else 0):
                time.sleep(self._chance.uniform(0, seconds))
                self._kill(pod)
            assert self._cluster.ended(job) == "Complete", self._cluster("logs", f"job/{job}")
            seconds = seconds or self._lasted(job)  # that of the first run, which is left in peace
        return self._killed

    def _lasted(self, job: str) -> float:
        """How long its container has run, in seconds."""
        (pod,) = self._cluster.pods(job)
        ended = pod["status"]["containerStatuses"][0]["state"]["terminated"]
        first, last = (datetime.fromisoformat(ended[key]) for key in ("startedAt", "finishedAt"))
        return max(1.0, (last - first).total_seconds())

    def _started(self, job: str) -> Iterator[str]:
        """Each pod of the Job, as soon as its container has started; until the Job has ended."""
        known: set[str] = set()
        while True:
            for pod in self._cluster.pods(job):
                name, phase = pod["metadata"]["name"], pod["status"]["phase"]
                if name not in known and phase == "Running" and "deletionTimestamp" not in pod["metadata"]:
                    known.add(name)
                    yield name
            if self._cluster.json("get", "job", job)["status"].get("conditions"):
                return
            time.sleep(0.1)

    def _kill(self, pod: str) -> None:
        """By SIGKILL, by SIGTERM, or by an eviction; one that has ended meanwhile counts for nothing."""
        how = self._chance.choice(["killed", "deleted", "evicted"])
        found = self._cluster.json(
            "get", "pods", f"--field-selector=metadata.name={pod},status.phase=Running"
        )
        if not found["items"]:
            return
        if how == "evicted":
            path = f"/api/v1/namespaces/{self._cluster.namespace}/pods/{pod}/eviction"
            eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod}}
            self._cluster("create", "--raw", path, "--filename=-", given=json.dumps(eviction))
        else:
            at_once = ["--grace-period=0", "--force"] if how == "killed" else ["--wait=false"]
            self._cluster("delete", "pod", pod, "--ignore-not-found", *at_once)
        self._killed[how] += 1
