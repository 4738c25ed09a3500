"""Docker's client, with what it gets wrong put right where an engine is reached by TLS. It takes the extra `docker`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from docker import APIClient

__all__ = ["Client"]

_HEADER = 8
_ALL = {"stdout": 1, "stderr": 1, "logs": 1, "stream": 1}


class Client(APIClient):  # type: ignore[misc] # docker has no types
    """The client of an engine."""

    def merge_environment_settings(self, *request: Any) -> dict[str, Any]:
        """What requests takes of the environment, but for authorities: REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE would come
        before that of the engine (https://github.com/psf/requests/issues/3829).
        """
        found: dict[str, Any] = super().merge_environment_settings(*request)
        return {**found, "verify": self.verify}

    def output_of(self, container: str) -> Iterator[bytes]:
        """What a container that is not started yet prints, as it comes, until it ends.

        `attach` waits for the socket, where TLS holds back what it has taken from there: lines came with the next ones.
        """
        return _payloads(_reading(self.attach_socket(container, _ALL)))


def _reading(way: Any) -> Callable[[int], bytes]:
    """What waits for bytes, for however long, and returns so many at most; none at the end."""
    if hasattr(way, "recv"):  # by TLS or SSH
        way.settimeout(None)
        return way.recv  # type: ignore[no-any-return]
    os.set_blocking(way.fileno(), True)
    return partial(_read, way)


def _read(way: Any, most: int) -> bytes:  # which holds on to it: it is closed when nobody does
    return os.read(way.fileno(), most)


def _payloads(read: Callable[[int], bytes]) -> Iterator[bytes]:
    """What both streams carry: after a header that ends with its length in four bytes, so many bytes.
    https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerAttach
    """
    while header := _exactly(read, _HEADER):
        left = int.from_bytes(header[4:], "big")
        while left and (piece := read(left)):
            yield piece
            left -= len(piece)


def _exactly(read: Callable[[int], bytes], count: int) -> bytes:
    """So many bytes; none where the end comes first."""
    taken = b""
    while len(taken) < count:
        if not (piece := read(count - len(taken))):
            return b""
        taken += piece
    return taken
