"""The plan of a task to execute: handed over by whoever started the command, else compiled from the project."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from msgspec.structs import replace

from windlass.api.planning import compile_one
from windlass.errors import FatalError, UsageError
from windlass.plan.model import Plan

__all__ = ["params_of_run", "plan_to_execute"]


def plan_to_execute(
    project: Path, pipeline: str, task: str, file: Path | None, params: Mapping[str, object]
) -> Plan:
    """The plan of a task, with the parameters of its run.

    It is the one in the file, if one is given, else the one that came with the container in WINDLASS_PLAN, else
    that of the project. Raises WindlassError.
    """
    given = {**params_of_run(), **params}
    plan = _handed_over(project, pipeline, task, file)
    if plan is None:
        return compile_one(project, pipeline, given)
    if plan.params_open:
        from windlass.plan.fence import require_fenced
        from windlass.plan.params import with_overrides

        wanted = with_overrides(pipeline, plan.params, given)
        for found in plan.tasks if wanted != plan.params else ():
            if found.name == task:
                require_fenced(found, plan.params, wanted)
        return replace(plan, params=wanted)
    known = {name: (type(value), value) for name, value in plan.params.items()}
    if all(known.get(name) == (type(value), value) for name, value in given.items()):
        return plan
    return compile_one(project, pipeline, given)


def _handed_over(project: Path, pipeline: str, task: str, file: Path | None) -> Plan | None:
    from windlass.plan.travel import VARIABLE, is_digest, unpack

    text = os.environ.get(VARIABLE, "")
    if file is not None:
        from windlass.plan.bundle import plan_of_bundle

        plan = plan_of_bundle(file.read_bytes(), pipeline)
        if is_digest(text) and not _has_digest(plan, task, text):
            message = f"{file} has another plan of {pipeline} {task} than the one that is to be executed"
            raise FatalError(message, hint="start the run again")
        return plan
    if not text:
        return None
    if is_digest(text):
        return _of_digest(project, pipeline, task, text)
    plan = unpack(text)
    found = (plan.pipeline, plan.tasks[0].name)
    if found != (pipeline, task):
        raise UsageError(f"{VARIABLE} has the plan of {' '.join(found)}, not of {pipeline} {task}")
    return plan


def _of_digest(project: Path, pipeline: str, task: str, digest: str) -> Plan:
    """The project's own plan of the task, if it is the one that was exported. Raises FatalError."""
    plan = compile_one(project, pipeline, {}, params_at_run=True)
    if _has_digest(plan, task, digest):
        return plan
    raise FatalError(
        f"the project here has another plan of {pipeline} {task} than the one that was exported",
        hint="build the image from the files that were exported, or export those that are in the image",
    )


def _has_digest(plan: Plan, task: str, digest: str) -> bool:
    from windlass.plan.travel import digest_of
    from windlass.tasks.executing import task_of

    return digest_of(plan, task_of(plan, task)) == digest


def params_of_run() -> dict[str, object]:
    """The parameters that whoever started the run has set, in WINDLASS_PARAMS. Raises UsageError."""
    text = os.environ.get("WINDLASS_PARAMS") or "{}"
    try:
        params = json.loads(text)
    except ValueError:
        params = None
    if not isinstance(params, dict):
        raise UsageError("WINDLASS_PARAMS: expected a JSON object")
    return params
