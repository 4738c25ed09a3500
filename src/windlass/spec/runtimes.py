"""The models under `runtimes` in windlass.yaml: how tasks become containers and pods."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from windlass.options import Duration, Size
from windlass.spec.fields import OneOrMany, Runtime
from windlass.spec.model import Model, refusal

__all__ = ["DockerRuntime", "KubernetesRuntime", "Mount", "Resources", "Runtimes", "Volume"]

_ABSOLUTE = r"^/"


class Mount(Model):
    """A folder of the Docker host, or a volume, in each container."""

    source: str
    """A folder of the host, absolute; or the name of a volume."""

    target: Annotated[str, Field(pattern=_ABSOLUTE)]
    """Where it is in the container."""

    read_only: bool = False
    """Whether containers may only read it."""


class DockerRuntime(Model):
    """Tasks as containers of a Docker engine."""

    tag: str | None = None
    """The tag of the images. Default: the digests that windlass.lock has of them, else `latest`."""

    workspace: str | None = None
    """What tasks share as `/data`: a folder of the Docker host, absolute, or the name of a volume. Default: the volume `windlass-PROJECT`."""

    mounts: list[Mount] = []
    """More folders and volumes."""

    network: str | None = None
    """The network of the containers, as `docker run --network` takes it."""

    user: str | None = None
    """Who they run as, such as `1000:1000`. Default: as the image says."""

    url: str | None = None
    """The engine. Default: `DOCKER_HOST` of the Airflow worker, else its `/var/run/docker.sock`."""

    connection: str | None = None
    """The Airflow connection with the login of the registry."""

    auto_remove: Literal["force", "success", "never"] = "force"
    """Which containers are removed when they have ended."""

    force_pull: bool = False
    """Whether to pull an image that is already there."""

    cpus: Annotated[float, Field(gt=0)] | None = None
    """The share of processors that a container gets."""

    memory: Size | None = None
    """How much memory a container may use."""


class Resources(Model):
    """What a pod asks for, and what it may use at most: Kubernetes quantities such as `500m` and `1Gi`."""

    requests: dict[str, str] = Field(default_factory=dict)
    """What it asks for: `cpu`, `memory` and the like."""

    limits: dict[str, str] = Field(default_factory=dict)
    """What it may use at most."""


class Volume(Model):
    """Something that is mounted into each pod. Has exactly one of `claim`, `secret_name`, `config_map`."""

    claim: str | None = None
    """A PersistentVolumeClaim."""

    secret_name: str | None = None
    """A Secret: each of its keys is a file."""

    config_map: str | None = None
    """A ConfigMap: each of its keys is a file."""

    mount_path: Annotated[str, Field(pattern=_ABSOLUTE)]
    """Where it is in the container."""

    read_only: bool = False
    """Whether pods may only read it."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if [self.claim, self.secret_name, self.config_map].count(None) != 2:
            raise refusal("needs exactly one of `claim`, `secret_name` and `config_map`")
        return self


class KubernetesRuntime(Model):
    """Tasks as pods."""

    tag: str | None = None
    """The tag of the images. Default: the digests that windlass.lock has of them, else `latest`."""

    namespace: str | None = None
    """Where pods are started. Default: the namespace of the Airflow connection, or Airflow's own."""

    connection: str | None = None
    """The Airflow connection of the cluster. Default: `kubernetes_default`, or the cluster that Airflow is in."""

    service_account: str | None = None
    """Who the pods are to the cluster."""

    workspace: str | None = None
    """The PersistentVolumeClaim that tasks share as `/data`. Default: each pod has an empty `/data` of its own."""

    connections_from: str | None = None
    """The Secret with the connections, a key `WINDLASS_CONN_<NAME>` each. Default: `PROJECT-connections`."""

    secrets: OneOrMany[str] = []
    """Secrets whose keys all become environment variables."""

    config_maps: OneOrMany[str] = []
    """ConfigMaps whose keys all become environment variables."""

    volumes: list[Volume] = []
    """What else is mounted."""

    resources: Resources | None = None
    """What each pod gets."""

    node_selector: dict[str, str] = Field(default_factory=dict)
    """The labels of the nodes that pods may run on."""

    labels: dict[str, str] = Field(default_factory=dict)
    """Labels of the pods."""

    annotations: dict[str, str] = Field(default_factory=dict)
    """Annotations of the pods."""

    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = None
    """When an image is pulled. Default: as Kubernetes has it."""

    image_pull_secrets: OneOrMany[str] = []
    """Secrets with the login of the registry."""

    startup_timeout: Duration = 300.0
    """How long a pod may take to start."""

    on_finish: Literal["delete_pod", "delete_succeeded_pod", "keep_pod"] = "delete_pod"
    """What becomes of a pod that has ended."""


class Runtimes(Model):
    """What executes tasks, and how they become containers and pods."""

    default: Runtime | None = None
    """What executes `run` and `service` tasks under `windlass run`: `process` or `docker`. Default: a container where a task has an `image`, else a process."""

    docker: DockerRuntime = DockerRuntime()
    """Tasks as containers of a Docker engine."""

    kubernetes: KubernetesRuntime = KubernetesRuntime()
    """Tasks as pods."""
