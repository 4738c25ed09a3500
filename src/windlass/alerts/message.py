"""A message: all that there is to say, and nothing of how a kind shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import msgspec

from windlass import logs

__all__ = ["Event", "Message", "Told"]

Event: TypeAlias = Literal["failure", "recovery", "success", "missed", "notice"]
"""What happened: to a run or a task; `notice` is what a `notify` task says."""


@dataclass(frozen=True)
class Told:
    """What is told of one task."""

    task: str
    what: str
    rows: tuple[str, ...] = ()
    """The first of its bad rows, each in a line."""


@dataclass(frozen=True, kw_only=True)
class Message:
    """What somebody is told."""

    event: Event
    project: str
    pipeline: str
    task: str | None = None
    """The task that it is about; None where it is about the whole run."""

    run_id: str = ""
    logical_date: str = ""
    told: tuple[Told, ...] = ()
    """What is told of tasks."""

    text: str = ""
    """What else there is to say, in the words of whoever wrote the pipeline."""

    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Any, ...], ...] = ()
    """The rows of a `notify` task."""

    link: str = ""
    """Where there is more: the report of the run."""

    since: str = ""
    """Of a recovery: the run whose failure is over."""

    @property
    def subject(self) -> str:
        """What it is about: the pipeline, or `PIPELINE.TASK`."""
        return self.pipeline if self.task is None else f"{self.pipeline}.{self.task}"

    @property
    def incident(self) -> str:
        """What all messages about the same trouble have in common, from the first failure to the recovery."""
        return f"{self.project}/{self.subject}"

    def masked(self) -> Message:
        """The message without any secret that is known here."""
        return Message.from_dict(logs.masked(self.as_dict()))

    def as_dict(self) -> dict[str, Any]:
        """As plain values of JSON."""
        values: dict[str, Any] = msgspec.to_builtins(self, enc_hook=str)
        return values

    @classmethod
    def from_dict(cls, values: object) -> Message:
        """The message that was made plain before."""
        return msgspec.convert(values, cls)

    def records(self) -> list[dict[str, Any]]:
        """The rows, by column."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]

    def variables(self) -> Mapping[str, Any]:
        """What a template of a message may name."""
        return {**self.as_dict(), "subject": self.subject, "incident": self.incident, "rows": self.records()}
