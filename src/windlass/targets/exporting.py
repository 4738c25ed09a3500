"""An export, whatever the target: compile the project, render it, and put the files in place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from msgspec import Struct

from windlass.errors import UsageError
from windlass.files import write_whole
from windlass.plan.compiler import compile_project
from windlass.project_folder import PIPELINES_FOLDER
from windlass.spec import ProjectFiles, load_project
from windlass.targets import (
    CompiledProject,
    Needs,
    Target,
    TargetWithLeftovers,
    TargetWithNeeds,
    TargetWithSecrets,
)
from windlass.targets.marks import is_marked, is_of_others
from windlass.targets.outlets import Outlet, outlet_at
from windlass.workspace import require_not_of_project

__all__ = ["Exported", "compiled", "compiled_at", "export", "put", "stale"]


@dataclass(frozen=True)
class Exported:
    """What an export has written, and what the scheduler must have besides."""

    project: CompiledProject
    written: tuple[str, ...]
    """The files, each as a path or an address."""

    removed: tuple[str, ...]
    """Files that an earlier export had left, of pipelines that are not there any more."""

    needs: Needs


def export(target: Target, project: Path, out: Path | str, options: Struct | None = None) -> Exported:
    """Write what the target makes of a project below `out`.

    Raises SpecError with every problem of the project, and then nothing is written.
    """
    return put(target, compiled_at(project), out, options)


def compiled_at(project: Path) -> CompiledProject:
    """The project in that folder, compiled. Raises SpecError with every problem of it."""
    return compiled(load_project(project))


def compiled(files: ProjectFiles) -> CompiledProject:
    """The project, compiled. Raises SpecError with every problem of it."""
    return CompiledProject(files, compile_project(files))


def stale(target: Target, project: Path, out: Path | str, options: Struct) -> dict[str, str]:
    """What is wrong with files below `out`, by their names: one is `missing`, `differs` from what an export would write now, or
    is `left over` by an earlier one.

    Files of secrets are left alone. Raises SpecError with every problem of the project.
    """
    known = compiled_at(project)
    texts, outlet = target.render(known, options), outlet_at(out)
    found = {path: outlet.read(path) for path in texts}
    differ = (path for path, text in texts.items() if found[path] != text.encode("utf-8"))
    wrong = {path: "missing" if found[path] is None else "differs" for path in differ}
    wrong |= dict.fromkeys(_left(target, known, outlet, texts), "left over")
    return {outlet.name(path): what for path, what in wrong.items()}


def put(target: Target, project: CompiledProject, out: Path | str, options: Struct | None = None) -> Exported:
    """Write what the target makes of a compiled project below `out`, and remove what an earlier export has left of pipelines
    that went. Nothing else there is touched.

    Raises UsageError where somebody else has written a file of that name, FatalError where it would be a part of the
    project itself; and then nothing is written.
    """
    options = target.options() if options is None else options
    texts = target.render(project, options)
    outlet = outlet_at(out)
    if isinstance(target, TargetWithSecrets):
        secrets, variables = target.secrets(options)
        if outlet.folder is None:
            raise UsageError(f"{secrets} has secrets of {target.title}, and is not put into a bucket")
    written = [outlet.name(path) for path in texts]
    if outlet.folder is not None:
        _require_outside(project.files.root.resolve(), outlet.folder.resolve(), texts)
    _require_ours(outlet, texts)
    for path, text in texts.items():
        outlet.write(path, text.encode("utf-8"))
    left = _left(target, project, outlet, texts)
    for path in left:
        outlet.remove(path)
    if isinstance(target, TargetWithSecrets):
        written.append(str(_complete(Path(outlet.name(secrets)), variables)))
    removed = tuple(map(outlet.name, left))
    return Exported(project, tuple(written), removed, _needs(target, project, options))


def _left(target: Target, project: CompiledProject, outlet: Outlet, texts: Mapping[str, str]) -> list[str]:
    """The files that an earlier export has written beside those of this one, for pipelines that are not there any more."""
    if not isinstance(target, TargetWithLeftovers):
        return []
    one_of_each_folder = {PurePosixPath(path).parent: path for path in texts}.values()
    beside = [path for known in one_of_each_folder for path in outlet.beside(known) if path not in texts]
    found = ((path, outlet.read(path) or b"") for path in beside)
    marked = ((path, data.decode("utf-8", "replace")) for path, data in found if is_marked(data))
    return [path for path, text in marked if target.is_left(project, path, text)]


def _require_outside(project: Path, folder: Path, paths: Iterable[str]) -> None:
    """Raise FatalError where a file of an export would be read as a pipeline of the project."""
    for file in (folder / path for path in paths):
        if file.is_relative_to(project / PIPELINES_FOLDER):
            require_not_of_project(file.relative_to(project).as_posix(), str(file))


def _require_ours(outlet: Outlet, texts: Mapping[str, str]) -> None:
    """Raise UsageError where a file of somebody else would be written over; nothing has been written then."""
    found = ((path, outlet.read(path), text.encode("utf-8")) for path, text in texts.items())
    others = [outlet.name(path) for path, there, text in found if there and is_of_others(there, text)]
    if others:
        hint = "name another folder with --out, or move them away"
        raise UsageError(
            f"not written by `windlass export`, and not written over: {', '.join(others)}", hint=hint
        )


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
