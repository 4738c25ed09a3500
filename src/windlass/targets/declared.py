"""The targets that windlass.yaml names, each with options of its export.

`windlass export` takes them where the command line says nothing else, and `windlass validate` checks that each of these
targets can express every pipeline.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import NODEFAULT, Struct, structs

from windlass.errors import Code, Problem, SpecError, did_you_mean
from windlass.spec.project import Project
from windlass.spec.yaml import Document
from windlass.targets import CompiledProject, TargetWithChecks
from windlass.targets.table import TARGETS

__all__ = ["declared", "inexpressible"]


def declared(project: Project, document: Document) -> dict[str, dict[str, Any]]:
    """The options by target, those alone that were said. Raises SpecError with all that is wrong with them."""
    problems = [p for name, said in project.targets.items() for p in _problems(document, name, said)]
    if problems:
        raise SpecError(problems)
    return dict(project.targets)


def inexpressible(project: CompiledProject) -> list[Problem]:
    """What the pipelines say that one of the named targets cannot express. Raises SpecError as `declared` does."""
    found: list[Problem] = []
    for name, said in declared(project.files.spec, project.files.document).items():
        target = TARGETS.load(name)
        if isinstance(target, TargetWithChecks):
            found += target.check(project, target.options(**said))
    return found


def _problems(document: Document, name: str, said: dict[str, Any]) -> Iterator[Problem]:
    at, target = ("targets", name), TARGETS.find(name)
    if target is None:
        hint = did_you_mean(name, TARGETS.names())
        yield document.problem(
            at, Code.UNKNOWN_PLUGIN, f"there is no target {name!r}", hint=hint, at_key=True
        )
        return
    hints = get_type_hints(target.options, include_extras=True)
    for key, value in said.items():
        if key not in hints:
            hint = did_you_mean(key, hints)
            message = f"an export to {name} has no option {key!r}"
            yield document.problem((*at, key), Code.UNKNOWN_KEY, message, hint=hint, at_key=True)
        elif problem := _misfit(hints[key], value):
            yield document.problem((*at, key), problem[0], f"{key}: {problem[1]}")
    for key in _required(target.options):
        if key not in said:
            yield document.problem(at, Code.MISSING_KEY, f"an export to {name} needs `{key}`", at_key=True)


def _misfit(hint: Any, value: object) -> tuple[Code, str] | None:
    """What is wrong with the value of an option."""
    try:
        msgspec.convert(value, hint)
    except msgspec.ValidationError as exc:
        if get_origin(hint) is Literal:
            return Code.UNKNOWN_WORD, f"expected one of {', '.join(map(str, get_args(hint)))}"
        return Code.WRONG_TYPE, str(exc).lower().replace("`", "")
    return None


def _required(options: type[Struct]) -> list[str]:
    fields = structs.fields(options)
    return [f.name for f in fields if f.default is NODEFAULT and f.default_factory is NODEFAULT]
