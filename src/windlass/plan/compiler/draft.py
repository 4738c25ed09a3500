"""A pipeline on its way to a plan."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Self

from msgspec import Struct

from windlass.plan import model
from windlass.plan.compiler.filling import Filling
from windlass.plan.compiler.noting import Notes
from windlass.plan.compiler.references import References
from windlass.plan.compiler.surroundings import Surroundings
from windlass.spec.entries import Entries
from windlass.spec.files import PipelineFile
from windlass.spec.pipeline import Pipeline

__all__ = ["Draft"]


class Draft(Struct, frozen=True, dict=True):
    """What was written, what is around it, and what has been found in it so far."""

    file: PipelineFile
    around: Surroundings
    notes: Notes
    filling: Filling
    references: References

    @classmethod
    def of(
        cls,
        file: PipelineFile,
        around: Surroundings,
        params: dict[str, model.Param],
        *,
        params_at_run: bool = False,
    ) -> Self:
        notes = Notes(file)
        return cls(
            file, around, notes, Filling(file, notes, params, params_at_run), References(around, notes)
        )

    @property
    def spec(self) -> Pipeline:
        return self.file.spec

    @cached_property
    def services(self) -> frozenset[str]:
        """The tasks that are services."""
        return frozenset(name for name, task in self.spec.tasks.items() if task.service)

    @cached_property
    def each(self) -> dict[str, Entries]:
        """The tasks that are one of each entry which another one writes."""
        return {name: task.each for name, task in self.spec.tasks.items() if task.each}

    @cached_property
    def position(self) -> dict[str, int]:
        """The place of each task in the file."""
        return {name: i for i, name in enumerate(self.spec.tasks)}

    def in_place(self, names: Iterable[str]) -> tuple[str, ...]:
        """Those of the names that are tasks, in the order of the file."""
        return tuple(sorted((n for n in names if n in self.position), key=self.position.__getitem__))
