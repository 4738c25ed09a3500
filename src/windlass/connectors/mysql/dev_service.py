"""The dev service of a mysql connection: `mariadbd` or `mysqld` of this machine, else a container."""

from __future__ import annotations

import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from windlass.connections import Address
from windlass.connectors.dev_server import Program, Server, start_server
from windlass.connectors.mysql.database import MysqlDatabase
from windlass.connectors.mysql.dev_program import unfit
from windlass.connectors.mysql.names import quoted
from windlass.connectors.mysql.session import Session
from windlass.devservices import DevService

__all__ = ["start"]

_USER = "root"
_NO_PASSWORD = ("MARIADB_ALLOW_EMPTY_ROOT_PASSWORD=1", "MYSQL_ALLOW_EMPTY_PASSWORD=1")


def start(service: DevService) -> Address:
    """The address of the server; started and initialised as far as needed."""
    programs = (Program("mariadbd", _command, unfit), Program("mysqld", _command, unfit))
    server = Server("MySQL", programs, 3306, _connected, _clear, _load, environment=_NO_PASSWORD)
    return replace(start_server(service, server), user=_USER)


def _command(program: str, data: Path, port: int) -> tuple[str, ...]:
    return (sys.executable, "-m", "windlass.connectors.mysql.dev_program", program, str(data), str(port))


def _connected(address: Address) -> MysqlDatabase:
    own = replace(address, user=_USER)
    with closing(Session(replace(own, database=""))) as server:
        server.execute(f"CREATE DATABASE IF NOT EXISTS {quoted(own.database)} CHARACTER SET utf8mb4")
    return MysqlDatabase(own)


def _clear(database: MysqlDatabase) -> None:
    name = quoted(database.name)
    database.execute(
        f"DROP DATABASE {name}; CREATE DATABASE {name} CHARACTER SET utf8mb4; USE {name}", transaction=False
    )


def _load(file: Path, database: MysqlDatabase) -> None:
    database.execute(file.read_text(encoding="utf-8"), transaction=False)
