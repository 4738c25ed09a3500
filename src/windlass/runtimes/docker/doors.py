"""How a container reaches what listens on this machine's loopback, which is not its own; and the other way.

Where the engine runs on this very system, the gateway of a container's network is an address of ours: a door there hands
connections on. Where windlass is in a container of that network, its own address there is. Elsewhere, in the virtual machine of a Docker Desktop, a name leads here.
"""

from __future__ import annotations

import platform
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from urllib.parse import SplitResult, urlsplit, urlunsplit

from windlass.ports import LOOPBACK, is_loopback
from windlass.runtimes.docker.engine import Engine
from windlass.runtimes.docker.host_paths import sibling

__all__ = ["Doors", "moved"]

_CHUNK = 1 << 18
_FREEBIND = 15  # IP_FREEBIND of Linux (man 7 ip), which Python has no name for


class Doors:
    """The doors of one run, each opened when somebody asks for it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._open: dict[tuple[str, int], socket.socket] = {}
        self._gateways: dict[str, str | None] = {}
        self._lock = threading.Lock()

    def to(self, port: int, network: str) -> tuple[str, int]:
        """Where containers of the network reach what listens on that port of our loopback."""
        with self._lock:
            gateway = self._gateway(network)
            if gateway is None:
                return self._engine.host, port
            if (network, port) not in self._open:
                self._open[network, port] = _door((gateway, 0), (LOOPBACK, port))
            return gateway, self._open[network, port].getsockname()[1]

    def leads_to(self, network: str) -> bool:
        """Whether this system is in the network of those containers, and reaches them by their own addresses."""
        with self._lock:
            return self._gateway(network) is not None

    def here(self, port: int, address: str, inner_port: int) -> None:
        """Have that port of our loopback lead to a container, where the engine can publish nothing here."""
        with self._lock:
            self._open[address, port] = _door((LOOPBACK, port), (address, inner_port))

    def close(self) -> None:
        for door in self._open.values():
            with suppress(OSError):  # which ends whoever waits in accept
                door.shutdown(socket.SHUT_RDWR)
            door.close()

    def _gateway(self, network: str) -> str | None:
        if network not in self._gateways:
            self._gateways[network] = _own_gateway(self._engine, network)
        return self._gateways[network]


def _own_gateway(engine: Engine, network: str) -> str | None:
    """An address of this system that containers of the network reach."""
    for address in filter(None, _addresses(engine, network)):
        with suppress(OSError), _listening((address, 0), also_later=_comes_later(engine)):
            return address
    return None


def _comes_later(engine: Engine) -> bool:
    """Whether gateways are addresses of this system that are there only while a network has a container, as Podman has it."""
    is_ours = engine.is_here and not engine.is_rootless and engine.kernel == platform.release()
    return engine.is_podman and is_ours and sibling(engine) is None


def _addresses(engine: Engine, network: str) -> Iterator[str | None]:
    from docker.errors import DockerException

    with suppress(DockerException):  # the engine says so when a container is to be in it
        for config in engine.client.inspect_network(network)["IPAM"]["Config"] or ():
            yield config.get("Gateway")
    own = sibling(engine)
    if own is not None:
        yield own["NetworkSettings"]["Networks"].get(network, {}).get("IPAddress")


def _listening(at: tuple[str, int], *, also_later: bool) -> socket.socket:
    """A socket that listens; with `also_later` also where the address is not there yet."""
    listening = socket.socket()
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if also_later:
            listening.setsockopt(socket.IPPROTO_IP, _FREEBIND, 1)
        listening.bind(at)
        listening.listen(128)
    except BaseException:
        listening.close()
        raise
    return listening


def _door(at: tuple[str, int], to: tuple[str, int]) -> socket.socket:
    door = _listening(at, also_later=sys.platform == "linux")
    _in_background(_receive, door, to)
    return door


def _receive(door: socket.socket, to: tuple[str, int]) -> None:
    while True:
        try:
            theirs, _ = door.accept()
        except OSError:  # it was closed
            return
        _in_background(_serve, theirs, to)


def _serve(theirs: socket.socket, to: tuple[str, int]) -> None:
    with theirs:
        try:
            ours = socket.create_connection(to)
        except OSError:  # nobody listens there, which closing says
            return
        with ours:
            back = _in_background(_hand_on, ours, theirs)
            _hand_on(theirs, ours)
            back.join()


def _hand_on(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(_CHUNK):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def _in_background(function: Callable[..., None], *arguments: object) -> threading.Thread:
    thread = threading.Thread(target=function, args=arguments, daemon=True)
    thread.start()
    return thread


def moved(url: str, move: Callable[[int], tuple[str, int]]) -> str:
    """An address in which each host that is this machine's loopback, with its port, is where `move` says."""
    parts = urlsplit(url)
    login, at, hosts = parts.netloc.rpartition("@")
    found = [_moved(host, move) for host in hosts.split(",")]
    if found == hosts.split(","):
        return url  # letter for letter
    return urlunsplit(parts._replace(netloc=f"{login}{at}{','.join(found)}"))


def _moved(host: str, move: Callable[[int], tuple[str, int]]) -> str:
    try:
        where: SplitResult = urlsplit(f"//{host}")
        if not is_loopback(where.hostname) or where.port is None:
            return host
    except ValueError:  # whatever stands there
        return host
    name, port = move(where.port)
    return f"{name}:{port}"
