"""What stands beside Airflow: a database for each connection that a dev service could stand in for, and pgAdmin."""

from __future__ import annotations

import json
from collections.abc import Mapping

from windlass import registry
from windlass.devservices import files_of
from windlass.plan.model import Connection
from windlass.registry import Container
from windlass.spec.project import Connection as Declared
from windlass.targets.compose.document import Service, literal, required
from windlass.targets.compose.services import check

__all__ = ["addresses", "databases", "pgadmin", "servers", "stood_in_for"]

_PGADMIN_IMAGE = "dpage/pgadmin4:9.8"
_EMAIL = "admin@example.com"


def databases(connections: Mapping[str, Declared], project: str) -> dict[str, Service]:
    """A server for each connection whose connector has a container, with the init files of its `dev:`."""
    return {
        _service_of(name): _server(_service_of(name), container, _init_files(declared, container, project))
        for name, declared in connections.items()
        if (container := _container(declared)) is not None
    }


def stood_in_for(connections: Mapping[str, Declared]) -> set[str]:
    """The connections that have such a server."""
    return {name for name, declared in connections.items() if _container(declared) is not None}


def _container(declared: Declared) -> Container | None:
    return registry.require(declared.type).container


def _server(name: str, container: Container, files: list[str]) -> Service:
    return {
        "image": container.image,
        "environment": {container.password: required("DEV_PASSWORD")},
        "volumes": [f"{name}:{container.data}", *files],
        "healthcheck": check(container.healthy, every="5s"),
        "restart": "unless-stopped",
        "logging": "*logging",
    }


def addresses(connections: Mapping[str, Declared]) -> dict[str, str | None]:
    """The variables that Airflow finds connections in. One of `.env` comes first; None takes only that."""
    found: dict[str, str | None] = {}
    for name, declared in connections.items():
        variable = f"AIRFLOW_CONN_{name.upper()}"
        container = _container(declared)
        found[variable] = None if container is None else _address(name, declared.type, container, variable)
    return found


def _address(name: str, kind: str, container: Container, variable: str) -> str:
    user = f"{container.user}:{required('DEV_PASSWORD')}"
    scheme = registry.require(kind).schemes[0]
    url = f"{scheme}://{user}@{_service_of(name)}:{container.port}/{container.database}"
    return url if "-" in name else f"${{{variable}:-{url}}}"  # `-` ends the name of a variable


def _service_of(connection: str) -> str:
    return f"dev-{connection}"


def pgadmin(port: int) -> Service:
    return {
        "image": _PGADMIN_IMAGE,
        "environment": {
            "PGADMIN_DEFAULT_EMAIL": _EMAIL,
            "PGADMIN_DEFAULT_PASSWORD": required("ADMIN_PASSWORD"),
            "PGADMIN_CONFIG_UPGRADE_CHECK_ENABLED": "False",
        },
        "volumes": ["pgadmin:/var/lib/pgadmin", "./servers.json:/pgadmin4/servers.json:ro"],
        "ports": [f"127.0.0.1:{port}:80"],
        "healthcheck": check("wget -qO- http://localhost/misc/ping"),
        "restart": "unless-stopped",
        "logging": "*logging",
    }


def servers(connections: Mapping[str, Declared]) -> str:
    """The servers that pgAdmin begins with; it asks for their password, `DEV_PASSWORD`."""
    found = {name: container for name, declared in connections.items() if (container := _container(declared))}
    listed = {
        str(number): {
            "Name": name,
            "Group": "Servers",
            "Host": _service_of(name),
            "Port": container.port,
            "MaintenanceDB": container.database,
            "Username": container.user,
            "SSLMode": "prefer",
        }
        for number, (name, container) in enumerate(found.items(), 1)
    }
    return json.dumps({"Servers": listed}, indent=2) + "\n"


def _init_files(declared: Declared, container: Container, project: str) -> list[str]:
    files = files_of(Connection(type=declared.type, dev=declared.dev))
    return [
        f"{literal(project)}/{literal(file)}:{container.init}/{number:02}-{literal(file.rpartition('/')[2])}:ro"
        for number, file in enumerate(files, 1)
    ]
