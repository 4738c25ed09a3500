"""The cluster that `WINDLASS_TEST_KUBERNETES` leads to (a kubeconfig), whose node is this machine.

`WINDLASS_TEST_KUBERNETES_LOAD` is the command that brings an image into it, such as `kind load docker-image`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from tests.conftest import Output, plain_environment
from tests.kubernetes.argo import VOLUME, Argo
from tests.kubernetes.cluster import Cluster, Door
from tests.kubernetes.programs import Programs
from tests.warm import Warm
from windlass.connections.address import Address
from windlass.connectors.postgres.session import Session
from windlass.locks import locked
from windlass.runtimes.docker.engine import Engine

Windlass = Callable[..., Output]
Url = Callable[[Address], str]
Exported = Callable[..., str]

IMAGE = "windlass-test-kubernetes:1"

_WITH_AN_IMAGE = {
    "windlass.yaml": "project: fleet\nconnections: {db: {type: postgres}}\nimages: {project: true}\n",
    "pipelines/p.yaml": "pipeline: p\ntasks: {a: {sql: {connection: db, statement: SELECT 1}}}\n",
}


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A namespace of the tests' own."""
    named = os.environ.get("WINDLASS_TEST_KUBERNETES", "none")
    if named == "none":
        pytest.skip("WINDLASS_TEST_KUBERNETES does not name a kubeconfig")
    load = os.environ.get("WINDLASS_TEST_KUBERNETES_LOAD", "kind load docker-image")
    made = Cluster(Path(named), load, f"windlass-test-{uuid4().hex[:8]}")
    made("create", "namespace", made.namespace)
    yield made
    made("delete", "namespace", made.namespace, "--wait=false")


@pytest.fixture(scope="session")
def argo(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Argo:
    """Argo Workflows, and a volume that its pods share."""
    if "workflows.argoproj.io" not in cluster("get", "crds", "--output=name"):
        pytest.skip("the cluster has no Argo Workflows")
    folder = tmp_path_factory.mktemp("workspace")
    folder.chmod(0o777)
    cluster("apply", "--filename=-", given=VOLUME.format(name=cluster.namespace, folder=folder))
    return Argo(cluster)


@pytest.fixture(scope="session")
def programs(cluster: Cluster) -> Iterator[Programs]:
    """The programs of the cluster, to be killed; they are kept up meanwhile."""
    files = os.environ.get("WINDLASS_TEST_KUBERNETES_PIDS")
    if not files:
        pytest.skip("WINDLASS_TEST_KUBERNETES_PIDS does not say where the ids of the cluster's programs are")
    with Programs.kept_up(files) as programs:
        yield programs


@pytest.fixture(scope="session")
def node(cluster: Cluster) -> str:
    """The address of the node."""
    (found, *_) = cluster.json("get", "nodes")["items"]
    return next(str(a["address"]) for a in found["status"]["addresses"] if a["type"] == "InternalIP")


@pytest.fixture(scope="session")
def image(cluster: Cluster, engine: Engine, warm: Warm, shared: Path) -> str:
    """The image of a project with connections to Postgres, in the cluster: the first worker brings it there."""
    brought = shared / "image.brought"
    with locked(shared / "image.lock"):
        if not brought.exists():
            _bring_image(cluster, engine, warm, shared / "image")
            brought.touch()
    return IMAGE


def _bring_image(cluster: Cluster, engine: Engine, warm: Warm, root: Path) -> None:
    for path, text in _WITH_AN_IMAGE.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    done = warm.run(
        "windlass", "-C", str(root), "build", "--json", cwd=root, env=plain_environment(), timeout=500
    )
    assert done.returncode == 0, done.stderr
    (built,) = json.loads(done.stdout)["images"]
    engine.client.tag(built["image"], *IMAGE.split(":"))
    cluster.bring(IMAGE)


@pytest.fixture
def seen_from_pods(node: str) -> Iterator[Callable[[Address], str]]:
    """The URL that a pod reaches a server of this machine by."""
    doors: list[Door] = []

    def url(address: Address) -> str:
        assert address.port is not None
        doors.append(Door(node, address.port))
        return replace(address, host=node, port=doors[-1].port).uri()

    yield url
    for door in doors:
        door.__exit__()


PROJECT = """
project: {project}
connections: {{db: {{type: postgres}}, slack: {{type: slack}}}}
runtimes:
  kubernetes: {{namespace: {namespace}, image_pull_policy: Never}}
targets: {{argo: {{rbac: true, network_policy: true}}, kubernetes: {{network_policy: true}}}}
"""


@pytest.fixture
def exported(
    cluster: Cluster,
    image: str,
    windlass: Windlass,
    project: Callable[..., Path],
    database: Address,
    seen_from_pods: Url,
) -> Exported:
    """Export a pipeline into the cluster, with its connections, and others that it triggers. Returns the name of its objects."""

    def export(
        name: str,
        pipeline: str,
        slack: str = "http://127.0.0.1:1/hook",
        target: str = "kubernetes",
        **others: str,
    ) -> str:
        pipelines = {name: pipeline, **others}
        files = {f"pipelines/{one}.yaml": f"pipeline: {one}\n{text}" for one, text in pipelines.items()}
        settings = PROJECT.format(project=name, namespace=cluster.namespace)
        root = project({"windlass.yaml": settings, **files})
        file = root / target / f"{name}.yaml"
        done = windlass("-C", root, "export", target)
        assert done.code == 0, done.stderr
        file.write_text(file.read_text().replace(f"image: {name}:latest", f"image: {image}"))
        connections = {"WINDLASS_CONN_DB": seen_from_pods(database), "WINDLASS_CONN_SLACK": slack}
        cluster.secret(f"{name}-connections", **connections)
        cluster.apply(root / target)
        return name

    return export


@pytest.fixture
def session(database: Address) -> Iterator[Session]:
    """The database that pipelines write to."""
    opened = Session(database)
    yield opened
    opened.close()
