"""The services of Airflow: its parts, the database that it keeps its state in, and the broker of its workers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from windlass.targets.compose.document import Service, literal, required

__all__ = ["PROJECT", "TASKS", "airflow", "check", "metadata"]

PROJECT = "/opt/windlass/project"
"""Where the project is in a container that executes tasks."""

TASKS = "tasks.env"
"""The file beside compose.yaml, if somebody writes one, with variables for all tasks."""

_DATABASE_IMAGE, _BROKER_IMAGE = "postgres:18", "valkey/valkey:8.1"
_LOGGING = {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}}
_VOLUMES = ["logs:/opt/airflow/logs", "./dags:/opt/airflow/dags:ro"]
_DATABASE_URL = f"postgresql+psycopg2://airflow:{required('DATABASE_PASSWORD')}@metadata:5432/airflow"
_HOME = "/opt/airflow"
_WORKSPACE = "/opt/windlass/workspace"
_SOCKET = "/var/run/docker.sock"
_HEALTH = "http://api-server:8080/api/v2/monitor/health"
_BROKER = (
    'printf "requirepass %s\\nappendonly yes\\ndir /data\\n" "$$BROKER_PASSWORD" | exec valkey-server -',
    'REDISCLI_AUTH="$$BROKER_PASSWORD" valkey-cli ping | grep -q PONG',
)
_SERVER = (
    'umask 077; printf \'{"admin": "%s"}\' "$$ADMIN_PASSWORD" > passwords.json; unset ADMIN_PASSWORD; '
    "exec airflow api-server"
)


def _settings(*, celery: bool) -> dict[str, str]:
    """What every part of Airflow is told, and may be shown to everybody."""
    return {
        "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor" if celery else "LocalExecutor",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": "http://api-server:8080/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": f"{_HOME}/passwords.json",
        "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK": "true",
        # each part begins when what it needs is healthy; its image would start Airflow up to three times to ask again
        "CONNECTION_CHECK_MAX_COUNT": "0",
    }


def airflow(
    image: Mapping[str, Any],
    *,
    celery: bool,
    workers: int,
    port: int,
    docker: bool,
    project: str,
    pools: Mapping[str, int],
    connections: Mapping[str, str | None],
    databases: Iterable[str],
    workspace: str | None,
) -> tuple[dict[str, Any], dict[str, Service]]:
    """What the parts have in common, and the parts. `project` is its folder, seen from compose.yaml; `workspace` the
    volume that containers of tasks share.
    """
    where = "worker" if celery else "scheduler"
    executing = _executing(docker=docker, project=project, databases=databases)
    parts = {
        "init": _init(pools, workspace),
        "api-server": _server(port, connections),
        "scheduler": _part("airflow scheduler", check("curl -fsS http://localhost:8974/health")),
        "dag-processor": _part("airflow dag-processor", _beats("dag_processor")),
        "triggerer": _part("airflow triggerer", _beats("triggerer")),
    }
    if celery:
        parts["scheduler"]["depends_on"] |= _after("broker")
        parts["scheduler"]["environment"] |= _broker_url()
        parts["worker"] = _worker(workers)
        parts["broker"] = _broker()
    parts[where] |= {**executing, "depends_on": parts[where]["depends_on"] | executing["depends_on"]}
    return _common(image, celery=celery), parts


def metadata() -> Service:
    """The Postgres in which Airflow keeps what it knows."""
    return {
        "image": _DATABASE_IMAGE,
        "environment": {
            "POSTGRES_USER": "airflow",
            "POSTGRES_DB": "airflow",
            "POSTGRES_PASSWORD": required("DATABASE_PASSWORD"),
        },
        "volumes": ["metadata:/var/lib/postgresql"],
        "healthcheck": check("pg_isready -U airflow -h 127.0.0.1", every="5s"),
        "restart": "unless-stopped",
        "logging": "*logging",
    }


def check(command: str, every: str = "10s") -> dict[str, Any]:
    """A health check by a shell, in the container."""
    return {
        "test": ["CMD-SHELL", command],
        "interval": every,
        "timeout": "30s",
        "retries": 5,
        "start_period": "5m",  # as long as it takes on a busy laptop; the first success ends it
    }


def _common(image: Mapping[str, Any], *, celery: bool) -> dict[str, Any]:
    secrets = {
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": _DATABASE_URL,
        "AIRFLOW__CORE__FERNET_KEY": required("FERNET_KEY"),
        "AIRFLOW__API__SECRET_KEY": required("API_SECRET_KEY"),
        "AIRFLOW__API_AUTH__JWT_SECRET": required("JWT_SECRET"),
    }
    of_all = {
        **image,
        "user": f"{required('AIRFLOW_UID')}:0",
        "volumes": _VOLUMES,
        "restart": "unless-stopped",
        "logging": "*logging",
    }
    return {
        "logging": _LOGGING,
        "settings": _settings(celery=celery),
        "secrets": {"<<": "*settings", **secrets},
        "airflow": of_all,
    }


def _part(command: str, healthcheck: Mapping[str, Any]) -> Service:
    return {
        "<<": "*airflow",
        "environment": {"<<": "*secrets"},
        "command": command.split()[1:],  # the image's own entry point is `airflow`
        "healthcheck": healthcheck,
        "depends_on": _after("api-server"),
    }


def _init(pools: Mapping[str, int], workspace: str | None) -> Service:
    """What has to be done before all others start. It has the workspace: what no service has, compose does not remove."""
    made = [f"airflow pools set {name} {slots} windlass" for name, slots in pools.items()]
    return {
        "<<": "*airflow",
        "environment": {"<<": "*secrets"},
        "command": ["bash", "-c", " && ".join(["airflow db migrate", *made])],
        **({"volumes": [*_VOLUMES, f"{workspace}:{_WORKSPACE}"]} if workspace else {}),
        "restart": "no",
        "depends_on": _after("metadata"),
    }


def _server(port: int, connections: Mapping[str, str | None]) -> Service:
    """It alone has the password of the page, and the connections, which it gives to the tasks."""
    return {
        "<<": "*airflow",
        "environment": {"<<": "*secrets", "ADMIN_PASSWORD": required("ADMIN_PASSWORD"), **connections},
        "command": ["bash", "-c", _SERVER],
        "ports": [f"127.0.0.1:{port}:8080"],
        "healthcheck": check("curl -fsS http://localhost:8080/api/v2/version"),
        "depends_on": {"init": {"condition": "service_completed_successfully"}},
    }


def _worker(count: int) -> Service:
    """It needs the database for Celery's results only, and none of the keys."""
    app = "airflow.providers.celery.executors.celery_executor.app"
    return {
        "<<": "*airflow",
        "environment": {
            "<<": "*settings",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": _DATABASE_URL,
            **_broker_url(),
            "DUMB_INIT_SETSID": "0",  # its tasks may end when it is stopped
        },
        "command": ["celery", "worker"],
        "healthcheck": check(f'celery --app {app} inspect ping -d "celery@$${{HOSTNAME}}"', every="30s"),
        "depends_on": _after("api-server", "broker"),
        "deploy": {"replicas": count},
        "stop_grace_period": "1m",
    }


