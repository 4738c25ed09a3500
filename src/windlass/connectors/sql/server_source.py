"""What every source that is a session with a server has in common."""

from __future__ import annotations

from typing import ClassVar, Protocol

from windlass.connections import Address
from windlass.connectors.options import TableSource
from windlass.connectors.source import BaseSource

__all__ = ["ServerSource"]


class ServerSession(Protocol):
    """A connection."""

    @property
    def address(self) -> Address: ...

    def close(self) -> None: ...


class ServerSource(BaseSource):
    """A table or query of a server, known by where that is and by what is asked."""

    type: ClassVar[str]
    """The type of its connections."""

    options: TableSource
    session: ServerSession

    def close(self) -> None:
        self.session.close()

    def fingerprint(self) -> dict[str, object]:
        address = self.session.address
        return {
            "type": self.type,
            "server": f"{address.host}:{address.port}/{address.database}",
            "table": self.options.table,
            "query": self.options.query,
        }
