"""Whether the server of a dev service is up, and on which port: for the processes that share it."""

from __future__ import annotations

import socket

from windlass.devservices.service import DevService
from windlass.files import write_file
from windlass.locks import has_owner
from windlass.ports import LOOPBACK

__all__ = ["has_launcher", "is_running", "note_port", "noted_port"]


def has_launcher(service: DevService) -> bool:
    """Whether somebody is there who will stop the server."""
    return has_owner(service.alive_lock)


def is_running(service: DevService) -> bool:
    """Whether the server has its launcher, and answers on the port that was noted."""
    if not has_launcher(service):
        return False
    try:
        with socket.create_connection((LOOPBACK, noted_port(service)), timeout=1):
            return True
    except (OSError, ValueError):
        return False


def note_port(service: DevService, port: int) -> None:
    write_file(service.folder / "port", str(port))


def noted_port(service: DevService) -> int:
    """The port that was noted last. Raises OSError or ValueError when none was."""
    return int((service.folder / "port").read_text())
