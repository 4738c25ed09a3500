"""Pods, programs of the cluster and its node are lost at random moments of a copy, as often as `--faults` says. By hand, and not
part of the suite:

pytest -n0 -s tests/kubernetes/kills.py --faults=100 [-k argo]

Programs are killed where `WINDLASS_TEST_KUBERNETES_PIDS` says which they are, and nothing else may be under way then.
"""

from __future__ import annotations

import json
import os
import random
import threading
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import nullcontext
from datetime import datetime
from itertools import count, islice
from typing import Any

import pytest

from tests.kubernetes.argo import Argo
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.programs import ARGO, NODE, PROGRAMS, Programs
from windlass.connections.address import Address
from windlass.connectors.postgres.session import Session

ROWS = 100_000
LANES = 3  # pipelines side by side, so that the waits between two pods are used
_ROUNDS = 25  # of looking for pods, between two times that a workflow is woken
OF_PODS = ("killed", "deleted", "evicted")

PIPELINE = """
schedule: none
kubernetes: {{restarts: 9, workspace: {workspace}}}
defaults: {{retries: 9, retry_delay: 1s, backoff: 1}}
tasks:
  load:
    copy:
      from: {{connection: db, query: "SELECT i AS id, md5(i::text) AS text FROM generate_series(1, {rows}) AS i"}}
      to: {{connection: db, table: lane_{lane}, mode: append}}
"""


@pytest.fixture(scope="module")
def kept_up() -> Iterator[Programs | None]:
    """The programs of the cluster, where somebody says which they are."""
    files = os.environ.get("WINDLASS_TEST_KUBERNETES_PIDS")
    with Programs.kept_up(files) if files else nullcontext() as programs:
        yield programs


@pytest.mark.parametrize("target", ["kubernetes", "argo"])
def test_rows_are_exact_whatever_is_lost_however_often(
    target: str,
    cluster: Cluster,
    kept_up: Programs | None,
    database: Address,
    request: pytest.FixtureRequest,
) -> None:
    wanted, seed = int(request.config.getoption("faults")), int(request.config.getoption("seed"))
    exported, lanes = request.getfixturevalue("exported"), list[_Lane]()
    argo: Argo | None = request.getfixturevalue("argo") if target == "argo" else None
    for number in range(LANES):
        pipeline = PIPELINE.format(rows=ROWS, lane=number, workspace="shared" if argo else "null")
        name = exported(f"lane-{number}", pipeline, target=target)
        killer = _Killer(cluster, kept_up, random.Random(seed + number), has_argo=argo is not None)
        lanes.append(_OfWorkflows(argo, name, killer) if argo else _OfJobs(cluster, name, killer))
    _play(lanes, -(-wanted // LANES))
    session = Session(database)
    for number, lane in enumerate(lanes):
        loaded = f"SELECT times, count(*) FROM (SELECT count(*) AS times FROM lane_{number} GROUP BY id) GROUP BY 1"
        assert [tuple(row) for row in session.fetch(loaded)] == [(len(lane.runs), ROWS)]
    session.close()
    kills = sum((lane.killer.lost for lane in lanes), Counter[str]())
    runs = sum(len(lane.runs) for lane in lanes)
    print(  # noqa: T201
        f"\n{target}: {kills.total()} losses, {dict(kills)}, in {runs} runs of {ROWS:,} rows, seed {seed}: no row lost, none doubled"
    )


def _play(lanes: Sequence[_Lane], wanted: int) -> None:
    """Play all side by side; the first that goes wrong ends the others, too."""
    with ThreadPoolExecutor(LANES) as pool:
        playing = [pool.submit(lane.play, wanted) for lane in lanes]
        wait(playing, return_when=FIRST_EXCEPTION)
        for lane in lanes:
            lane.is_stopped.set()
        for each in playing:
            each.result()


class _Killer:
    """Loses what it is told to, and counts."""

    _alone = threading.Lock()  # one program at a time

    def __init__(
        self, cluster: Cluster, programs: Programs | None, chance: random.Random, *, has_argo: bool
    ) -> None:
        self.chance, self.lost = chance, Counter[str]()
        self._cluster, self._programs = cluster, programs
        of_programs = (*PROGRAMS, NODE, *((ARGO,) if has_argo else ())) if programs is not None else ()
        self._ways = (*OF_PODS * 2, *of_programs, *of_programs[-1:])  # Argo's, or the node, more often

    def lose(self, pod: str) -> None:
        """A pod by SIGKILL, by SIGTERM or by an eviction; or a program of the cluster while that pod runs. One that has ended
        meanwhile counts for nothing.
        """
        how = self.chance.choice(self._ways)
        found = patiently(
            lambda: self._cluster.json(
                "get", "pods", f"--field-selector=metadata.name={pod},status.phase=Running"
            )
        )
        if not found["items"]:
            return
        if how not in OF_PODS:
            assert self._programs is not None
            with self._alone:
                self._programs.restart(how)
                self._cluster.until_ready()
        elif how == "evicted":
            path = f"/api/v1/namespaces/{self._cluster.namespace}/pods/{pod}/eviction"
            eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod}}
            try:
                patiently(
                    lambda: self._cluster("create", "--raw", path, "--filename=-", given=json.dumps(eviction))
                )
            except AssertionError as exc:
                if "not found" not in str(exc):
                    raise
                return  # it has ended meanwhile
        else:
            at_once = ["--grace-period=0", "--force"] if how == "killed" else ["--wait=false"]
            patiently(lambda: self._cluster("delete", "pod", pod, "--ignore-not-found", *at_once))
        self.lost[how] += 1


