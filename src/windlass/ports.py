"""TCP ports of this machine's loopback: the only place where anything of ours listens."""

from __future__ import annotations

import errno
import socket

from windlass.errors import reason_of

__all__ = ["LOOPBACK", "free_port", "why_not_free"]

LOOPBACK = "127.0.0.1"


def free_port() -> int:
    """A port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def why_not_free(port: int) -> str | None:
    """Why nobody can listen there now, such as `is taken`; None when somebody can."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as exc:
            if exc.errno == errno.EADDRINUSE:
                return "is taken"
            return f"cannot be used: {reason_of(exc)}"
    return None
