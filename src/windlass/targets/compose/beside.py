"""What stands beside Airflow: a database for each connection that a dev service could stand in for, and pgAdmin."""

from __future__ import annotations

import json
from collections.abc import Mapping

from windlass.devservices import files_of
from windlass.plan.model import Connection
from windlass.spec.project import Connection as Declared
from windlass.targets.compose.document import Service, literal, required
from windlass.targets.compose.services import check, database

__all__ = ["addresses", "databases", "pgadmin", "servers"]

_PGADMIN_IMAGE = "dpage/pgadmin4:9.8"
_KIND = "postgres"
_EMAIL = "admin@example.com"


def databases(connections: Mapping[str, Declared], project: str) -> dict[str, Service]:
    """A Postgres for each connection of that type, with the init files of its `dev:`."""
    found = {name: declared for name, declared in connections.items() if declared.type == _KIND}
    return {
        _service_of(name): database(_KIND, "DEV_PASSWORD", _service_of(name), _init_files(declared, project))
        for name, declared in found.items()
    }


def addresses(connections: Mapping[str, Declared]) -> dict[str, str | None]:
    """The variables that Airflow finds connections in. One of `.env` comes first; None takes only that."""
    found: dict[str, str | None] = {}
    for name, declared in connections.items():
        variable = f"AIRFLOW_CONN_{name.upper()}"
        url = f"postgresql://postgres:{required('DEV_PASSWORD')}@{_service_of(name)}:5432/postgres"
        own = url if "-" in name else f"${{{variable}:-{url}}}"  # `-` ends the name of a variable
        found[variable] = own if declared.type == _KIND else None
    return found


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


def servers(names: Mapping[str, Service]) -> str:
    """The servers that pgAdmin begins with; it asks for their password, `DEV_PASSWORD`."""
    listed = {
        str(number): {
            "Name": name.removeprefix("dev-"),
            "Group": "Servers",
            "Host": name,
            "Port": 5432,
            "MaintenanceDB": _KIND,
            "Username": _KIND,
            "SSLMode": "prefer",
        }
        for number, name in enumerate(names, 1)
    }
    return json.dumps({"Servers": listed}, indent=2) + "\n"


def _init_files(declared: Declared, project: str) -> list[str]:
    files = files_of(Connection(type=declared.type, dev=declared.dev))
    return [
        f"{literal(project)}/{literal(file)}:/docker-entrypoint-initdb.d/{number:02}-{literal(file.rpartition('/')[2])}:ro"
        for number, file in enumerate(files, 1)
    ]
