"""The plan of one task as it travels with the container that executes it: in an environment variable.

A container executes the plan that it was exported with, whatever the project's files in its image say. The
variable holds the plan compressed. Where that is too long for a variable its digest travels instead: whoever
executes the task compiles the project again, and compares.
"""

from __future__ import annotations

import base64
import zlib

import msgspec
from msgspec.structs import replace

from windlass.errors import FatalError
from windlass.plan.codec import from_json
from windlass.plan.model import Plan, Task

__all__ = ["LONGEST", "VARIABLE", "alone", "digest_of", "is_digest", "pack", "unpack", "with_digests"]

VARIABLE = "WINDLASS_PLAN"
LONGEST = 131_072 - len(f"{VARIABLE}=") - 1
"""Characters that Linux takes in the variable: MAX_ARG_STRLEN, less its name and the NUL (man 2 execve)."""

_MARGIN = 8_192  # whoever packs the same plan with other tools may need a little more
_DIGEST = "sha256:"


def alone(plan: Plan, task: Task) -> Plan:
    """The plan of one of its tasks without the rest of the pipeline: all that executing it takes."""
    unit = task.unit and replace(task.unit, digest=None)
    return Plan(
        version=plan.version,
        project=plan.project,
        pipeline=plan.pipeline,
        schedule=plan.schedule,
        timezone=plan.timezone,
        params=plan.params,
        params_open=plan.params_open,
        containers=plan.containers,
        connections={name: plan.connections[name] for name in task.connections},
        tasks=(replace(task, unit=unit, needs=()),),
    )


def pack(plan: Plan, task: Task) -> str:
    """What the variable holds for that task of the plan: its own plan, or the digest of it."""
    packed = _compressed(_encoded(plan, task))
    return packed if len(packed) <= LONGEST else digest_of(plan, task)


def digest_of(plan: Plan, task: Task) -> str:
    """The same for the same plan of the task, of the same version of windlass."""
    import hashlib  # which takes longer than the rest, and is seldom needed where a task starts

    return _DIGEST + hashlib.sha256(_encoded(plan, task)).hexdigest()


def with_digests(plan: Plan) -> Plan:
    """The plan, with a digest in each unit whose task's plan is too long to travel whole."""

    def marked(task: Task) -> Task:
        if task.unit is None or not _is_long(_encoded(plan, task)):
            return task
        return replace(task, unit=replace(task.unit, digest=digest_of(plan, task)))

    return replace(plan, tasks=tuple(map(marked, plan.tasks)))


def _is_long(document: bytes) -> bool:
    """Whether it may be too long for whoever packs it; what is short enough as it is need not be tried."""
    most = LONGEST - _MARGIN
    return len(document) > most // 2 and len(_compressed(document)) > most


def is_digest(text: str) -> bool:
    """Whether what travels is not the plan itself."""
    return text.startswith(_DIGEST)


def unpack(text: str) -> Plan:
    """The plan that travelled. Raises FatalError for anything else."""
    try:
        document = zlib.decompress(base64.b64decode(text, validate=True))
    except (ValueError, zlib.error) as exc:
        raise FatalError(
            f"{VARIABLE} does not hold a plan", hint="leave it to whoever starts the task"
        ) from exc
    try:
        return from_json(document)
    except FatalError as exc:
        hint = (
            "export the project with the version of windlass that is in the image, or build the image again"
        )
        raise FatalError(f"{VARIABLE}: {exc.message}", hint=hint) from exc


def _encoded(plan: Plan, task: Task) -> bytes:
    return msgspec.json.encode(alone(plan, task))


def _compressed(document: bytes) -> str:
    return base64.b64encode(zlib.compress(document, 9)).decode("ascii")
