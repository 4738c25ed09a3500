"""What starts a pipeline at its ticks, whoever does."""

from __future__ import annotations

from dataclasses import dataclass

from windlass.targets.cron.fields import Fields

__all__ = ["Starting"]


@dataclass(frozen=True)
class Starting:
    """A pipeline to be started at the ticks of its schedule."""

    project: str
    pipeline: str
    description: str
    fields: Fields
    timezone: str
    folder: str
    """That of the project on the machine, where the command is started."""

    command: tuple[str, ...]
    alone: bool
    """Whether a run waits for none: a tick during a run is left out."""
