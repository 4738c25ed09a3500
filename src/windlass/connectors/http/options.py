"""The keys of `dev:` for an API."""

from __future__ import annotations

from windlass.connectors.options import DevServiceOptions

__all__ = ["DevService"]


class DevService(DevServiceOptions):
    """A server of files that stands in for an API."""

    serve: str | None = None
    """The folder, relative to the project, whose files are served."""

    def lacks(self) -> str | None:
        return "nothing to serve" if self.serve is None else None
