"""The plan of each pipeline as it was last run: compiled anew when anything is not as it was then (docs/adr/0118).

To compile a pipeline takes longer than to run a short task: it needs pydantic and all models of the files. A kept plan
says what was looked at for it (`windlass.noticing`), by which code, and with which parameters.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from windlass.errors import WindlassError
from windlass.installed import identity
from windlass.noticing import Fact, noticing, still_so
from windlass.plan.model import Plan
from windlass.state_folder import StateFolder, close_to_others

__all__ = ["Known", "kept_or_compiled"]

_NAME = re.compile(r"[A-Za-z_][\w-]*", re.ASCII)


class Known(msgspec.Struct):
    """A plan, and what else of its project a run asks for."""

    plan: Plan
    connections: list[str]
    """The names of all that the project declares."""


class _Kept(msgspec.Struct):
    key: str
    """What the plan was asked for with, and which code has made it."""

    facts: list[Fact]
    known: Known


def kept_or_compiled(project: Path, pipeline: str | None, params: Mapping[str, object]) -> Known:
    """`compile_one`, or the plan that it would return. Raises what that raises."""
    if pipeline is None or not _NAME.fullmatch(pipeline) or (key := _key(project, params)) is None:
        return _known(project, pipeline, params)
    file = project / ".windlass" / "plans" / f"{pipeline}.json"
    if (known := _found(file, key)) is not None:
        return known
    with noticing() as noticed:
        known = _known(project, pipeline, params)
    if noticed.is_all:
        _keep(project, file, _Kept(key, noticed.facts, known))
    return known


def _known(project: Path, pipeline: str | None, params: Mapping[str, object]) -> Known:
    from windlass.spec import load_project_file

    plan = _compiled(project, pipeline, params)
    return Known(plan, list(load_project_file(project).connections))


def _compiled(project: Path, pipeline: str | None, params: Mapping[str, object]) -> Plan:
    from windlass.api.planning import compile_one

    return compile_one(project, pipeline, params)


def _found(file: Path, key: str) -> Known | None:
    try:
        kept = msgspec.json.decode(file.read_bytes(), type=_Kept)
    except (OSError, msgspec.MsgspecError):  # of another version, or none
        return None
    return kept.known if kept.key == key and all(map(still_so, kept.facts)) else None


def _keep(project: Path, file: Path, kept: _Kept) -> None:
    """Keep a plan, if it is the same when it is read again. That it cannot be kept changes nothing."""
    from windlass.files import write_whole

    with suppress(OSError, WindlassError, msgspec.MsgspecError, TypeError, ValueError):
        data = msgspec.json.encode(kept)
        if msgspec.json.decode(data, type=_Kept).known == kept.known:
            folder = StateFolder.of(project).plans
            folder.mkdir(mode=0o700, exist_ok=True)
            close_to_others(folder)
            write_whole(file, data, private=True, durable=False)


def _key(project: Path, params: Mapping[str, object]) -> str | None:
    """None for parameters whose text does not say what they are."""
    if not all(value is None or isinstance(value, str | int | float) for value in params.values()):
        return None
    asked = json.dumps([str(project), dict(params)], sort_keys=True)
    return f"{identity()} {asked}"
