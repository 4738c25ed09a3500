"""Opens a server of SFTP as a store. Only then its package is imported: a folder of this machine that stands in needs none."""

from __future__ import annotations

from windlass.connections import Address, parse_address
from windlass.connectors.stores.folder import stand_in
from windlass.errors import FatalError, extra
from windlass.storage.objects import Store

__all__ = ["open_store"]


def open_store(server: str, address: Address | None = None) -> Store:
    """The server, as the connection says, else as the path does (`user@host:port`). Raises FatalError."""
    if (folder := stand_in(address)) is not None:
        return folder
    if address is None:
        address = parse_address(f"sftp://{server}", "a path", "sftp")
        if address.password:
            hint = "declare a connection, and leave the password to its address"
            raise FatalError(f"a path on {address.host} has a password in it", hint=hint)
    with extra(f"sftp://{address.host}", "sftp"):
        from windlass.connectors.sftp.login import login_to
        from windlass.connectors.sftp.store import SftpStore
    return SftpStore(login_to(address))
