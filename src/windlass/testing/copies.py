"""Copies without a project."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec

from windlass.connections import Address
from windlass.engine import Identity, Job, Outcome, Workspace
from windlass.engine.copying import copy
from windlass.engine.quarantine import read_quarantine
from windlass.plan.model import Copy, Destination, Source

__all__ = ["Copier", "destination_of", "source_of"]


def source_of(connection: str | None = None, **options: Any) -> Source:
    """`from: {…}`."""
    return Source(connection=connection, options=_given(options))


def destination_of(connection: str | None = None, **options: Any) -> Destination:
    """`to: {…}`."""
    return Destination(connection=connection, options=_given(options))


def _given(options: dict[str, Any]) -> dict[str, Any]:
    given: dict[str, Any] = msgspec.to_builtins(options)
    return {key: value for key, value in given.items() if value not in (None, [], ())}


@dataclass
class Copier:
    """Copies in a folder, each as a run of its own unless `run_key` says otherwise."""

    folder: Path
    addresses: dict[str, Address] = field(default_factory=dict)
    """The connections that ends may name."""

    quarantined: list[dict[str, Any]] = field(default_factory=list)
    """The bad rows of the last copy, as its quarantine has them."""

    def job(self, source: Source, destination: Destination, run_key: str, **options: Any) -> Job:
        return Job(
            copy=Copy(source=source, destination=destination, **options),
            identity=Identity("test", "copy", run_key, run_key),
            workspace=Workspace(self.folder, self.folder),
            addresses=self.addresses,
        )

    def __call__(
        self,
        source: Source,
        destination: Destination,
        *,
        run_key: str = "",
        force: bool = False,
        interval: Any = None,
        memory: int = 512_000_000,
        meter: Callable[[int, int], None] = lambda rows, size: None,
        **options: Any,
    ) -> Outcome:
        """Copy. The other options are those of a `copy` task, as the plan has them."""
        key = run_key or uuid4().hex
        file = self.folder / f"{uuid4().hex}.quarantine.ndjson"
        job = replace(
            self.job(source, destination, key, **options),
            quarantine_file=file,
            interval=interval,
            force=force,
            memory=memory,
            meter=meter,
        )
        result = copy(job)
        self.quarantined = list(read_quarantine(file)) if file.exists() else []
        counts = result.counts
        assert counts.read == counts.written + counts.quarantined
        assert counts.quarantined == len(self.quarantined) or result.skipped
        return result