class _Lane(ABC):
    """A pipeline whose pods are lost again and again."""

    def __init__(self, cluster: Cluster, name: str, killer: _Killer) -> None:
        self.cluster, self.name, self.killer = cluster, name, killer
        self.runs: list[str] = []
        self.is_stopped = threading.Event()

    def play(self, wanted: int) -> None:
        seconds = 0.0
        while self.killer.lost.total() < wanted and not self.is_stopped.is_set():
            self.runs.append(patiently(self.start))
            pods = self._started()
            for pod in islice(pods, self.killer.chance.randint(1, 2) if seconds else 0):
                time.sleep(self.killer.chance.uniform(0, seconds))
                self.killer.lose(pod)
            assert patiently(self.has_succeeded), self.runs[-1]
            seconds = seconds or max(
                1.0, patiently(self.lasted)
            )  # that of the first run, which is left in peace

    @abstractmethod
    def start(self) -> str:
        """Start another run. What it is called."""

    @abstractmethod
    def has_succeeded(self) -> bool:
        """Whether the last run has, as soon as it has ended."""

    @abstractmethod
    def is_over(self) -> bool:
        """Whether the last run has ended."""

    @abstractmethod
    def selector(self) -> str:
        """What finds the pods of the last run."""

    @abstractmethod
    def lasted(self) -> float:
        """How long the container of the last run has run, in seconds."""

    def wake(self) -> None:  # noqa: B027 - Jobs go on by themselves
        """Have whoever starts the pods of the last run look at it again."""

    def pods(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = patiently(
            lambda: self.cluster.json("get", "pods", f"--selector={self.selector()}")
        )["items"]
        return found

    def _started(self) -> Iterator[str]:
        """Each pod of the run, as soon as its container has started; until the run has ended."""
        known: set[str] = set()
        for round_ in count(1):
            for pod in self.pods():
                name, phase = pod["metadata"]["name"], pod["status"]["phase"]
                if name not in known and phase == "Running" and "deletionTimestamp" not in pod["metadata"]:
                    known.add(name)
                    yield name
            if patiently(self.is_over):
                return
            if round_ % _ROUNDS == 0:
                self.wake()
            time.sleep(0.1)


class _OfJobs(_Lane):
    def start(self) -> str:
        job = f"{self.name}-run-{len(self.runs)}"
        if f"job.batch/{job}" not in self.cluster("get", "jobs", "--output=name"):
            self.cluster.start(self.name, job)
        return job

    def has_succeeded(self) -> bool:
        return self.cluster.ended(self.runs[-1]) == "Complete"

    def is_over(self) -> bool:
        return bool(self.cluster.json("get", "job", self.runs[-1])["status"].get("conditions"))

    def selector(self) -> str:
        return f"job-name={self.runs[-1]}"

    def lasted(self) -> float:
        (pod,) = self.pods()
        ended = pod["status"]["containerStatuses"][0]["state"]["terminated"]
        return _seconds(ended)


class _OfWorkflows(_Lane):
    def __init__(self, argo: Argo, name: str, killer: _Killer) -> None:
        super().__init__(argo.cluster, name, killer)
        self._argo = argo

    def start(self) -> str:
        return self._argo.submit(f"workflowtemplate/{self.name}", f"--name={self.name}-{len(self.runs)}")

    def has_succeeded(self) -> bool:
        return bool(self._argo.ended(self.runs[-1])["status"]["phase"] == "Succeeded")

    def is_over(self) -> bool:
        found = self._argo.workflow(self.runs[-1]).get("status", {}).get("phase")
        return found in ("Succeeded", "Failed", "Error")

    def wake(self) -> None:
        self._argo.wake(self.runs[-1])

    def selector(self) -> str:
        return f"workflows.argoproj.io/workflow={self.runs[-1]}"

    def lasted(self) -> float:
        """About half of a pod's time is that of the containers around it."""
        nodes = self._argo.workflow(self.runs[-1])["status"]["nodes"].values()
        return max(_seconds(node) for node in nodes if node["type"] == "Pod") / 2


def _seconds(of: dict[str, Any]) -> float:
    first, last = (datetime.fromisoformat(of[key]) for key in ("startedAt", "finishedAt"))
    return (last - first).total_seconds()


_AWAY = ("refused", "EOF", "reset", "TLS", "not ready", "timeout", "unable to", "closed", "etcdserver")


def patiently(ask: Callable[[], Any]) -> Any:
    """What the cluster answers, which may be away for a moment."""
    for _ in range(300):
        try:
            return ask()
        except AssertionError as exc:
            if not any(word in str(exc) for word in _AWAY):
                raise
            time.sleep(0.3)
    return ask()
