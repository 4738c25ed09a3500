"""pgAdmin, as the stack runs it: in server mode, so that nobody else on this machine gets at the databases.

The servers are registered by pgAdmin's own setup program. Their passwords are in a password file of libpq, for
its owner only, in the one folder where pgAdmin looks for files of its user.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
from collections.abc import Mapping
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path

from windlass.connections import Address
from windlass.connectors.postgres.connector import CONNECTOR as POSTGRES
from windlass.errors import FatalError, MissingExtraError, naming
from windlass.files import write_whole
from windlass.ports import LOOPBACK, open_directly
from windlass.processes import last_words
from windlass.processes.environment import inherited
from windlass.stack.component import Component
from windlass.stack.keys import Keys
from windlass.stack.layout import Layout

__all__ = ["USER", "PgAdmin"]

USER = "admin@localhost.local"
_SETUP_TIMEOUT = 120.0
_FIRST = POSTGRES.type  # the name of a server's first user and database, too
_PASSWORDS = "passwords"
_CONFIG = """\
SERVER_MODE = True
DATA_DIR = {folder!r}
LOG_FILE = {log!r}
DEFAULT_SERVER = {host!r}
DEFAULT_SERVER_PORT = {port}
MASTER_PASSWORD_REQUIRED = False
UPGRADE_CHECK_ENABLED = False
SHOW_GRAVATAR_IMAGE = False
ENABLE_PSQL = False
CHECK_EMAIL_DELIVERABILITY = False
GLOBALLY_DELIVERABLE = False
ALLOW_SPECIAL_EMAIL_DOMAINS = ["local"]
"""


class PgAdmin:
    """The pgAdmin of one stack."""

    def __init__(self, layout: Layout, keys: Keys, port: int) -> None:
        self._folder, self._logs = layout.pgadmin, layout.logs
        self._keys, self._port = keys, port
        self._registered: dict[str, Address] | None = None

    @property
    def page(self) -> str:
        return f"http://localhost:{self._port}"

    def register(self, servers: Mapping[str, Address]) -> None:
        """Make these, and no others, its servers. Raises FatalError when its setup program fails."""
        if servers == self._registered:
            return
        self._configure()
        write_whole(
            self._storage() / _PASSWORDS, "".join(map(_password_line, servers.values())), private=True
        )
        listed = {str(i): self._server(n, a) for i, (n, a) in enumerate(servers.items(), 1)}
        file = self._folder / "servers.json"
        write_whole(file, json.dumps({"Servers": listed}, indent=2), private=True)
        if not (self._folder / "pgadmin4.db").exists():
            self._setup("setup-db")
        self._setup("load-servers", str(file), "--user", USER, "--replace")
        self._registered = dict(servers)

    def component(self) -> Component:
        return Component(
            name="pgadmin",
            command=(sys.executable, str(self._program("pgAdmin4.py"))),
            environment=self._environment(),
            folder=self._folder,
            log=self._logs / "pgadmin.log",
            address=self.page,
            is_healthy=self._answers,
        )

    def _answers(self, _since: datetime) -> bool:
        try:
            with open_directly(f"http://{LOOPBACK}:{self._port}/misc/ping", timeout=5) as answer:
                return bool(answer.read() == b"PING")
        except (urllib.error.URLError, OSError):
            return False

    def _configure(self) -> None:
        self._storage().mkdir(parents=True, exist_ok=True)
        (self._folder / "config").mkdir(exist_ok=True)
        config = _CONFIG.format(
            folder=str(self._folder),
            log=str(self._logs / "pgadmin-server.log"),
            host=LOOPBACK,
            port=self._port,
        )
        write_whole(self._folder / "config" / "config_local.py", config, private=True)

    def _server(self, name: str, address: Address) -> dict[str, object]:
        options = {key: address.options[key] for key in ("sslmode",) if key in address.options}
        return {
            "Name": name,
            "Group": "Servers",
            "Host": address.host,
            "Port": address.port or 5432,
            "MaintenanceDB": address.database or address.user or _FIRST,
            "Username": address.user or _FIRST,
            "ConnectionParameters": {"passfile": f"/{_PASSWORDS}", "connect_timeout": 10, **options},
        }

    def _setup(self, *command: str) -> None:
        who = {"PGADMIN_SETUP_EMAIL": USER, "PGADMIN_SETUP_PASSWORD": self._keys.admin_password}
        done = subprocess.run(
            [sys.executable, str(self._program("setup.py")), *command],
            env={**self._environment(), **who},
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=_SETUP_TIMEOUT,
        )
        with naming(self._logs / "pgadmin.log"), (self._logs / "pgadmin.log").open("a") as log:
            log.write(done.stdout + done.stderr)
        if done.returncode:
            said = last_words(done.stdout + done.stderr, done.returncode)
            raise FatalError(
                f"pgAdmin cannot be set up:{said}", hint=f"all of it: {self._logs / 'pgadmin.log'}"
            )

    def _storage(self) -> Path:
        """Where pgAdmin looks for the files of its user."""
        return self._folder / "storage" / USER.replace("@", "_")

    def _environment(self) -> dict[str, str]:
        own = {"PYTHONPATH": str(self._folder / "config"), "PYTHONUNBUFFERED": "1"}
        return {**inherited(os.environ), **own}

    @staticmethod
    def _program(name: str) -> Path:
        spec = find_spec("pgadmin4")
        if spec is None or not spec.submodule_search_locations:
            raise MissingExtraError("pgAdmin", "pgadmin")
        return Path(spec.submodule_search_locations[0]) / name


def _password_line(address: Address) -> str:
    """https://www.postgresql.org/docs/current/libpq-pgpass.html"""
    fields = (address.host, str(address.port or 5432), "*", address.user or _FIRST, address.password)
    return (
        ":".join(field.replace("\\", "\\\\").replace(":", "\\:") if field != "*" else "*" for field in fields)
        + "\n"
    )
