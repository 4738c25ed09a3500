"""Starts a command that never outlives whoever wants it (docs/adr/0002)."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from windlass.errors import Code, FatalError, reason_of
from windlass.processes.environment import inherited

__all__ = ["LOCK", "launch"]

LOCK = "WINDLASS_LOCK"  # the variable that says by whose lock a step lives, and so do its descendants
_GRACE = 10.0
_LAUNCHER = Path(__file__).with_name("launcher.py")


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
    sharing = "exclusive" if shared_by_users else "shared"
    as_user = "-" if user is None else f"{user[0]}:{user[1]}"
    options = (str(wanted), sharing, str(alive or "-"), stop_signal, str(_GRACE), as_user, "--")
    try:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", str(_LAUNCHER), *options, *command],
            cwd=folder,
            env=dict(environment) if environment is not None else inherited(os.environ),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=kept_open,
        )
    except (OSError, ValueError) as exc:  # above all a command or environment that is too long
        raise FatalError(f"cannot start {command[0]!r}: {reason_of(exc)}", code=Code.NO_PROGRAM) from exc
