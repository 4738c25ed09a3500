"""What the loader has to know of a runtime: images, and the arguments of the provider's operator."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from windlass.errors import FatalError
from windlass.images.image import project_repository
from windlass.plan.model import Plan, RunCommand, Service
from windlass.plan.unit import WORKSPACE
from windlass.spec.pipeline import Pipeline
from windlass.spec.project import Project
from windlass.spec.runtimes import DockerRuntime, KubernetesRuntime, PodSettings
from windlass.targets.images import UNTAGGED
from windlass.targets.pods.settings import merged, of_task, said, volume_source, workspace_volume

__all__ = ["runtime_of", "workspace_of"]


def runtime_of(
    kind: str,
    project: Project,
    plans: Iterable[Plan],
    pipelines: Mapping[str, Pipeline],
    *,
    command: Sequence[str],
    folder: str,
) -> dict[str, Any]:
    """The `runtime` of a bundle. `folder` is where a worker has the project; containers have it in their image."""
    runtime: dict[str, Any] = {"kind": kind}
    if kind == "process":
        return {**runtime, "command": list(command), "project": folder, "workspace": None}
    plans = list(plans)
    if kind == "kubernetes":
        _require_keys(plans)
    options = project.runtimes.docker if kind == "docker" else project.runtimes.kubernetes
    name = project_repository(project.project, project.images)
    runtime |= {"workspace": WORKSPACE, "image": f"{name}:{options.tag or UNTAGGED}"}
    if isinstance(options, DockerRuntime):
        return {**runtime, "options": _docker(options, project.project)}
    secret = options.connections_from or f"{project.project.lower().replace('_', '-')}-connections"
    return {
        **runtime,
        "connections_secret": secret,
        "options": _pod_operator(options),
        "pod": _pod(options),
        "pods": dict(_other_pods(options, pipelines)),
    }


def _require_keys(plans: Iterable[Plan]) -> None:
    """Raise FatalError for what the environment of a pod cannot refer to: that takes the key of a Secret."""
    for plan in plans:
        for task in plan.tasks:
            references = task.action.references if isinstance(task.action, RunCommand | Service) else {}
            for name, reference in references.items():
                lacks = "a part of a connection" if reference.part else "a secret without `key`"
                if reference.part or (reference.secret and not reference.key):
                    message = (
                        f"{plan.pipeline}.{task.name}: {name} refers to {lacks}, which no pod can be given"
                    )
                    hint = "refer to a secret with a key, or to the whole connection"
                    raise FatalError(message, hint=hint)


# --- docker --------------------------------------------------------------------------------------


def _docker(options: DockerRuntime, project: str) -> dict[str, Any]:
    """Arguments of Airflow's DockerOperator."""
    workspace = _mount(workspace_of(options, project), WORKSPACE, read_only=False)
    arguments = {
        "mounts": [workspace, *(_mount(m.source, m.target, read_only=m.read_only) for m in options.mounts)],
        "auto_remove": options.auto_remove,
        "force_pull": options.force_pull,
        "network_mode": options.network,
        "user": options.user,
        "docker_url": options.url,
        "docker_conn_id": options.connection,
        "cpus": options.cpus,
        "mem_limit": options.memory,
    }
    return {name: value for name, value in arguments.items() if value is not None}


def workspace_of(options: DockerRuntime, project: str) -> str:
    """The volume, or the folder, that the containers of a project share."""
    return options.workspace or f"windlass-{project}"


def _mount(source: str, target: str, *, read_only: bool) -> dict[str, Any]:
    kind = "bind" if source.startswith("/") else "volume"
    return {"type": kind, "source": source, "target": target, "read_only": read_only}


# --- kubernetes ----------------------------------------------------------------------------------


def _pod_operator(options: KubernetesRuntime) -> dict[str, Any]:
    """Arguments of Airflow's KubernetesPodOperator."""
    arguments = {
        "namespace": options.namespace,
        "kubernetes_conn_id": options.connection,
        "startup_timeout_seconds": round(options.startup_timeout),
        "on_finish_action": options.on_finish,
        "log_events_on_failure": True,
    }
    return {name: value for name, value in arguments.items() if value is not None}


def _other_pods(
    options: KubernetesRuntime, pipelines: Mapping[str, Pipeline]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The pods of the pipelines and tasks that say something of theirs: `PIPELINE`, `PIPELINE.TASK`."""
    for name, pipeline in sorted(pipelines.items()):
        pods = merged(options.pods, pipeline.kubernetes)
        if pods != options.pods:
            yield name, _pod(pods)
        for task, own_said in pipeline.tasks.items():
            own = of_task(pods, own_said.kubernetes)
            if own != pods:
                yield f"{name}.{task}", _pod(own)


def _pod(options: PodSettings) -> dict[str, Any]:
    """The pod that a task starts from; the operator adds image, command and environment."""
    volumes = [{"name": "workspace", **workspace_volume(options)}]
    mounts = [{"name": "workspace", "mountPath": WORKSPACE}]
    for number, volume in enumerate(options.volumes):
        name = f"volume-{number}"
        volumes.append({"name": name, **volume_source(volume)})
        mount = {"name": name, "mountPath": volume.mount_path}
        mounts.append({**mount, "readOnly": True} if volume.read_only else mount)  # type: ignore[dict-item]
    container = {
        "name": "base",
        "imagePullPolicy": options.image_pull_policy,
        "resources": options.resources.model_dump() if options.resources else None,
        "envFrom": [
            *({"secretRef": {"name": name}} for name in options.secrets),
            *({"configMapRef": {"name": name}} for name in options.config_maps),
        ],
        "volumeMounts": mounts,
        "securityContext": options.container_security_context,
    }
    spec = {
        "serviceAccountName": options.service_account,
        "nodeSelector": options.node_selector,
        "tolerations": options.tolerations,
        "affinity": options.affinity,
        "securityContext": options.security_context,
        "imagePullSecrets": [{"name": name} for name in options.image_pull_secrets],
        "containers": [said(container)],
        "volumes": volumes,
    }
    metadata = {"labels": options.labels, "annotations": options.annotations}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": said(metadata), "spec": said(spec)}
