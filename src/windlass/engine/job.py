"""What the copy engine is asked to do, and what it says afterwards."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

from windlass.connections import Address
from windlass.connectors.destination import Load, Quarantine
from windlass.connectors.rows import BadRow, Counts, Meter
from windlass.connectors.source import Part, Source
from windlass.engine.changes import ColumnChanges
from windlass.plan.model import Copy
from windlass.units import DEFAULT_MEMORY
from windlass.workspace import Workspace

__all__ = ["Identity", "Job", "Outcome", "Spread", "Workspace"]


@dataclass(frozen=True)
class Identity:
    """Who loads: what the ledger knows a load by. The run key stays the same over retries."""

    pipeline: str
    task: str
    run_id: str
    run_key: str
    part: str = ""
    load_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    """Which start of the load this is: another one at every attempt."""


def _ignore(_rows: int, _bytes: int) -> None:
    return


@dataclass(frozen=True, kw_only=True)
class Job:
    """One `copy`, rendered, with the addresses of the connections that it names."""

    copy: Copy
    identity: Identity
    workspace: Workspace
    addresses: dict[str, Address] = field(default_factory=dict)
    interval: tuple[datetime, datetime] | None = None
    memory: int = DEFAULT_MEMORY
    scratch_folder: Path | None = None
    shared: Path | None = None
    """Where the tasks of the run keep what they share."""

    quarantine_file: Path | None = None
    deliver: Callable[[Path, Callable[[dict[str, object]], bool]], None] | None = None
    """Called with the finished quarantine file, and what tells the rows of this copy, before the commit."""

    input: str | None = None
    """What identifies the input, where its source's own fingerprint does not."""

    part: Part | None = None
    """What of the source this load is about, if it is a part; `identity.part` is then its name."""

    spread: Spread | None = None
    """What moves the rows in the place of this process: `spread/spreading.py`."""

    threads: int | None = None
    """How many of the scratch database; None for as many as there are cores."""

    limit: int | None = None
    """Only so many rows, the first ones that the source gives."""

    force: bool = False
    meter: Meter = _ignore


@dataclass
class Outcome:
    """What a copy did. `path` is the way the rows took; `bad_rows` are the first few of them."""

    path: str
    counts: Counts
    mark: str | None = None
    skipped: bool = False
    changes: ColumnChanges = field(default_factory=ColumnChanges)
    quarantine: str | None = None
    bad_rows: list[BadRow] = field(default_factory=list)


Spread: TypeAlias = Callable[[Job, Source, Load, Quarantine], Outcome]
"""Moves the rows of a copy from an open source to a load that was begun."""
