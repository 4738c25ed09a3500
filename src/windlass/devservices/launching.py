"""Starts a server of our own that stands in for a connection: a module that listens on loopback and prints its port."""

from __future__ import annotations

import subprocess
import sys

from windlass.devservices.running import note_port
from windlass.devservices.service import DevService
from windlass.errors import Code, FatalError
from windlass.processes import last_words
from windlass.processes.launch import launch

__all__ = ["launch_server"]

_left_running: list[subprocess.Popen[bytes]] = []
"""The launchers, which may outlive this process: Python warns of a process that nobody holds."""


def launch_server(service: DevService, module: tuple[str, ...]) -> int:
    """Start `python -m MODULE ARGUMENTS…`. Returns its port, which is noted for the others. Raises FatalError."""
    process = launch(
        (sys.executable, "-m", *module),
        service.users_lock,
        shared_by_users=True,
        alive=service.alive_lock,
        output=subprocess.PIPE,
    )
    assert process.stdout is not None
    line = process.stdout.readline().decode()
    if not line.strip().isdigit():
        said = last_words(line + process.stdout.read().decode(errors="replace"), process.wait())
        raise FatalError(f"the dev service of {service.name!r} did not start:{said}", code=Code.DEV_SERVICE)
    _left_running.append(process)
    note_port(service, int(line))
    return int(line)
