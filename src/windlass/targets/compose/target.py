"""Renders a whole Airflow as a compose file: its parts, databases, workers, and the DAGs of the project."""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from windlass.spec.project import Project
from windlass.targets import CompiledProject, Needs
from windlass.targets.airflow.containers import workspace_of
from windlass.targets.airflow.target import TARGET as AIRFLOW
from windlass.targets.airflow.target import AirflowOptions
from windlass.targets.compose import beside
from windlass.targets.compose.document import Service, document
from windlass.targets.compose.services import PROJECT, TASKS, airflow, metadata

__all__ = ["TARGET", "ComposeOptions", "ComposeTarget"]

_FOLDER = "compose"
_HEADING = """\
# Airflow with the pipelines of {project}, by windlass export compose: edit the project, and export again.
# Secrets are in .env beside this file; that is for no repository.
"""
_MARK = "# by windlass export compose\n"
_DOCKERFILE = """\
# by windlass export compose
FROM {image}
COPY requirements.txt *.whl /windlass/
WORKDIR /windlass
RUN pip install --no-cache-dir "apache-airflow==${{AIRFLOW_VERSION}}" -r requirements.txt
WORKDIR ${{AIRFLOW_HOME}}
"""
_WORKSPACE = "workspace"
_SOCKET = Path("/var/run/docker.sock")


class ComposeOptions(Struct, frozen=True, kw_only=True):
    """How a project becomes a stack of containers."""

    executor: Literal["celery", "local"] = "celery"
    """Where tasks run: on Celery workers with a broker, or in the scheduler."""

    workers: Annotated[int, Meta(ge=1)] = 2
    """How many Celery workers there are."""

    runtime: Literal["process", "docker"] = "process"
    """What executes a task: a process on the worker, or a container of the machine's Docker engine."""

    pgadmin: bool = False
    """Add pgAdmin, with the databases of the project's connections in it."""

    port: int = 5884
    """Where Airflow's page is on this machine."""

    pgadmin_port: int = 16543
    """Where pgAdmin's page is on this machine."""

    airflow_image: str = "apache/airflow:3.3.2"
    """The image of Airflow."""

    windlass: str = f"windlass[all]=={version('windlass')}"
    """What pip installs as windlass beside it, where tasks are processes; `./FILE.whl[all]` is a wheel beside compose.yaml."""

    project_path: str = ".."
    """Where the project's folder is; a relative path begins at compose.yaml."""


class ComposeTarget:
    """Write a compose file with a whole Airflow: its parts, workers, databases, and every pipeline as a DAG.

    All files are below compose/. Secrets are made once, in compose/.env, for you only: keep that file.
    """

    title = "Airflow"
    options = ComposeOptions

    def render(self, project: CompiledProject, options: ComposeOptions) -> dict[str, str]:
        """Every file but `.env`."""
        spec = project.files.spec
        databases = beside.databases(spec.connections, options.project_path)
        files = {
            "compose.yaml": self._compose(project, options, databases),
            ".gitignore": f"{_MARK}.env\n{TASKS}\n",
            ".dockerignore": f"{_MARK}*\n!requirements.txt\n!*.whl\n",
        }
        if options.runtime == "process":
            files["Dockerfile"] = _DOCKERFILE.format(image=options.airflow_image)
            files["requirements.txt"] = f"{_MARK}{options.windlass}\n"
        if options.pgadmin:
            files["servers.json"] = beside.servers(spec.connections)
        files |= AIRFLOW.render(_in_its_network(project), _as_dags(options))
        return {f"{_FOLDER}/{name}": text for name, text in files.items()}

    def needs(self, project: CompiledProject, _options: ComposeOptions) -> Needs:
        """The connections that no database of the stack stands in for. The stack makes the pools."""
        found = Needs.of(project.plans.values())
        has = beside.stood_in_for(project.files.spec.connections)
        rest = {name: kind for name, kind in found.connections.items() if name not in has}
        return replace(found, connections=rest, pools={})

    def secrets(self, options: ComposeOptions) -> tuple[str, Mapping[str, Callable[[], str]]]:
        """What `.env` has to have: each variable, and how it is made."""
        made: dict[str, Callable[[], str]] = {
            "AIRFLOW_UID": lambda: str(os.getuid()),
            "DOCKER_GID": _docker_group,
            "FERNET_KEY": lambda: base64.urlsafe_b64encode(os.urandom(32)).decode(),
            **dict.fromkeys(("JWT_SECRET", "API_SECRET_KEY"), _token),
            **dict.fromkeys(("DATABASE_PASSWORD", "BROKER_PASSWORD", "DEV_PASSWORD"), _token),
            "ADMIN_PASSWORD": lambda: secrets.token_urlsafe(12),
        }
        return f"{_FOLDER}/.env", made

    def _compose(
        self, project: CompiledProject, options: ComposeOptions, databases: Mapping[str, Service]
    ) -> str:
        spec, celery = project.files.spec, options.executor == "celery"
        shared = _workspace(spec) if options.runtime == "docker" else None
        common, parts = airflow(
            _image(options, _name(project)),
            celery=celery,
            workers=options.workers,
            port=options.port,
            docker=options.runtime == "docker",
            project=options.project_path,
            pools=Needs.of(project.plans.values()).pools,
            connections=beside.addresses(spec.connections),
            databases=databases,
            workspace=_WORKSPACE if shared else None,
        )
        services = {**parts, "metadata": metadata(), **databases}
        volumes = ["logs", "metadata", *(["broker"] if celery else []), *databases]
        if options.pgadmin:
            services["pgadmin"] = beside.pgadmin(options.pgadmin_port)
            volumes.append("pgadmin")
        named: dict[str, Any] = {name: {} for name in volumes}
        if shared:  # the loader has containers mount it by this name
            named[_WORKSPACE] = {"name": shared}
        body = {"services": services, "volumes": named}
        heading = _HEADING.format(project=spec.project)
        return document(heading, common, {"name": _name(project), **body})


def _name(project: CompiledProject) -> str:
    """The compose project, which takes small letters only and does not begin with a mark."""
    return project.files.spec.project.lower().strip("-_") or "project"


def _image(options: ComposeOptions, name: str) -> dict[str, Any]:
    if options.runtime == "docker":
        return {"image": options.airflow_image}
    return {"image": f"{name}-airflow:{options.airflow_image.rpartition(':')[2]}", "build": {"context": "."}}


def _as_dags(options: ComposeOptions) -> AirflowOptions:
    return AirflowOptions(runtime=options.runtime, project_path=PROJECT)


def _workspace(spec: Project) -> str | None:
    """The volume that containers of tasks share; None where the project says one, or a folder, which is then its own affair."""
    docker = spec.runtimes.docker
    return workspace_of(docker, spec.project) if docker.workspace is None else None


def _in_its_network(project: CompiledProject) -> CompiledProject:
    """The project, whose containers are in the network of the stack unless it says another."""
    spec = project.files.spec
    docker = spec.runtimes.docker
    if docker.network is not None:
        return project
    docker = docker.model_copy(update={"network": f"{_name(project)}_default"})
    runtimes = spec.runtimes.model_copy(update={"docker": docker})
    files = replace(project.files, spec=spec.model_copy(update={"runtimes": runtimes}))
    return replace(project, files=files)


def _token() -> str:
    return secrets.token_urlsafe(32)


def _docker_group() -> str:
    return str(_SOCKET.stat().st_gid if _SOCKET.exists() else 0)


TARGET = ComposeTarget()
