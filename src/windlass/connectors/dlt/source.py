"""A resource of a dlt source as the source of a copy.

Only its records are taken, with nested values as they are. There is no pipeline of dlt, so nothing is remembered of one: a
resource with an `incremental` of dlt's begins at its initial value each time, and what is new is told by `incremental` of the copy.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from windlass.connectors.dlt import options
from windlass.connectors.ends import ConnectedEnd
from windlass.connectors.given_records import function_of, given_relation
from windlass.connectors.scratch import Scratch
from windlass.connectors.source import BaseSource, Reading, Relation
from windlass.errors import Code, FatalError, did_you_mean, extra

__all__ = ["DltSource"]

_TELEMETRY = "RUNTIME__DLTHUB_TELEMETRY"


class DltSource(BaseSource):
    """A resource. Implements `Source`."""

    def __init__(self, end: ConnectedEnd[options.Source]) -> None:
        self.options, self._project = end.options, end.workspace.project
        self._function = end.address.database
        self.name = f"{end.connection}.{end.options.resource}" if end.options.resource else end.connection
        if ":" not in self._function:
            message = f"the address in {end.address.origin} names no source"
            hint = "expected an address such as dlt:///module:source"
            raise FatalError(message, hint=hint, code=Code.UNREADABLE_ADDRESS)
        os.environ.setdefault(_TELEMETRY, "false")
        with extra("dlt connections", "dlt"):
            import dlt  # noqa: F401

    def fingerprint(self) -> dict[str, object]:
        said = self.options
        return {
            "type": "dlt",
            "source": self._function,
            "resource": said.resource,
            "arguments": said.arguments,
        }

    def open(self, reading: Reading, scratch: Scratch) -> Relation:
        return given_relation(self.name, self._function, self._items, reading, scratch)

    def _items(self) -> Iterator[Any]:
        return iter(self._resource(function_of(self._function, self._project)(**self.options.arguments)))

    def _resource(self, made: Any) -> Any:
        """The resource that is meant, of what the function has made. Raises FatalError."""
        from dlt.extract.resource import DltResource
        from dlt.extract.source import DltSource as Made

        if isinstance(made, DltResource):
            known = {made.name: made}
        elif isinstance(made, Made):
            known = dict(made.resources)
        else:
            message = f"{self._function} gives {type(made).__name__}, and no source or resource of dlt"
            raise FatalError(
                message, hint="decorate it with @dlt.source or @dlt.resource", code=Code.PYTHON_SOURCE
            )
        wanted = self.options.resource or (next(iter(known)) if len(known) == 1 else None)
        if wanted in known:
            return known[wanted]
        names = ", ".join(known)
        near = did_you_mean(wanted, known) if wanted else None
        message = (
            f"{self._function} has no resource {wanted!r}"
            if wanted
            else f"which resource of {self._function}?"
        )
        raise FatalError(message, hint=near or f"`resource` is one of {names}", code=Code.PYTHON_SOURCE)
