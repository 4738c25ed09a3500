"""A network that drops packets: a network namespace of its own, whose loopback has a queue that is too short.

Whoever works inside reaches servers outside through proxies that listen inside. Only root can make one.
"""

from __future__ import annotations

import ctypes
import os
import random
import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Self, TypeVar

T = TypeVar("T")

_NEW_NETWORK = 0x40000000  # CLONE_NEWNET
_SHORT, _NONE = (
    "20kb",
    "1",
)  # the queue: a few packets, which TCP soon overruns; or so short that nothing passes
_TICK = 0.3


class LossyNetwork:
    """Use as a context manager. Packets are lost when there are many, and at times, by `seed`, every one is."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)
        self._done = threading.Event()
        self._pool = ThreadPoolExecutor(1, initializer=_enter_new_network)
        self._weather = threading.Thread(target=self._change, daemon=True)

    @staticmethod
    def why_not() -> str | None:
        """What keeps this machine from having one, or None."""
        if not (shutil.which("ip") and shutil.which("tc")):
            return "ip and tc (iproute2) are not installed"
        probe = LossyNetwork(0)
        try:
            probe.inside(lambda: _set_queue("add", _SHORT))
        except (OSError, RuntimeError, subprocess.CalledProcessError):
            return "this user may not make a network that drops packets"
        finally:
            probe._pool.shutdown()
        return None

    def inside(self, work: Callable[[], T]) -> T:
        """Do something inside: its sockets, and the processes that it starts, are on this network."""
        return self._pool.submit(work).result()

    def listening_socket(self) -> socket.socket:
        return self.inside(lambda: socket.create_server(("127.0.0.1", 0)))

    def dropped(self) -> int:
        """How many packets were lost so far."""
        text = self.inside(lambda: _run("tc", "-s", "qdisc", "show", "dev", "lo"))
        return int(re.findall(r"dropped (\d+)", text)[0])

    def __enter__(self) -> Self:
        self.inside(lambda: _set_queue("add", _SHORT))
        self._weather.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._weather.join()
        self._pool.shutdown()  # the network goes with the thread

    def _change(self) -> None:
        queue = _SHORT
        while not self._done.wait(self._dice.random() * _TICK):
            queue = _NONE if queue == _SHORT else _SHORT
            self.inside(lambda queue=queue: _set_queue("change", queue))  # type: ignore[misc]


def _enter_new_network() -> None:
    """Give this thread, and no other, a network of its own."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEW_NETWORK) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    _run("ip", "link", "set", "lo", "mtu", "1500", "up")


def _set_queue(how: str, limit: str) -> None:
    _run("tc", "qdisc", how, "dev", "lo", "root", "tbf", "rate", "20mbit", "burst", "16kb", "limit", limit)


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
