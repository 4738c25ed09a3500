"""Starts the commands of one run, each under a launcher that is a fork of one process (forking.py, docs/adr/0104).

Where that cannot be, as on another system than Linux, they are started as usual.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from windlass.processes.environment import inherited
from windlass.processes.launch import LAUNCHER, OwnLauncher, Started, cannot_start, launch, options

__all__ = ["Launchpad"]

_NUMBER = struct.Struct("!i")
_FORKING = Path(__file__).with_name("forking.py")
_KILLED = -9


class Launchpad:
    """Starts commands that live no longer than a lock is held. From any thread."""

    def __init__(self, wanted: Path) -> None:
        self._wanted = wanted
        self._sending = threading.Lock()
        self._requests: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def get_ready(self) -> None:
        """Start what will fork, which takes longer than most of what comes before the first command."""
        with self._sending:
            self._ready()

    def close(self) -> None:
        """No more commands. Those that run go on."""
        if self._requests is not None:
            self._requests.close()
        if self._process is not None:
            self._process.wait()

    def start(self, command: Sequence[str], folder: Path | None, environment: Mapping[str, str]) -> Started:
        """Start a command. Raises FatalError."""
        forked = self._forked(command, folder, environment)
        if forked is not None:
            return forked
        pipe = subprocess.PIPE
        return OwnLauncher(launch(command, self._wanted, folder=folder, environment=environment, output=pipe))

    def _forked(
        self, command: Sequence[str], folder: Path | None, environment: Mapping[str, str]
    ) -> Started | None:
        """The command under a fork; None where there is nobody who would fork."""
        request = {
            "arguments": [*options(self._wanted), *command],
            "environment": dict(environment),
            "folder": str(folder) if folder is not None else None,
        }
        answers, theirs = socket.socketpair()
        read, write = os.pipe()
        output = os.fdopen(read, "rb")
        with theirs, os.fdopen(write, "wb"):
            was_sent = self._send(json.dumps(request).encode(), theirs.fileno(), write)
        reason = _number(answers) if was_sent else None
        if reason == 0:
            return _Forked(answers, output)
        answers.close()
        output.close()
        if reason is None:
            return None
        raise cannot_start(command, OSError(reason, os.strerror(reason)))

    def _send(self, request: bytes, *files: int) -> bool:
        with self._sending:
            requests = self._ready()
            try:
                if requests is not None:
                    socket.send_fds(requests, [_NUMBER.pack(len(request))], files)
                    requests.sendall(request)
            except OSError:  # it has ended
                return False
            return requests is not None

    def _ready(self) -> socket.socket | None:
        """Where requests go; None on another system."""
        if self._process is None and sys.platform == "linux":
            self._requests, theirs = socket.socketpair()
            with theirs:
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-S", str(_FORKING), str(LAUNCHER), str(self._wanted)],
                    env=inherited(os.environ),
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                )
        return self._requests


class _Forked:
    """A command whose launcher was forked. Implements `Started`."""

    def __init__(self, answers: socket.socket, output: IO[bytes]) -> None:
        self.stdout = output
        self._answers = answers
        self._code: int | None = None
        self._ending = threading.Lock()

    def stop(self) -> None:
        with self._ending, suppress(OSError):  # it has ended
            self._answers.send(b"-")

    def wait(self) -> int:
        if self._code is None:
            code = _number(self._answers)
            self._answers.recv(1)  # nothing, once the launcher has ended
            self._code = _KILLED if code is None else code
            with self._ending:
                self._answers.close()
        return self._code


def _number(answers: socket.socket) -> int | None:
    """The next number of a fork; None when the launchpad has ended."""
    with suppress(ConnectionResetError):
        answer = answers.recv(_NUMBER.size, socket.MSG_WAITALL)
        if len(answer) == _NUMBER.size:
            return int(*_NUMBER.unpack(answer))
    return None