def _executing(*, docker: bool, project: str, databases: Iterable[str]) -> Service:
    """What the part that executes tasks has beside: the project, or the socket of the engine, and what tasks find."""
    needed = {"depends_on": _after(*databases), "env_file": [{"path": TASKS, "required": False}]}
    if docker:
        volumes, group = [*_VOLUMES, f"{_SOCKET}:{_SOCKET}"], [required("DOCKER_GID")]
        return {**needed, "volumes": volumes, "group_add": group}
    mounted = {**needed, "volumes": [*_VOLUMES, f"{literal(project)}:{PROJECT}"]}
    # no task may read the keys, which are below the project's folder
    return {**mounted, "tmpfs": [f"{PROJECT}/compose"]} if project == ".." else mounted


def _broker() -> Service:
    start, answers = _BROKER
    return {
        "image": _BROKER_IMAGE,
        "user": "valkey",
        "environment": {"BROKER_PASSWORD": required("BROKER_PASSWORD")},
        "entrypoint": ["sh", "-c", start],
        "volumes": ["broker:/data"],
        "healthcheck": check(answers, every="5s"),
        "restart": "unless-stopped",
        "logging": "*logging",
    }


def _broker_url() -> dict[str, str]:
    return {"AIRFLOW__CELERY__BROKER_URL": f"redis://:{required('BROKER_PASSWORD')}@broker:6379/0"}


def _beats(part: str) -> dict[str, Any]:
    """A check by what the API server knows: `airflow jobs check` loads all of Airflow, each time."""
    return check(f"""curl -fsS {_HEALTH} | grep -q '"{part}":{{"status":"healthy"'""")


def _after(*names: str) -> dict[str, Any]:
    return {name: {"condition": "service_healthy"} for name in names}
