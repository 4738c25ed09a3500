"""A rehearsal: what a target's export does when its text is run here. How that is done, the target says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from windlass.errors import ExitCode, UsageError
from windlass.registry import load
from windlass.rehearsing.container import Ran, Tell
from windlass.targets import CompiledProject, TargetWithRehearsal
from windlass.targets.exporting import compiled_at
from windlass.targets.table import TARGETS, able

__all__ = ["Rehearsal", "RehearsalRequest", "Rehearse", "rehearse"]


@dataclass(frozen=True)
class Rehearsal:
    """What came of it."""

    pipeline: str
    target: str
    run_id: str
    ran: Mapping[str, Ran]
    """What became of each task, or of the run as a whole."""

    differences: Sequence[str]
    """What the plan has otherwise."""

    workspace: Path

    @property
    def exit_code(self) -> ExitCode:
        failed = any(ran.code for ran in self.ran.values())
        return ExitCode.FAILED if failed or self.differences else ExitCode.SUCCESS


@dataclass(frozen=True, kw_only=True)
class RehearsalRequest:
    """What is to be exported, and run as text."""

    project: CompiledProject
    pipeline: str
    target: str
    tell: Tell
    """Gets what containers print, each line with the name of its container."""

    fired_at: str | None = None
    """The tick of the schedule, as the scheduler would say it; None for a run by hand."""

    params: Mapping[str, Any] = field(default_factory=dict)
    workspace: Path | None = None
    """What the volume of a cluster would have in it. None for an empty folder."""

    dev: bool = True
    """Whether dev services stand in for connections that are not configured."""


class Rehearse(Protocol):
    """What a target names as its `rehearsal`: exports the pipeline, and runs what was written."""

    def __call__(self, request: RehearsalRequest) -> Rehearsal:
        """Raises WindlassError for what the target cannot express, and for what a rehearsal does not know of the text."""


def rehearse(
    project: Path,
    pipeline: str | None,
    target: str,
    *,
    tell: Tell,
    fired_at: str | None = None,
    params: Mapping[str, Any] | None = None,
    workspace: Path | None = None,
    dev: bool = True,
) -> Rehearsal:
    """Export a pipeline to the target, and run what was written, as the target says. Raises WindlassError as `Rehearse` does."""
    found = TARGETS.load(target)
    if not isinstance(found, TargetWithRehearsal):
        hint = f"these can be: {', '.join(able(TargetWithRehearsal))}"
        raise UsageError(f"an export to {target} cannot be rehearsed", hint=hint)
    files = compiled_at(project)
    if pipeline is None and len(files.plans) != 1:
        raise UsageError(f"which pipeline? there are {', '.join(files.plans)}")
    run: Rehearse = load(found.rehearsal)
    return run(
        RehearsalRequest(
            project=files,
            pipeline=pipeline or next(iter(files.plans)),
            target=target,
            tell=tell,
            fired_at=fired_at,
            params=params or {},
            workspace=workspace,
            dev=dev,
        )
    )
