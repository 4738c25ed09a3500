"""What a project is exported to. A target renders text from plans and never imports an orchestrator.

A target is a folder here, or a package of somebody else's, and a line in `table.py`, or an entry point.
`exporting.py` does what is the same for all of them: it compiles the project and writes the files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from msgspec import Struct
from msgspec.structs import replace

from windlass.errors import Problem
from windlass.plan.model import Plan
from windlass.spec import ProjectFiles

__all__ = [
    "CompiledProject",
    "Needs",
    "Target",
    "TargetWithBackfill",
    "TargetWithChecks",
    "TargetWithLeftovers",
    "TargetWithNeeds",
    "TargetWithRehearsal",
    "TargetWithSecrets",
]


@dataclass(frozen=True)
class CompiledProject:
    """A project to be exported: as it was written, and every pipeline compiled."""

    files: ProjectFiles
    plans: Mapping[str, Plan]
    """With the default parameters filled in."""

    @property
    def root(self) -> Path:
        return self.files.root

    @cached_property
    def open_plans(self) -> dict[str, Plan]:
        """The plans whose templates still name the parameters, for a scheduler that knows them when a run begins."""
        from windlass.plan.compiler import Scope, compile

        scope = Scope.of(self.files)
        return {
            name: compile(self.files.pipelines[name], {}, scope, params_at_run=True)
            if self._may_name_parameters(name)
            else replace(plan, params_open=True)
            for name, plan in self.plans.items()
        }

    def _may_name_parameters(self, pipeline: str) -> bool:
        """Whether a template of the pipeline may; where none does, it is the same plan."""
        file = self.files.pipelines[pipeline]
        texts = (str(file.document.value), str(self.files.document.value), *file.included.values())
        return any("params" in text for text in texts)


_SECRETS = {"auth", "auths"}
"""What settings of a connection say who asks, for which the address in `windlass.yaml` has no secret."""


@dataclass(frozen=True)
class Needs:
    """What a scheduler must have for the pipelines of a project."""

    pipelines: tuple[str, ...]
    connections: dict[str, str]
    """Type by name, of those whose address `windlass.yaml` does not say, or who want a secret with it."""

    pools: dict[str, int]
    """Slots by name."""

    @classmethod
    def of(cls, plans: Iterable[Plan]) -> Needs:
        plans = sorted(plans, key=lambda plan: plan.pipeline)
        found = ((name, c) for plan in plans for name, c in plan.connections.items())
        connections = {name: c.type for name, c in found if c.address is None or _SECRETS & c.settings.keys()}
        pools = {name: slots for plan in plans for name, slots in plan.pools.items()}
        return cls(
            tuple(plan.pipeline for plan in plans),
            dict(sorted(connections.items())),
            dict(sorted(pools.items())),
        )


class Target(Protocol):
    """Something that a project is exported to. Its docstring is what the command line says of it."""

    @property
    def title(self) -> str:
        """What messages call the scheduler."""

    @property
    def options(self) -> type[Struct]:
        """What can be said about an export: a field is an option of the command, its docstring the help."""

    def render(self, project: CompiledProject, options: Any) -> dict[str, str]:
        """The text of every file, by its path below the folder of the export, in the order to write them in.

        Pure: the same project and options give the same text. `options` is an instance of `self.options`.
        """


@runtime_checkable
class TargetWithNeeds(Target, Protocol):
    """A target whose scheduler need not have every connection and every pool: it has some of them, or runs nothing."""

    def needs(self, project: CompiledProject, options: Any) -> Needs:
        """What is exported, and what the scheduler must have besides."""


@runtime_checkable
class TargetWithChecks(Target, Protocol):
    """A target that cannot express all that a pipeline may say. `render` raises SpecError with the same problems."""

    def check(self, project: CompiledProject, options: Any) -> list[Problem]:
        """What it cannot express, each with its place, without a look at what has become of the images."""


@runtime_checkable
class TargetWithBackfill(Target, Protocol):
    """A target whose scheduler can be handed the runs of past dates."""

    def backfill(
        self,
        project: CompiledProject,
        options: Any,
        pipeline: str,
        starts: Sequence[datetime],
        params: Mapping[str, object],
        parallel: int,
    ) -> str:
        """The text to hand it: a run for each time at which it would have started one, `parallel` of them at once."""


@runtime_checkable
class TargetWithRehearsal(Target, Protocol):
    """A target whose text can be run on this machine: `windlass run --as`."""

    rehearsal: str
    """`module:function` of what does that: a `windlass.rehearsing.Rehearse`."""


@runtime_checkable
class TargetWithLeftovers(Target, Protocol):
    """A target with files of a pipeline, which an earlier export leaves behind when the pipeline goes."""

    def is_left(self, project: CompiledProject, path: str, text: str) -> bool:
        """Whether a file that lies among those of this export, and is not one of them, is of a pipeline that is not there any more.

        Files of another project, and of a pipeline that was only not chosen, are not.
        """


@runtime_checkable
class TargetWithSecrets(Target, Protocol):
    """A target whose files refer to secrets, which are made once and kept in a file for its owner only."""

    def secrets(self, options: Any) -> tuple[str, Mapping[str, Callable[[], str]]]:
        """The path of that file below the folder of the export, and each variable in it with what makes it.

        Variables that the file has already stay as they are.
        """
