"""The store and the key that a path means: `s3://bucket/key`, or a key in the bucket of a connection."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from windlass import logs, registry
from windlass.connections import Address
from windlass.connectors.ends import ConnectedEnd, End
from windlass.errors import Code, FatalError
from windlass.storage.objects import Store
from windlass.workspace import bucket_and_key, is_stored, scheme_of

__all__ = ["StoredPath", "Where", "store_at", "stored_end", "stored_path"]


@dataclass(frozen=True)
class Where:
    """A store, and in it a key, a pattern of keys, or where it ends in a slash a prefix."""

    store: Store
    key: str

    @property
    def name(self) -> str:
        return f"{self.store.name}/{self.key}"


@dataclass(frozen=True)
class StoredPath:
    """What an end of a copy says of a place in a store, for another process, which opens it by itself. It can be pickled, with
    whatever secret is in the address.
    """

    path: str
    connection: str = ""
    address: Address | None = None
    """None where the environment says who asks: that of the process that opens it."""

    def below(self, path: str) -> StoredPath:
        """A path below this one."""
        return replace(self, path=f"{self.path}{path}")

    def where(self) -> Where:
        """Open it. Raises FatalError."""
        if self.address is None:
            return stored_path(self.path)
        for secret in self.address.secrets():
            logs.add_secret(secret)
        return store_at(self.address, self.connection, self.path)


def stored_end(end: End[Any], path: str) -> Where | None:
    """Where the path of an end is in a store; None for the files of this machine."""
    if isinstance(end, ConnectedEnd):
        return store_at(end.address, end.connection, path)
    return stored_path(path) if is_stored(path) else None


def store_at(address: Address, connection: str, path: str) -> Where:
    """A path in the bucket of a connection. Raises FatalError."""
    # Airflow's have it in their extra; what they call the host may be a server
    bucket = next(filter(None, map(address.options.get, ("bucket", "container"))), None) or address.host
    if not bucket:
        hint = f"write it into the address, as in {registry.require(address.type).example}"
        raise FatalError(
            f"the connection {connection!r} names no bucket", hint=hint, code=Code.UNREADABLE_ADDRESS
        )
    if scheme_of(path) is not None:
        hint = f"leave the bucket out, or the connection: a path of {connection!r} begins in its bucket"
        raise FatalError(f"{path!r} is not a path in a bucket", hint=hint)
    below = f"{address.database.rstrip('/')}/" if address.database else ""
    return Where(_open(address.type, bucket, address), below + path.lstrip("/"))


def stored_path(path: str) -> Where:
    """A path such as `s3://bucket/key`, by what the environment says. Raises FatalError."""
    connector = registry.by_scheme(str(scheme_of(path)))
    if connector is None:
        raise FatalError(f"{path!r} is not in a store")
    bucket, key = bucket_and_key(path)
    return Where(_open(connector.type, bucket, None), key)


def _open(kind: str, bucket: str, address: Address | None) -> Store:
    store: Store = registry.load(str(registry.require(kind).store))(bucket, address)
    return store
