"""How a connection that has gone silent is found out, instead of being waited for without end.

A network that drops packets is noticed by the kernel: keepalive probes and TCP_USER_TIMEOUT. Something in
between that still acknowledges but hands nothing on (a proxy that hangs) is not. So when nothing moved for
a while, a second connection asks the server what our session is doing. It is lost if the server does not
know it, or waits for us while we wait for it; a long query, a lock or a slow other end are none of that.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncpg

__all__ = ["is_lost", "keep_alive", "repeat"]

_PROBES = 3

_WAITS_FOR_US = """
SELECT coalesce(wait_event_type = 'Client' AND wait_event IN ('ClientRead', 'ClientWrite'), false)
FROM pg_stat_activity WHERE application_name = $1 AND backend_type = 'client backend'
"""


def keep_alive(connection: asyncpg.Connection[Any], seconds: float) -> None:
    """Let the kernel end a connection whose other side has acknowledged nothing for so long."""
    sock = connection._transport.get_extra_info("socket")  # type: ignore[attr-defined] # it has no public name
    if sock is None or sock.family not in (socket.AF_INET, socket.AF_INET6):
        return
    half = max(int(seconds / 2), 1)
    options = {
        "TCP_KEEPIDLE": half,
        "TCP_KEEPALIVE": half,  # what macOS calls it
        "TCP_KEEPINTVL": max(int(seconds / 2 / _PROBES), 1),
        "TCP_KEEPCNT": _PROBES,
        "TCP_USER_TIMEOUT": int(seconds * 1000),
    }
    with suppress(OSError, ValueError):  # it is lost already, as the next statement will say
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in options.items():
        with suppress(AttributeError, OSError, ValueError):  # not every system has each
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


async def is_lost(dsn: str, password: str | None, name: str, patience: float) -> bool:
    """Whether the session of this application name is gone, or stands still because bytes do not arrive."""
    import asyncpg

    try:
        async with asyncio.timeout(patience):
            other = await asyncpg.connect(dsn, password=password, statement_cache_size=0)
            try:
                waits: bool | None = await other.fetchval(_WAITS_FOR_US, name)
            finally:
                other.terminate()
    except asyncpg.CannotConnectNowError:
        return True  # it starts or stops
    except asyncpg.PostgresError:
        return False  # it is there, and too busy to tell
    except (OSError, TimeoutError, asyncpg.InterfaceError):
        return True
    return waits is None or waits


async def repeat(dsn: str, password: str | None, sql: str, every: float) -> None:
    """Run SQL every so many seconds, without end, over a connection of its own each time; errors do not matter."""
    import asyncpg

    while True:
        await asyncio.sleep(every)
        with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
            async with asyncio.timeout(every):
                other = await asyncpg.connect(dsn, password=password, statement_cache_size=0)
                try:
                    await other.execute(sql)
                finally:
                    other.terminate()
