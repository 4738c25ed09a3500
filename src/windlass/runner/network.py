"""Where services can be reached: who gives one its address, and how it is asked whether it is ready."""

from __future__ import annotations

import socket
import threading
from typing import NamedTuple, Protocol
from urllib.parse import quote, urlsplit

from windlass.errors import Code, FatalError
from windlass.plan.unit import Unit
from windlass.ports import LOOPBACK, free_port, open_directly, why_not_free

__all__ = ["Endpoint", "Loopback", "Network"]

_TIMEOUT = 5.0
_HANGS_UP_WITHIN = 0.5
_IN_A_PATH = "/?&=%:@!$'()*+,;~"


class Endpoint(NamedTuple):
    """Where a service listens."""

    host: str
    port: int
    is_published: bool = False
    """Whether it is a container's, for which somebody else takes connections before anybody listens in it."""

    @classmethod
    def of(cls, url: str) -> Endpoint:
        parts = urlsplit(url)
        return cls(parts.hostname or "", parts.port or 80)

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def names(self) -> dict[str, object]:
        """What `services.NAME` means in a template."""
        return {"url": self.url, "host": self.host, "port": self.port}


class Network(Protocol):
    """The network that the units of a run share."""

    def endpoint(self, service: str, unit: Unit) -> Endpoint:
        """Where the service will listen. Raises WindlassError when it cannot."""

    def is_ready(self, endpoint: Endpoint, health: str | None) -> bool:
        """Whether the service answers: its health check with 2xx, or its port by taking connections."""


class Loopback:
    """Services of this machine, for nobody else. Implements `Network`."""

    def endpoint(self, service: str, unit: Unit) -> Endpoint:
        if unit.port is None:
            return Endpoint(LOOPBACK, free_port())
        if why := why_not_free(unit.port):
            hint = "stop what listens there; or leave `port` out, and let the service listen on $PORT"
            raise FatalError(f"port {unit.port} {why}", hint=hint, code=Code.PORT_TAKEN)
        return Endpoint(LOOPBACK, unit.port)

    def is_ready(self, endpoint: Endpoint, health: str | None) -> bool:
        answers: list[
            bool
        ] = []  # of a thread: one that answers a byte now and then would be waited for for ever
        asking = threading.Thread(target=lambda: answers.append(_answers(endpoint, health)), daemon=True)
        asking.start()
        asking.join(_TIMEOUT)
        return answers == [True]


def _answers(endpoint: Endpoint, health: str | None) -> bool:
    from http.client import HTTPException  # few runs have a service

    try:
        if health is None:
            with socket.create_connection((endpoint.host, endpoint.port), timeout=1) as connection:
                return not (endpoint.is_published and _hangs_up(connection))
        url = f"{endpoint.url}/{quote(health.lstrip('/'), safe=_IN_A_PATH)}"
        with open_directly(url, timeout=_TIMEOUT) as response:
            return bool(200 <= response.status < 300)
    except (OSError, HTTPException, ValueError):  # whatever it is that answers there
        return False


def _hangs_up(connection: socket.socket) -> bool:
    """Whether the other side ends the connection at once: whoever took it has found nobody behind the port."""
    connection.settimeout(_HANGS_UP_WITHIN)
    try:
        return connection.recv(1, socket.MSG_PEEK) == b""
    except TimeoutError:
        return False
