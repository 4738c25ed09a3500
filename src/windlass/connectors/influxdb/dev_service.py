"""The dev service of an InfluxDB connection: `influxd` of version 1 of this machine, else a container of one.

Version 1, because it needs neither organisation nor token, and is there in a second.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from windlass.connections import Address
from windlass.connectors.dev_server import Program, Server, start_server
from windlass.connectors.influxdb import influxql
from windlass.connectors.influxdb.client import Connection
from windlass.devservices import DevService
from windlass.errors import FatalError
from windlass.files import write_file
from windlass.ports import LOOPBACK
from windlass.processes.environment import inherited

__all__ = ["start"]

_SECONDS = 10.0
_CONFIGURATION = """\
reporting-disabled = true
bind-address = "{host}:0"
[meta]
dir = "{data}/meta"
[data]
dir = "{data}/data"
wal-dir = "{data}/wal"
query-log-enabled = false
[http]
bind-address = "{host}:{port}"
log-enabled = false
[logging]
level = "warn"
"""


def start(service: DevService) -> Address:
    """The address of the server; started and initialised as far as needed."""
    programs = (Program("influxd", _influxd, _why_unfit),)
    return start_server(service, Server("InfluxDB", programs, 8086, _connected, _clear, _load))


def _influxd(program: str, data: Path, port: int) -> tuple[str, ...]:
    file = data / "influxdb.conf"
    write_file(file, _CONFIGURATION.format(host=LOOPBACK, data=data, port=port))
    return (program, "-config", str(file))


def _why_unfit(program: str) -> str | None:
    try:
        done = subprocess.run(
            (program, "version"),
            env=inherited(os.environ),
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        return f"does not say its version: {exc}"
    said = done.stdout.strip().partition("\n")[0]
    return None if said.startswith("InfluxDB v1.") else f"not of version 1: {said or 'it says none'}"


def _connected(address: Address) -> Connection:
    connection = Connection(address)
    connection.query("SHOW DATABASES")
    return connection


def _clear(connection: Connection) -> None:
    name = influxql.name(connection.database)
    connection.query(f"DROP DATABASE {name}; CREATE DATABASE {name}")


def _load(file: Path, connection: Connection) -> None:
    """Points in line protocol, each with its time."""
    lines = [
        line for line in file.read_text(encoding="utf-8").splitlines() if line.strip() and line[0] != "#"
    ]
    for number, line in enumerate(lines, 1):
        if not line.rpartition(" ")[2].removeprefix("-").isdecimal():
            raise FatalError(
                f"point {number} has no time: {line}", hint="end each line with nanoseconds since 1970"
            )
    if lines:
        connection.write("\n".join(lines).encode())
