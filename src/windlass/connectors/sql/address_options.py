"""What stands behind the `?` of an address, for drivers that take no address and know none of these words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from windlass.connections import Address
from windlass.errors import Code, FatalError

__all__ = ["AddressOptions"]

_CONNECT_TIMEOUT = 15.0
_OF_THE_END = ("table", "query", "schema")  # these say what is read, not how
_YES, _NO = ("yes", "true", "mandatory", "on"), ("no", "false", "optional", "off")


class AddressOptions:
    """The options of an address, of which these are known. Everything here raises FatalError for what means nothing."""

    def __init__(self, address: Address, known: Sequence[str]) -> None:
        self._whose = f"the connection in {address.origin}"
        self._given = {name.lower().replace("-", "_"): said for name, said in address.options.items()}
        for name in _OF_THE_END:
            self._given.pop(name, None)
        unknown = sorted(self._given.keys() - set(known))
        if unknown:
            message = f"{self._whose} has options that are not known: {', '.join(unknown)}"
            raise FatalError(message, hint=f"known: {', '.join(known)}", code=Code.UNREADABLE_ADDRESS)

    def is_on(self, name: str) -> bool:
        """Whether it says yes, as it does where nothing is said."""
        said = self._given.get(name, "yes").lower()
        if said not in (*_YES, *_NO):
            raise self._refusal(f"{name}={said}: expected yes or no")
        return said in _YES

    def file(self, name: str) -> str | None:
        """A file, which is there."""
        said = self._given.get(name)
        if said is not None and not Path(said).is_file():
            raise self._refusal(f"{name}={said}, and there is no such file")
        return said

    def connect_timeout(self) -> float:
        """In seconds."""
        said = self._given.get("connect_timeout")
        try:
            seconds = float(said or _CONNECT_TIMEOUT)
        except ValueError:
            seconds = 0
        if not 0 < seconds < float("inf"):
            raise self._refusal(f"connect_timeout={said}: expected a number of seconds")
        return seconds

    def _refusal(self, what: str) -> FatalError:
        return FatalError(f"{self._whose} has {what}", code=Code.UNREADABLE_ADDRESS)
