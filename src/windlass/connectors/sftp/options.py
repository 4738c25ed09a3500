"""The keys of a connection to a server of SFTP; a source takes what files take."""

from __future__ import annotations

from windlass.connectors.files import options as files
from windlass.connectors.options import ConnectionOptions
from windlass.connectors.stores.options import DevService
from windlass.splitting_urls import split_or_none

__all__ = ["Connection", "DevService", "Source"]


class Source(files.Source):
    """A file of the server, those of a folder, or those of a pattern."""

    path: str
    """A file below the folder of the connection, a folder that ends in `/`, or a pattern."""


class Connection(ConnectionOptions):
    """Where the files are."""

    url: str | None = None
    """The address of the server, such as `sftp://user@host/folder?fingerprint=SHA256:…`, if it is configured nowhere and no dev service stands in: for whoever logs in by a key of the SSH agent, or of `~/.ssh`."""

    def refusal(self) -> str | None:
        if self.url is None:
            return None
        parts = split_or_none(self.url)
        if parts is None or not parts.scheme or not parts.hostname:
            return f"`url` is the address of a server, such as sftp://user@host/folder; got {self.url!r}"
        if parts.password is not None:
            return "`url` has no password; it belongs into the address, which is configured"
        return None
