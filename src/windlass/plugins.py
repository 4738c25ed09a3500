"""Tables of what windlass can be extended with: names, and where what they name is found.

Ours stand in a table in the code; others' packages name theirs by entry points. Those are looked through only
when a name is not among ours, or all are listed: reading the metadata of every installed package takes longer
than starting a task.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar, cast

from windlass.errors import Code, UsageError, did_you_mean

__all__ = ["Table"]

T = TypeVar("T")


@dataclass(frozen=True)
class Table(Generic[T]):
    """Names to what they name. `what` is the word for it in messages, and `group` that of the entry points."""

    what: str
    group: str
    own: Mapping[str, str]
    """Where ours are: `module:attribute`."""

    def names(self) -> list[str]:
        """All of them, ours first."""
        return [*self.own, *sorted(name for name in self._others() if name not in self.own)]

    def load(self, name: str) -> T:
        """What has that name. Raises UsageError when nothing has."""
        if name in self.own:
            module, _, attribute = self.own[name].partition(":")
            return cast(T, getattr(import_module(module), attribute))
        others = self._others()
        if name not in others:
            hint = did_you_mean(name, self.names())
            raise UsageError(f"there is no {self.what} {name!r}", hint=hint, code=Code.UNKNOWN_PLUGIN)
        return cast(T, others[name].load())

    def _others(self) -> dict[str, EntryPoint]:
        return {entry.name: entry for entry in entry_points(group=self.group)}
