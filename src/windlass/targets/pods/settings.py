"""What the project, a pipeline and a task say of their pods, merged; and the parts of a pod that it becomes.

The nearer one has the last word: mappings are merged by key, lists go on from those before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from windlass.spec.runtimes import PodSettings, Resources, TaskOnKubernetes, Volume

__all__ = [
    "Json",
    "container_parts",
    "merged",
    "of_task",
    "pod_parts",
    "said",
    "volume_source",
    "workspace_volume",
]

Json: TypeAlias = dict[str, Any]
_WORKSPACE = "workspace"


def merged(project: PodSettings, pipeline: PodSettings) -> PodSettings:
    """What holds for the pods of a pipeline."""
    both = {
        name: _merged(getattr(project, name), getattr(pipeline, name)) for name in PodSettings.model_fields
    }
    return PodSettings.model_construct(**both)


def of_task(pods: PodSettings, task: TaskOnKubernetes) -> PodSettings:
    """What holds for the container of a task."""
    own = {name: _merged(getattr(pods, name), getattr(task, name)) for name in _OF_TASK}
    return pods.model_copy(update=own)


_OF_TASK = ("secrets", "config_maps", "resources")


def _merged(outer: Any, inner: Any) -> Any:
    if isinstance(outer, dict) and isinstance(inner, dict):
        return outer | inner
    if isinstance(outer, list) and isinstance(inner, list):
        return [*outer, *(item for item in inner if item not in outer)]
    if isinstance(outer, Resources) and isinstance(inner, Resources):
        return Resources(requests=outer.requests | inner.requests, limits=outer.limits | inner.limits)
    return outer if inner is None else inner


def pod_parts(pods: PodSettings, *, volumes: Sequence[Json] = ()) -> Json:
    """The part of a PodSpec that says where its pods run, as whom, and with which volumes beside these."""
    return said(
        {
            "serviceAccountName": pods.service_account,
            # a task that was given no account has no business with the cluster
            "automountServiceAccountToken": False if pods.service_account is None else None,
            "enableServiceLinks": False,
            "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}} | pods.security_context,
            "nodeSelector": pods.node_selector,
            "tolerations": pods.tolerations,
            "affinity": pods.affinity,
            "imagePullSecrets": [{"name": name} for name in pods.image_pull_secrets],
            "volumes": [
                {"name": _WORKSPACE, **workspace_volume(pods)},
                *volumes,
                *({"name": _name(i), **volume_source(volume)} for i, volume in enumerate(pods.volumes)),
            ],
        }
    )


def container_parts(pods: PodSettings, mount: str) -> Json:
    """The part of a container that is said for all in its pod. `mount` is where it has the workspace."""
    mounts = [{"name": _WORKSPACE, "mountPath": mount}]
    for number, volume in enumerate(pods.volumes):
        read_only = {"readOnly": True} if volume.read_only else {}
        mounts.append({"name": _name(number), "mountPath": volume.mount_path, **read_only})  # type: ignore[dict-item]
    return said(
        {
            "imagePullPolicy": pods.image_pull_policy,
            "envFrom": [
                *({"secretRef": {"name": name}} for name in pods.secrets),
                *({"configMapRef": {"name": name}} for name in pods.config_maps),
            ],
            "resources": said(pods.resources.model_dump()) if pods.resources else None,
            "securityContext": {"allowPrivilegeEscalation": False} | pods.container_security_context,
            "volumeMounts": mounts,
        }
    )


def said(mapping: Json) -> Json:
    """The mapping without what nobody said."""
    return {key: value for key, value in mapping.items() if value not in (None, [], {})}


def workspace_volume(pods: PodSettings) -> Json:
    """What the workspace of a pod is."""
    if pods.workspace is None:
        return {"emptyDir": {}}
    return {"persistentVolumeClaim": {"claimName": pods.workspace}}


def _name(number: int) -> str:
    return f"volume-{number}"


def volume_source(volume: Volume) -> Json:
    """What a volume is, in the words of Kubernetes."""
    if volume.claim is not None:
        return {"persistentVolumeClaim": {"claimName": volume.claim}}
    if volume.secret_name is not None:
        return {"secret": {"secretName": volume.secret_name}}
    return {"configMap": {"name": volume.config_map}}
