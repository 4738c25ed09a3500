"""An export, whatever the target: compile the project, render it, and put the files in place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from msgspec import Struct

from windlass.errors import FatalError
from windlass.files import write_whole
from windlass.plan.compiler import compile_project
from windlass.spec import ProjectFiles, load_project
from windlass.targets import CompiledProject, Needs, Target, TargetWithNeeds, TargetWithSecrets

__all__ = ["Exported", "compiled", "export", "put", "stale"]


@dataclass(frozen=True)
class Exported:
    """What an export has written, and what the scheduler must have besides."""

    project: CompiledProject
    written: tuple[Path, ...]
    needs: Needs


def export(target: Target, project: Path, out: Path, options: Struct | None = None) -> Exported:
    """Write what the target makes of a project below `out`.

    Raises SpecError with every problem of the project, and then nothing is written.
    """
    return put(target, compiled(load_project(project)), out, options)


def compiled(files: ProjectFiles) -> CompiledProject:
    """The project, compiled. Raises SpecError with every problem of it."""
    return CompiledProject(files, compile_project(files))


def stale(target: Target, project: Path, out: Path, options: Struct) -> list[Path]:
    """The files below `out` that are not what an export would write now: those that are not there, and those that differ.

    Files of secrets are left alone. Raises SpecError with every problem of the project.
    """
    texts = target.render(compiled(load_project(project)), options)
    files = {_inside(out, path): text.encode("utf-8") for path, text in texts.items()}
    return [file for file, data in files.items() if not file.is_file() or file.read_bytes() != data]


def put(target: Target, project: CompiledProject, out: Path, options: Struct | None = None) -> Exported:
    """Write what the target makes of a compiled project below `out`. Nothing else there is touched."""
    options = target.options() if options is None else options
    texts = target.render(project, options)
    files = {_inside(out, path): text.encode("utf-8") for path, text in texts.items()}
    written = tuple(_put(file, data) for file, data in files.items())
    if isinstance(target, TargetWithSecrets):
        path, variables = target.secrets(options)
        written = (*written, _complete(_inside(out, path), variables))
    return Exported(project, written, _needs(target, project, options))


def _needs(target: Target, project: CompiledProject, options: Struct) -> Needs:
    if isinstance(target, TargetWithNeeds):
        return target.needs(project, options)
    return Needs.of(project.plans.values())


def _complete(file: Path, variables: Mapping[str, Callable[[], str]]) -> Path:
    """Add to a private file what it lacks: what was encrypted with a key can be read with no other."""
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    known = {line.partition("=")[0].strip() for line in text.splitlines()}
    made = "".join(f"{name}={make()}\n" for name, make in variables.items() if name not in known)
    if made:
        break_ = "" if not text or text.endswith("\n") else "\n"
        write_whole(file, f"{text}{break_}{made}".encode(), private=True)
    file.chmod(0o600)
    return file


def _inside(out: Path, path: str) -> Path:
    wanted = PurePosixPath(path)
    if wanted.is_absolute() or ".." in wanted.parts:
        raise FatalError(f"the target wants to write {path!r}, which is not below the folder of the export")
    return out / wanted


def _put(file: Path, data: bytes) -> Path:
    """Write all of a file or nothing, and only if it changes: a scheduler may read it at any time."""
    if file.is_file() and file.read_bytes() == data:
        return file
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, data)
    return file
