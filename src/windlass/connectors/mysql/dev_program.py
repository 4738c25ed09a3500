"""A server program of this machine as a dev service: makes its data folder, if it is new, and becomes the server.

`python -m windlass.connectors.mysql.dev_program PROGRAM DATA PORT`. Nobody but this machine reaches it, and it asks for no
password.
"""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
import sys
from pathlib import Path

from windlass.ports import LOOPBACK
from windlass.processes.environment import inherited

__all__ = ["is_mariadb", "main", "unfit"]


def main(program: str, data: str, port: str) -> None:
    """Become the server."""
    folder = Path(data)
    user = f"--user={getpass.getuser()}"
    if not (folder / "mysql").is_dir():
        made = folder.with_name(f"{folder.name}.part")
        shutil.rmtree(made, ignore_errors=True)
        subprocess.run(
            _new_data(program, made, user), check=True, stdin=subprocess.DEVNULL, env=inherited(os.environ)
        )
        folder.rmdir()
        made.rename(folder)
    os.execve(program, _server(program, folder, port, user), inherited(os.environ))


def unfit(program: str) -> str | None:
    """Why a program cannot be used; None when it can."""
    if is_mariadb(program) and shutil.which("mariadb-install-db") is None:
        return "mariadb-install-db, which makes its data folder, is not on the PATH"
    return None


def is_mariadb(program: str) -> bool:
    """Whether it is MariaDB's; the name tells nothing."""
    said = subprocess.run(
        [program, "--no-defaults", "--version"],
        capture_output=True,
        text=True,
        check=False,
        env=inherited(os.environ),
    )
    return "MariaDB" in said.stdout


def _new_data(program: str, folder: Path, user: str) -> list[str]:
    if is_mariadb(program):
        normal = "--auth-root-authentication-method=normal"
        return ["mariadb-install-db", "--no-defaults", user, f"--datadir={folder}", normal, "--skip-test-db"]
    return [program, "--no-defaults", "--initialize-insecure", user, f"--datadir={folder}"]


def _server(program: str, folder: Path, port: str, user: str) -> list[str]:
    """A socket's path may have 107 characters, so it is said relative to the folder."""
    where = [f"--datadir={folder}", "--socket=server.sock", "--pid-file=server.pid"]
    small = ["--skip-log-bin", "--innodb-buffer-pool-size=64M", "--innodb-flush-log-at-trx-commit=2"]
    if not is_mariadb(program):
        small.append("--mysqlx=0")
    return [program, "--no-defaults", user, *where, f"--bind-address={LOOPBACK}", f"--port={port}", *small]


if __name__ == "__main__":
    main(*sys.argv[1:])
