"""Whether the server of a dev service is up, and on which port: for the processes that share it."""

from __future__ import annotations

import fcntl
import socket

from windlass.devservices import Service

__all__ = ["free_port", "has_launcher", "is_running", "note_port", "noted_port"]


def has_launcher(service: Service) -> bool:
    """Whether somebody is there who will stop the server."""
    with service.alive_lock.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def is_running(service: Service) -> bool:
    """Whether the server has its launcher, and answers on the port that was noted."""
    if not has_launcher(service):
        return False
    try:
        with socket.create_connection(("127.0.0.1", noted_port(service)), timeout=1):
            return True
    except (OSError, ValueError):
        return False


def note_port(service: Service, port: int) -> None:
    (service.folder / "port").write_text(str(port))


def noted_port(service: Service) -> int:
    """The port that was noted last. Raises OSError or ValueError when none was."""
    return int((service.folder / "port").read_text())


def free_port() -> int:
    """A port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
