"""The keys beside the type of a connection, and those of its dev service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from windlass.connectors.http.options.auth import Auth
from windlass.connectors.http.options.limits import RateLimit
from windlass.connectors.options import ConnectionOptions, DevServiceOptions
from windlass.errors import Code, FatalError
from windlass.options import Misfit
from windlass.splitting_urls import split_or_none

__all__ = ["Connection", "DevService"]


class Connection(ConnectionOptions):
    """What holds for every request to an API: also for the files that are downloaded from it."""

    base_url: str | None = None
    """Where it is, if its address is configured nowhere and no dev service stands in: for one that needs no secret."""

    auth: Auth | None = None
    """How a request says who asks. Default: as `basic` does, if its address has a user or password."""

    auths: dict[str, Auth] = {}
    """Several ways to say so, by name: `auth` of a source says which. `auth` here is for those that say none."""

    rate_limit: RateLimit | None = None
    """How often it lets itself be asked, by all tasks of a run on one machine together."""

    def misfit(self, end: Mapping[str, Any]) -> Misfit | None:
        name = end.get("auth")
        if name is None and self.auths and self.auth is None:
            return Misfit("auth", "the connection has several ways to say who asks", self._choices)
        if name is None or name in self.auths or "{{" in name:  # which only a run knows
            return None
        if end.get("parent") and "{" in name:  # which only its rows know
            return None
        return Misfit("auth", f"the connection has no {name!r} among its `auths`", self._choices)

    def chosen(self, name: str | None) -> Auth | None:
        """The way of that name. Raises FatalError where there is none."""
        if (wrong := self.misfit({"auth": name})) is not None:
            raise FatalError(wrong.message, hint=wrong.hint, code=Code.NO_SECRET)
        return self.auth if name is None else self.auths[name]

    @property
    def _choices(self) -> str:
        names = ", ".join(self.auths)
        return f"say one with `auth`: {names}" if names else "name it under `auths` of the connection"

    def refusal(self) -> str | None:
        if self.base_url is None:
            return None
        parts = split_or_none(self.base_url)
        if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
            return f"`base_url` is an http:// or https:// address; got {self.base_url!r}"
        if "@" in parts.netloc or parts.query or parts.fragment:
            return "`base_url` has neither user, password nor parameters; they belong into the address, which is configured"
        return None


class DevService(DevServiceOptions):
    """A server that stands in for an API: one of files, or of recorded answers."""

    serve: str | None = None
    """The folder, relative to the project, whose files are served."""

    replay: str | None = None
    """A YAML file of the project with requests and their answers, as `windlass test` takes them."""

    def refusal(self) -> str | None:
        return "`serve` and `replay` exclude each other" if self.serve and self.replay else None

    def lacks(self) -> str | None:
        return "nothing to serve" if self.serve is None and self.replay is None else None
