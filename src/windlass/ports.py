"""TCP ports of this machine's loopback: the only place where anything of ours listens."""

from __future__ import annotations

import errno
import re
import socket
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from windlass.errors import reason_of

if TYPE_CHECKING:
    from urllib.request import Request

__all__ = ["LOOPBACK", "free_port", "is_for_this_machine", "is_loopback", "open_directly", "why_not_free"]

LOOPBACK = "127.0.0.1"
_IPV4 = re.compile(r"127(\.\d{1,3}){3}")


def is_loopback(host: str | None) -> bool:
    """Whether a host is this machine, by its name."""
    return host is not None and (host in ("localhost", "::1") or bool(_IPV4.fullmatch(host)))


def is_for_this_machine(host_header: str) -> bool:
    """Whether a request asks for loopback; or for what a container calls this machine, which is an address, or a name that no
    domain has. A page of a stranger's whose name was made to lead here asks for that name (DNS rebinding).
    """
    from ipaddress import ip_address  # which a start need not wait for

    host = urlsplit(f"//{host_header}").hostname
    if is_loopback(host) or (host or "").endswith(".internal"):
        return True
    try:
        ip_address(host or "")
    except ValueError:
        return False
    return True


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


def open_directly(url: str | Request, timeout: float) -> Any:
    """Open a URL of this machine, which no proxy could reach."""
    import urllib.request  # which takes as long as everything else

    return urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=timeout)
