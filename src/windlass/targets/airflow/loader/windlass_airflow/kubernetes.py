"""Tasks as pods. Imported only where the provider is."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from kubernetes.client import models as k8s

from .bundle import Json
from .connections import variable
from .containers import (
    container_of,
    image_of,
    name_of,
    port_of,
    service_address,
    service_name,
    wait_until,
    workspace_of,
)
from .each import mapped_each
from .lines import Listener, finished
from .names import AirflowException
from .parts import LISTS, mapped
from .references import declared, is_command, references_of, whole
from .telling import telling

__all__ = ["make"]


class WindlassPodOperator(KubernetesPodOperator):
    """Runs one task in a pod."""

    template_fields = ()
    job: Json
    options: Sequence[str] = ()
    remote_pod: Any

    def execute(self, context: Any) -> Any:
        listener = Listener(self.log)
        self.log_formatter = lambda _container, line: listener.read(line)[1] or line
        self.prepare(context)
        try:
            super().execute(context)
        except AirflowException:
            finished(self, listener, self._exit_code(), context)  # says better what went wrong
            raise
        self.do_xcom_push = (
            True  # from here on it is what is returned, and not the sidecar that Airflow has for it
        )
        return finished(self, listener, 0, context)

    def prepare(self, context: Any) -> None:
        command, environment = container_of(self, context)
        self.arguments = [literal(argument) for argument in command]
        self.env_vars = [k8s.V1EnvVar(name, literal(value)) for name, value in environment.items()]
        secret = self.job["runtime"]["connections_secret"]
        keys = {own: (secret, own) for own in map(variable, whole(self.job))}
        for name, reference in references_of(self.job).items():
            connection = reference["connection"]
            keys[name] = (
                (secret, variable(connection)) if connection else (reference["secret"], reference["key"])
            )
        known = declared(self.job)
        for name, (secret, key) in keys.items():
            if key in known and is_command(self.job):  # of two with one name Kubernetes takes the last
                self.env_vars.append(k8s.V1EnvVar(name, literal(known[key])))
            selector = k8s.V1SecretKeySelector(name=secret, key=key, optional=key in known or None)
            self.env_vars.append(k8s.V1EnvVar(name, value_from=k8s.V1EnvVarSource(secret_key_ref=selector)))

    def _exit_code(self) -> int:
        statuses = (self.remote_pod and self.remote_pod.status.container_statuses) or ()
        ended = [
            s.state.terminated for s in statuses if s.name == self.base_container_name and s.state.terminated
        ]
        return int(ended[0].exit_code) if ended else 0


class WindlassPodServiceOperator(WindlassPodOperator):
    """Starts a service in a pod, and leaves it there once it is ready."""

    def execute(self, context: Any) -> None:
        self.prepare(context)
        pod = service_pod(self, context)
        namespace, name = pod.metadata.namespace, pod.metadata.name
        delete(self, pod)
        self.client.create_namespaced_pod(namespace, pod)
        seconds = self.job["unit"]["ready_timeout"]

        def is_ready() -> bool:
            self.remote_pod = self.client.read_namespaced_pod(name, namespace)
            conditions = self.remote_pod.status.conditions or ()
            return any(c.type == "Ready" and c.status == "True" for c in conditions)

        try:
            wait_until(is_ready, seconds, f"service {self.job['task']!r}")
        except AirflowException:
            delete(self, pod)
            raise
        address = service_address(self.job, self.remote_pod.status.pod_ip)
        context["ti"].xcom_push(key="return_value", value={"address": address})


class WindlassPodStopOperator(WindlassPodOperator):
    """Stops a service."""

    def execute(self, context: Any) -> None:
        self.prepare(context)
        delete(self, service_pod(self, context))


def literal(text: str) -> str:
    """What Kubernetes makes the text of: it fills in `$(NAME)`, and takes `$$` for a `$`."""
    return text.replace("$", "$$")


def service_pod(operator: Any, context: Any) -> Any:
    pod = operator.build_pod_request_obj(context)
    pod.metadata.labels["windlass-service"] = service_name(operator.job, context)
    port, health = port_of(operator.job), operator.job["unit"]["health"]
    probe = k8s.V1Probe(period_seconds=1, failure_threshold=3600)
    if health is None:
        probe.tcp_socket = k8s.V1TCPSocketAction(port=port)
    else:
        probe.http_get = k8s.V1HTTPGetAction(path=f"/{health.lstrip('/')}", port=port)
    pod.spec.containers[0].readiness_probe = probe
    return pod


def delete(operator: Any, pod: Any) -> None:
    selector = f"windlass-service={pod.metadata.labels['windlass-service']}"
    operator.client.delete_collection_namespaced_pod(pod.metadata.namespace, label_selector=selector)


_ROLES = {
    "split": WindlassPodOperator,
    "entries": WindlassPodOperator,
    "task": WindlassPodOperator,
    "start": WindlassPodServiceOperator,
    "stop": WindlassPodStopOperator,
}


def _pod(job: Json) -> Json:
    """The pod of a task: the one of all, with what the task itself says of its container."""
    pods, pipeline = job["runtime"].get("pods", {}), job["pipeline"]
    said = pods.get(f"{pipeline}.{job['task']}") or pods.get(pipeline) or job["runtime"]["pod"]
    pod: Json = copy.deepcopy(said)
    container = job["unit"]["container"]
    base = pod["spec"]["containers"][0]
    base["volumeMounts"][0]["mountPath"] = workspace_of(job)
    limits = {"memory": container.get("memory"), "cpu": container.get("cpus")}
    own = {name: str(limit) for name, limit in limits.items() if limit is not None}
    if own:
        resources = base.setdefault("resources", {})
        resources["limits"] = {**resources.get("limits", {}), **own}
    uid, _, gid = container.get("user", "").partition(":")
    ids = {"runAsUser": uid, "runAsGroup": gid}
    if uid.isdigit():
        numbers = {name: int(number) for name, number in ids.items() if number.isdigit()}
        base["securityContext"] = {**base.get("securityContext", {}), **numbers}
    if container.get("pull"):
        base["imagePullPolicy"] = _PULL[container["pull"]]
    return pod


_PULL = {"always": "Always", "never": "Never"}


def make(role: str, job: Json, common: Json) -> Any:
    runtime = job["runtime"]
    arguments = {
        "image": image_of(job),
        "name": name_of(job),
        "pod_template_dict": _pod(job),
        "do_xcom_push": False,
        "deferrable": False,
        **runtime["options"],
        **common,
    }
    if role == "part":
        return mapped(WindlassPodOperator, job, arguments)
    if role == "each":
        return mapped_each(WindlassPodOperator, job, arguments)
    if role == "tell":
        return telling(WindlassPodOperator, arguments)
    operator = _ROLES[role](**arguments)
    operator.options = LISTS.get(role, ())
    return operator
