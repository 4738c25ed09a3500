"""Starts a command that never outlives whoever wants it (docs/adr/0002)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Protocol

from windlass.errors import Code, FatalError, reason_of
from windlass.processes import Process
from windlass.processes.environment import inherited

__all__ = ["LAUNCHER", "LOCK", "OwnLauncher", "Started", "cannot_start", "launch", "options"]

LOCK = "WINDLASS_LOCK"  # the variable that says by whose lock a step lives, and so do its descendants
_GRACE = 10.0
LAUNCHER = Path(__file__).with_name("launcher.py")


class Started(Protocol):
    """A command that was started under a launcher."""

    @property
    def stdout(self) -> IO[bytes]:
        """What it prints, stdout and stderr together."""

    def stop(self) -> None:
        """Let it end. Returns at once."""

    def wait(self) -> int:
        """Its exit code, once it and its launcher have ended; minus the signal when a signal ended it."""


class OwnLauncher:
    """A command whose launcher is a process that we have started, with a pipe. Implements `Started`."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._held = Process(process.pid)  # whoever stops it is another thread than the one that waits for it

    @property
    def stdout(self) -> IO[bytes]:
        assert self._process.stdout is not None
        return self._process.stdout

    def stop(self) -> None:
        self._held.signal(signal.SIGTERM)

    def wait(self) -> int:
        return self._process.wait()


def launch(
    command: Sequence[str],
    wanted: Path,
    *,
    shared_by_users: bool = False,
    alive: Path | None = None,
    stop_signal: str = "SIGTERM",
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    output: int | IO[bytes] | None = None,
    user: tuple[int, int] | None = None,
    kept_open: tuple[int, ...] = (),
) -> subprocess.Popen[bytes]:
    """Start a command under the launcher; launcher.py says what the locks `wanted` and `alive` are for.

    Without an `environment` it gets what any program needs of ours. `user` is a uid and gid to run the command
    as; the launcher keeps the files `kept_open` open.
    """
    of_launcher = options(
        wanted, shared_by_users=shared_by_users, alive=alive, stop_signal=stop_signal, user=user
    )
    try:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", str(LAUNCHER), *of_launcher, *command],
            cwd=folder,
            env=dict(environment) if environment is not None else inherited(os.environ),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=kept_open,
        )
    except (OSError, ValueError) as exc:  # above all a command or environment that is too long
        raise cannot_start(command, exc) from exc


def options(
    wanted: Path,
    *,
    shared_by_users: bool = False,
    alive: Path | None = None,
    stop_signal: str = "SIGTERM",
    user: tuple[int, int] | None = None,
) -> tuple[str, ...]:
    """What the launcher is told, in front of the command."""
    sharing = "exclusive" if shared_by_users else "shared"
    as_user = "-" if user is None else f"{user[0]}:{user[1]}"
    return (str(wanted), sharing, str(alive or "-"), stop_signal, str(_GRACE), as_user, "--")


def cannot_start(command: Sequence[str], exc: Exception) -> FatalError:
    """The error that a command could not be started for that reason."""
    return FatalError(f"cannot start {command[0]!r}: {reason_of(exc)}", code=Code.NO_PROGRAM)
