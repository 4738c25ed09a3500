"""The keys of a connection to a store of objects; its ends take what files take."""

from __future__ import annotations

from windlass.connectors.files import options as files
from windlass.connectors.options import ConnectionOptions, DevServiceOptions
from windlass.splitting_urls import split_or_none

__all__ = ["Connection", "Destination", "DevService", "Source"]


class Source(files.Source):
    """An object, those below a prefix, or those of a pattern."""

    path: str
    """A key in the bucket, a prefix that ends in `/`, or a pattern."""


class Destination(files.Destination):
    """An object, or objects below a prefix."""

    path: str
    """A key in the bucket, or a prefix that ends in `/`."""


class Connection(ConnectionOptions):
    """Where a bucket is."""

    url: str | None = None
    """Its address, such as `s3://bucket?region=eu-west-1`, if it is configured nowhere and no dev service stands in: for a bucket that the environment, or the role of the machine, has access to."""

    def refusal(self) -> str | None:
        if self.url is None:
            return None
        parts = split_or_none(self.url)
        if parts is None or not parts.scheme or not parts.hostname:
            return f"`url` is the address of a bucket, such as s3://bucket; got {self.url!r}"
        if "@" in parts.netloc:
            return "`url` has neither key nor secret; they belong into the address, which is configured"
        return None


class DevService(DevServiceOptions):
    """A folder that stands in for a bucket."""

    objects: str | None = None
    """The folder, relative to the project, whose files are in it when it is new."""
