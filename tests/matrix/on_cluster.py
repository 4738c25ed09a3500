"""Ways that a real cluster has, whose node is this machine: `tests/kubernetes/conftest.py` says how it is named."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from tests.kubernetes.argo import VOLUME, Argo
from tests.kubernetes.cluster import Cluster, Door
from tests.matrix.place import Place, RunFailedError
from tests.matrix.way import NotHereError, Way
from windlass.runtimes.docker.doors import moved
from windlass.targets.pods.names import object_name

__all__ = ["find_cluster", "namespace", "on_argo", "on_kubernetes", "prepared"]

_STAND_INS = "stand-ins"


@contextmanager
def on_kubernetes() -> Iterator[Way]:
    """The CronJob is started as its controller starts it: by a Job with the minute in its name."""
    brought: set[str] = set()

    def run(place: Place) -> None:
        with namespace() as cluster, prepared(place, cluster, brought):
            name = _applied(place, cluster, "kubernetes")
            job = f"{name}-{int(place.fired.timestamp()) // 60}"
            cluster.start(name, job)
            if (end := cluster.ended(job)) != ("Failed" if place.fails else "Complete"):
                raise RunFailedError(f"{end}: {_said(cluster, job)}")

    find_cluster()
    yield run


def _said(cluster: Cluster, job: str) -> str:
    """The end of what each container of a Job has printed, as far as it was started."""
    texts = []
    for pod in cluster.pods(job):
        for container in (*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"]):
            with suppress(AssertionError):
                texts.append(
                    cluster("logs", pod["metadata"]["name"], f"--container={container['name']}")[-1000:]
                )
    return "\n".join(texts)


@contextmanager
def on_argo() -> Iterator[Way]:
    brought: set[str] = set()

    def run(place: Place) -> None:
        with namespace() as cluster, prepared(place, cluster, brought):
            name = _applied(place, cluster, "argo")
            given = [f"--parameter=fired-at={place.tick}"]
            kind = "workflowtemplate" if place.plan.schedule == "none" else "cronwf"
            workflow = Argo(cluster)(f"{kind}/{name}", *given)
            if workflow["status"]["phase"] != ("Failed" if place.fails else "Succeeded"):
                nodes = workflow["status"].get("nodes", {}).values()
                raise RunFailedError(
                    str([(n["displayName"], n["phase"], n.get("message", "")) for n in nodes])
                )

    if "workflows.argoproj.io" not in find_cluster()("get", "crds", "--output=name"):
        raise NotHereError("the cluster has no Argo Workflows")
    yield run


@contextmanager
def namespace() -> Iterator[Cluster]:
    """A namespace for one run."""
    cluster = find_cluster(f"windlass-matrix-{uuid4().hex[:8]}")
    cluster("create", "namespace", cluster.namespace)
    try:
        yield cluster
    finally:
        cluster("delete", "namespace", cluster.namespace, "--wait=false")
        cluster("delete", "persistentvolume", cluster.namespace, "--wait=false", "--ignore-not-found")


def find_cluster(namespace: str = "default") -> Cluster:
    """The cluster. Raises NotHereError."""
    named = os.environ.get("WINDLASS_TEST_KUBERNETES", "none")
    if named == "none":
        raise NotHereError("WINDLASS_TEST_KUBERNETES does not name a kubeconfig")
    load = os.environ.get("WINDLASS_TEST_KUBERNETES_LOAD", "kind load docker-image")
    return Cluster(Path(named), load, namespace)


@contextmanager
def prepared(place: Place, cluster: Cluster, brought: set[str]) -> Iterator[None]:
    """What the pods find: their images, the folder of the place as their workspace, and the addresses of its servers."""
    settings = {"namespace": cluster.namespace, "workspace": "shared", "image_pull_policy": "Never"}
    place.configure(kubernetes={**settings, "secrets": [_STAND_INS], "startup_timeout": "5m"})
    for image in _images(place):
        if image not in brought:
            cluster.bring(image)
            brought.add(image)
    place.open_to_all()
    cluster("apply", "--filename=-", given=VOLUME.format(name=cluster.namespace, folder=place.root))
    (node, *_) = cluster.json("get", "nodes")["items"]
    host = next(str(a["address"]) for a in node["status"]["addresses"] if a["type"] == "InternalIP")
    with ExitStack() as doors:

        def seen(url: str) -> str:
            return moved(url, lambda port: (host, doors.enter_context(Door(host, port)).port))

        cluster.secret(f"{place.plan.project}-connections", **place.addresses(seen))
        cluster.secret(_STAND_INS, **place.origins())
        yield


def _images(place: Place) -> list[str]:
    return [str(built["image"]) for built in json.loads(place.done("build", "--json"))["images"]]


def _applied(place: Place, cluster: Cluster, target: str) -> str:
    """Export the pipeline, and apply that. What its objects are called."""
    place.done("export", target, "--pipelines", place.pipeline)
    cluster.apply(place.root / target)
    return object_name(place.plan.project, place.pipeline)
