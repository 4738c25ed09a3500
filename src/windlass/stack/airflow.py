"""Airflow, as the stack runs it: its configuration, and its components.

Settings are in the environment of the components, secrets in files for their owner only: an environment is
handed on to every task. Nothing of an Airflow that this machine may have otherwise is taken over.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from importlib.metadata import version

from windlass.connections import Address
from windlass.files import write_file, write_whole
from windlass.ports import LOOPBACK
from windlass.processes.environment import for_containers, with_own_programs
from windlass.stack.airflow_api import AirflowApi
from windlass.stack.component import Component
from windlass.stack.keys import Keys
from windlass.stack.layout import Layout
from windlass.stack.workers import Workers

__all__ = ["Airflow"]

_SECRETS = """\
[core]
fernet_key = {fernet_key}
[database]
sql_alchemy_conn = {database}
[api]
secret_key = {api_secret_key}
[api_auth]
jwt_secret = {jwt_secret}
"""


class Airflow:
    """The Airflow of one stack."""

    def __init__(self, layout: Layout, keys: Keys, port: int, workers: Workers) -> None:
        self._layout, self._keys, self._port, self._workers = layout, keys, port, workers
        self.api = AirflowApi(f"http://{LOOPBACK}:{port}", keys.admin_password)

    @property
    def page(self) -> str:
        return f"http://localhost:{self._port}"

    def configure(self, database: Address) -> None:
        """Write the files that Airflow finds its secrets in, and its database."""
        home = self._layout.airflow
        url = replace(database, scheme="postgresql+psycopg2").uri().replace("%", "%%")
        secrets = _SECRETS.format(**vars(self._keys), database=url) + self._workers.secrets
        write_whole(home / "airflow.cfg", secrets, private=True)
        write_whole(home / "passwords.json", json.dumps({"admin": self._keys.admin_password}), private=True)

    def migration(self, database: Address) -> Component | None:
        """What makes or upgrades Airflow's database; None when this version has done so."""
        noted = self._layout.airflow / "migrated"
        if noted.exists() and noted.read_text() == self._identity(database):
            return None
        return self._component("database", "db", "migrate")

    def note_migration(self, database: Address) -> None:
        write_file(self._layout.airflow / "migrated", self._identity(database))

    def server(self) -> Component:
        return self._component("api-server", "api-server", job="metadatabase", address=self.page)

    def dag_processor(self) -> Component:
        return self._component("dag-processor", "dag-processor", job="dag_processor")

    def triggerer(self) -> Component:
        """For deferred tasks; none of ours defers, but Airflow's page calls a missing one unhealthy.

        On SIGTERM it waits for its own child, which the same signal has stopped already, until it is killed.
        """
        component = self._component("triggerer", "triggerer", "--skip-serve-logs", job="triggerer")
        return replace(component, stop_signal="SIGKILL")

    def scheduler(self) -> Component:
        return self._component("scheduler", "scheduler", "--skip-serve-logs", job="scheduler")

    def worker(self, name: str) -> Component:
        component = self._component(name, *self._workers.command(name))
        return replace(component, is_healthy=lambda since: self._workers.answers(name, since))

    def _component(self, name: str, *command: str, job: str = "", address: str = "") -> Component:
        def is_healthy(since: datetime) -> bool:
            return not job or self.api.beats(job, since)

        return Component(
            name=name,
            command=(sys.executable, "-m", "airflow", *command),
            environment=self._environment(os.environ),
            folder=self._layout.airflow,
            log=self._layout.logs / f"{name}.log",
            address=address,
            is_healthy=is_healthy,
        )

    @staticmethod
    def _identity(database: Address) -> str:
        """Which database it is, for which version. One that began anew has another password."""
        return f"{version('apache-airflow')} {hashlib.sha256(database.password.encode()).hexdigest()}"

    def _environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        kept = for_containers(environ)  # a task may be a container
        local = ",".join(filter(None, (kept.get("no_proxy") or kept.get("NO_PROXY"), "localhost", LOOPBACK)))
        own = {
            "AIRFLOW_HOME": str(self._layout.airflow),
            "NO_PROXY": local,
            "no_proxy": local,
            "PYTHONUNBUFFERED": "1",
        }
        return with_own_programs({**kept, **own, **self._settings()})

    def _settings(self) -> dict[str, str]:
        home = self._layout.airflow
        settings: dict[str, dict[str, object]] = {
            "core": {
                "dags_folder": home / "dags",
                "executor": "LocalExecutor",
                "parallelism": max(4, 2 * (os.cpu_count() or 1)),
                "load_examples": False,
                "simple_auth_manager_users": "admin:admin",
                "simple_auth_manager_passwords_file": home / "passwords.json",
                "execution_api_server_url": f"http://{LOOPBACK}:{self._port}/execution/",
                "min_serialized_dag_update_interval": 0,
                "dagbag_import_error_tracebacks": True,
            },
            "logging": {"base_log_folder": home / "logs", "colored_console_log": False},
            "api": {"host": LOOPBACK, "port": self._port, "base_url": self.page, "workers": 1},
            "scheduler": {"parsing_cleanup_interval": 5},
            # a loader that was touched is parsed at once; a DAG that is gone from it goes soon
            "dag_processor": {
                "min_file_process_interval": 30,
                "bundle_refresh_check_interval": 2,
                "refresh_interval": 10,
                "stale_dag_threshold": 5,
                "parsing_processes": 1,
            },
        }
        for section, values in self._workers.settings().items():
            settings[section] |= values
        return {
            f"AIRFLOW__{section.upper()}__{name.upper()}": str(value)
            for section, values in settings.items()
            for name, value in values.items()
        }
