"""An end of a copy, as a connector is asked to open it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Generic, TypeAlias, TypeVar

from windlass.connections import Address
from windlass.options import Options
from windlass.workspace import Workspace

__all__ = ["ConnectedEnd", "End", "Interval"]

Interval: TypeAlias = tuple[datetime, datetime]
"""A half-open span of time: the first moment in it, and the first one past it."""

O = TypeVar("O", bound=Options, covariant=True)  # noqa: PLC0105 - as short as T


@dataclass(frozen=True, kw_only=True)
class End(Generic[O]):
    """What is asked for, and where the paths in it are."""

    options: O
    workspace: Workspace
    scratch_folder: Path | None = None
    """Where temporary files go."""

    shared: Path | None = None
    """Where the tasks of a run keep what they share; None where it is nobody else's."""

    interval: Interval | None = None
    """The data interval of the run."""

    alone: bool = True
    """Of a destination: whether no other load may be at work there at the same time."""


@dataclass(frozen=True, kw_only=True)
class ConnectedEnd(End[O]):
    """An end on a connection."""

    connection: str
    """Its name, for errors."""

    address: Address

    others: Mapping[str, Address] = field(default_factory=dict)
    """Where the connections are that its options name."""
