"""Tables of what windlass can be extended with: names, and where what they name is found.

Ours stand in a table in the code; others' packages name theirs by entry points. Those are looked through only
when a name is not among ours, or all are listed: reading the metadata of every installed package takes longer
than starting a task.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from msgspec import Struct

from windlass.errors import Code, FatalError, UsageError, did_you_mean
from windlass.noticing import other_code

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["Table"]

T = TypeVar("T")


class Table(Struct, Generic[T], frozen=True, dict=True):
    """Names to what they name. `what` is the word for it in messages, and `group` that of the entry points."""

    what: str
    group: str
    own: Mapping[str, str]
    """Where ours are: `module:attribute`."""

    def names(self) -> list[str]:
        """All of them, ours first."""
        return [*self.own, *sorted(name for name in self._others if name not in self.own)]

    def has(self, name: str) -> bool:
        """Whether something has that name. Imports nothing of it."""
        return name in self.own or name in self._others

    def others(self) -> dict[str, str]:
        """What packages bring: the name of each, and the package with its version. Imports nothing of it."""
        return {
            name: f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.value
            for name, entry in self._others.items()
            if name not in self.own
        }

    def load(self, name: str) -> T:
        """What has that name. Raises UsageError when nothing has."""
        found = self.find(name)
        if found is None:
            hint = did_you_mean(name, self.names())
            raise UsageError(f"there is no {self.what} {name!r}", hint=hint, code=Code.UNKNOWN_PLUGIN)
        return found

    def find(self, name: str) -> T | None:
        """What has that name; None when nothing has. Raises FatalError when another's package is broken."""
        if name in self.own:
            module, _, attribute = self.own[name].partition(":")
            return cast(T, getattr(import_module(module), attribute))
        return self._loaded(self._others[name]) if name in self._others else None

    def _loaded(self, entry: EntryPoint) -> T:
        try:
            return cast(T, entry.load())
        except Exception as exc:  # whatever somebody else's module does
            message = f"the {self.what} {entry.name!r} cannot be loaded from {entry.value}: {exc}"
            raise FatalError(message, hint="update the package that brings it, or remove it") from exc

    @property
    def _others(self) -> dict[str, EntryPoint]:
        other_code()
        return self._entries

    @cached_property
    def _entries(self) -> dict[str, EntryPoint]:
        from importlib.metadata import entry_points  # slow to import

        return {entry.name: entry for entry in entry_points(group=self.group)}
