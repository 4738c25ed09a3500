"""Unit tests are offline: no sockets, no processes."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from typing import NoReturn

import croniter  # noqa: F401 - asks the program `file` about this machine when it is first imported
import pytest

from windlass import logs
from windlass.masking import Secrets


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise AssertionError("a unit test must not reach for the network or start a process")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(subprocess, "Popen", refuse)


@pytest.fixture(autouse=True, scope="module")
def _no_secrets() -> Iterator[None]:
    """Whatever tests of this process have learnt before is no secret here: it may be a text that is looked for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logs, "SECRETS", Secrets())
        yield
