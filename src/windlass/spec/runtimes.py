"""The models under `runtimes` in windlass.yaml: how tasks become containers and pods."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from windlass.options import Duration, Size
from windlass.spec.cluster import LabelKey, LabelValue, Namespace, ObjectName, Quantity
from windlass.spec.fields import OneOrMany, Runtime
from windlass.spec.model import Model, refusal

__all__ = [
    "DockerRuntime",
    "KubernetesRuntime",
    "Mount",
    "PipelineOnKubernetes",
    "PodSettings",
    "Resources",
    "Runtimes",
    "TaskOnKubernetes",
    "Volume",
]

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
    """The tag of the images. Default: the digests that windlass.lock has of them; without a registry, the tags that `windlass build` gave them; else `latest`."""

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

    requests: dict[LabelKey, Quantity] = Field(default_factory=dict)
    """What it asks for: `cpu`, `memory` and the like."""

    limits: dict[LabelKey, Quantity] = Field(default_factory=dict)
    """What it may use at most."""


class Volume(Model):
    """Something that is mounted into each pod. Has exactly one of `claim`, `secret_name`, `config_map`."""

    claim: ObjectName | None = None
    """A PersistentVolumeClaim."""

    secret_name: ObjectName | None = None
    """A Secret: each of its keys is a file."""

    config_map: ObjectName | None = None
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


class PodSettings(Model):
    """What the pods of a project or a pipeline are given."""

    service_account: ObjectName | None = None
    """Who the pods are to the cluster."""

    workspace: ObjectName | None = None
    """The PersistentVolumeClaim that tasks share as `/data`. Default: each pod has an empty `/data` of its own."""

    secrets: OneOrMany[ObjectName] = []
    """Secrets whose keys all become environment variables."""

    config_maps: OneOrMany[ObjectName] = []
    """ConfigMaps whose keys all become environment variables."""

    volumes: list[Volume] = []
    """What else is mounted."""

    resources: Resources | None = None
    """What each pod gets."""

    node_selector: dict[LabelKey, LabelValue] = Field(default_factory=dict)
    """The labels of the nodes that pods may run on."""

    tolerations: list[dict[str, Any]] = []
    """The taints that pods tolerate, in the words of Kubernetes."""

    affinity: dict[str, Any] = Field(default_factory=dict)
    """Which nodes and neighbours pods prefer or need, in the words of Kubernetes."""

    security_context: dict[str, Any] = Field(default_factory=dict)
    """Who a pod runs as and what it may do, in the words of Kubernetes: `runAsUser`, `fsGroup` and the like."""

    container_security_context: dict[str, Any] = Field(default_factory=dict)
    """The same of each container in it: `readOnlyRootFilesystem`, `capabilities` and the like."""

    labels: dict[LabelKey, LabelValue] = Field(default_factory=dict)
    """Labels of the pods."""

    annotations: dict[LabelKey, str] = Field(default_factory=dict)
    """Annotations of the pods."""

    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = None
    """When an image is pulled. Default: as Kubernetes has it."""

    image_pull_secrets: OneOrMany[ObjectName] = []
    """Secrets with the login of the registry."""


class KubernetesRuntime(PodSettings):
    """Tasks as pods."""

    tag: str | None = None
    """The tag of the images. Default: the digests that windlass.lock has of them; without a registry, the tags that `windlass build` gave them; else `latest`."""

    namespace: Namespace | None = None
    """Where pods are started. Default: the namespace of the Airflow connection, or Airflow's own; of manifests: the one that they are applied to."""

    connection: str | None = None
    """The Airflow connection of the cluster. Default: `kubernetes_default`, or the cluster that Airflow is in."""

    connections_from: ObjectName | None = None
    """The Secret with the connections, a key `WINDLASS_CONN_<NAME>` each. Default: `PROJECT-connections`."""

    startup_timeout: Duration = 300.0
    """How long a pod of Airflow's may take to start."""

    on_finish: Literal["delete_pod", "delete_succeeded_pod", "keep_pod"] = "delete_pod"
    """What becomes of a pod of Airflow's that has ended."""

    @property
    def pods(self) -> PodSettings:
        """What it says of every pod."""
        return PodSettings(**{name: getattr(self, name) for name in PodSettings.model_fields})


class PipelineOnKubernetes(PodSettings):
    """A pipeline on Kubernetes: its pods, besides what `runtimes.kubernetes` says of all, and its CronJob."""

    suspend: bool = False
    """Whether the schedule starts nothing for the time being."""

    starting_deadline: Duration | None = None
    """How late a run may begin; one that is later still is left out. Default: it is made up for whenever."""

    deadline: Duration | None = None
    """How long a run may take, all tries together, before it is stopped and counts as failed."""

    restarts: Annotated[int, Field(ge=0)] | None = None
    """How many times a pod that was lost is replaced. Default: as many as `retries` says where each task has a container of its own, else 2."""

    workspace_size: Annotated[str, Field(pattern=r"^[0-9.]+[kMGTPE]?i?$")] = "1Gi"
    """How large the volume is that Argo makes for each run, where no `workspace` is named."""

    keep_succeeded: Annotated[int, Field(ge=0)] = 3
    """How many runs that succeeded are kept to look at."""

    keep_failed: Annotated[int, Field(ge=0)] = 1
    """How many runs that failed are kept to look at."""


class TaskOnKubernetes(Model):
    """A task on Kubernetes, besides what its pipeline says."""

    secrets: OneOrMany[ObjectName] = []
    """Secrets whose keys all become environment variables."""

    config_maps: OneOrMany[ObjectName] = []
    """ConfigMaps whose keys all become environment variables."""

    resources: Resources | None = None
    """What its container gets."""

    entrypoint: list[str] | None = None
    """The ENTRYPOINT of its image. A command with templates that only a run can fill in is started by a shell, which has to know it. Default: of a Dockerfile without one, none."""


class Runtimes(Model):
    """What executes tasks, and how they become containers and pods."""

    default: Runtime | None = None
    """What executes `run` and `service` tasks under `windlass run`: `process` or `docker`. Default: a container where a task has an `image`, else a process."""

    docker: DockerRuntime = DockerRuntime()
    """Tasks as containers of a Docker engine."""

    kubernetes: KubernetesRuntime = KubernetesRuntime()
    """Tasks as pods."""
