"""A project folder: its `windlass.yaml`, the files under `pipelines/`, and the files those name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self, TypeVar

from windlass import registry
from windlass.errors import Code, Problem, SpecError, UsageError, did_you_mean, nearest, reason_of
from windlass.noticing import is_file, read_bytes, resolved, yaml_files
from windlass.project_folder import PIPELINES_FOLDER, PROJECT_FILE
from windlass.spec.expanding import expanded
from windlass.spec.model import Model
from windlass.spec.pipeline import Pipeline
from windlass.spec.project import Project
from windlass.spec.pruning import Pruned, pruned
from windlass.spec.secrets import find_secrets, hide_secrets
from windlass.spec.yaml import Document, KeyPath, not_utf8, read

__all__ = [
    "PipelineFile",
    "ProjectFiles",
    "load_pipelines",
    "load_project",
    "load_project_document",
    "load_project_file",
]

M = TypeVar("M", bound=Model)

_NAME = re.compile(
    r"^pipeline:[ \t]*[\"']?([A-Za-z_][\w-]*)(?!.*\{\{)", re.MULTILINE
)  # in a file that is not YAML

# What stands in for what cannot be missing, so that the rest can be looked at
_COMMAND = {"command": ["true"]}
_END = {"path": "stand-in.csv"}
_IN_PROJECT: dict[KeyPath, object] = {("project",): "unnamed"}
_IN_PIPELINE: dict[KeyPath, object] = {
    ("pipeline",): "unnamed",
    ("tasks",): {"unnamed": {"run": _COMMAND}},
    ("tasks", "*"): {"run": _COMMAND},
    ("tasks", "*", "run"): _COMMAND,
    ("tasks", "*", "run", "command"): _COMMAND["command"],
    ("tasks", "*", "service"): _COMMAND,
    ("tasks", "*", "service", "command"): _COMMAND["command"],
    ("tasks", "*", "copy", "from"): _END,
    ("tasks", "*", "check", "from"): _END,
    ("tasks", "*", "notify", "from"): _END,
    ("tasks", "*", "notify", "message"): "stand-in",
    ("tasks", "*", "copy", "to"): _END,
}


@dataclass(frozen=True)
class PipelineFile:
    """One pipeline as it was written: the model, its positions, and the text of the files it names."""

    spec: Pipeline
    document: Document
    included: dict[str, str] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    """What is wrong with it. The model is of the rest."""

    gone: frozenset[KeyPath] = frozenset()
    """What is not in the model, or only stands in there, because it is wrong."""

    whole: object = None
    """The value of the file as it was read, where it has problems."""

    def lacks(self, *path: str | int) -> bool:
        """Whether nothing can be said of what stands there, because it, or what is around it, is wrong."""
        return _is_in(path, self.gone)

    def refused(self, problems: Iterable[Problem]) -> SpecError:
        """The error with these problems, and those that the file has by itself; without the secrets in it."""
        told = dict.fromkeys((*self.problems, *hide_secrets(problems, self.whole)))
        return SpecError(sorted(told, key=lambda p: (p.file, p.line, p.column)))


@dataclass(frozen=True)
class ProjectFiles:
    """A whole project as it was written."""

    root: Path
    spec: Project
    document: Document
    pipelines: dict[str, PipelineFile]
    problems: tuple[Problem, ...] = ()
    """What is wrong with windlass.yaml, and with the files that are not pipelines at all."""

    gone: frozenset[KeyPath] = frozenset()
    """What is not in the model of windlass.yaml because it is wrong."""

    unread: frozenset[str] = frozenset()
    """The pipelines in files that are not YAML, as far as their names can be told."""

    is_whole: bool = True
    """Whether the names of all pipelines are known."""

    def pipeline(self, name: str) -> PipelineFile:
        """The pipeline of that name. Raises UsageError, with near names, when there is none, and SpecError when it may
        be in a file that makes no sense.
        """
        if name not in self.pipelines and self.problems:
            raise SpecError(self.problems)
        if name not in self.pipelines:
            hint = did_you_mean(name, self.pipelines)
            raise UsageError(f"no pipeline {name!r} in {self.root}", hint=hint, code=Code.UNKNOWN_PIPELINE)
        return self.pipelines[name]

    def lacks(self, *path: str | int) -> bool:
        """Whether nothing can be said of what stands there in windlass.yaml, because it, or what is around it, is wrong."""
        return _is_in(path, self.gone)

    def checked(self) -> Self:
        """This project, if each of its files is sound by itself. Raises SpecError with the problems of all."""
        problems = (*self.problems, *(p for file in self.pipelines.values() for p in file.problems))
        if problems:
            raise SpecError(problems)
        return self


def load_project(root: Path, only: str | None = None) -> ProjectFiles:
    """Read the project file and its pipelines. What is wrong with them is in the result, beside the rest of them.

    With `only`, the file `pipelines/<only>.yaml` alone is read when it exists and has that name, so
    that one broken file does not stop another pipeline, and a large project starts at once.
    """
    project = _project(root)
    problems = list(project.problems)
    types = _types_of(project)
    pipelines: dict[str, PipelineFile] = {}
    unread: set[str | None] = set()
    for file in _pipeline_files(root, only):
        try:
            found = load_pipelines(root, file, types)
        except SpecError as exc:
            problems.extend(exc.problems)
            unread.add(_name_in(file))
            continue
        for loaded in found:
            name = file.stem if loaded.lacks("pipeline") else loaded.spec.pipeline
            pipelines[name] = _with_name_of(loaded, pipelines[name]) if name in pipelines else loaded
    if only is not None and only not in pipelines and not unread and _pipeline_file(root, only):
        return load_project(root)  # the file is named otherwise than its pipeline: look at them all
    named = all(not file.lacks("pipeline") for file in pipelines.values())
    return ProjectFiles(
        root,
        project.model,
        project.document,
        pipelines,
        tuple(problems),
        project.gone,
        unread=frozenset(name for name in unread if name is not None),
        is_whole=named and None not in unread,
    )


def load_project_file(root: Path) -> Project:
    """Read `windlass.yaml` alone. Raises SpecError with everything that is wrong with it."""
    return load_project_document(root)[0]


def load_project_document(root: Path) -> tuple[Project, Document]:
    """The same, with the places where it says what."""
    project = _project(root)
    if project.problems:
        raise SpecError(project.problems)
    return project.model, project.document


def load_pipelines(root: Path, file: Path, types: Mapping[str, str]) -> list[PipelineFile]:
    """Read one file, and the files that it names: one pipeline, or one of each entry of its `for_each`.

    `types` are those of the project's connections, which say what the ends of a copy take. Raises SpecError where it is
    not a mapping, or its entries make no sense.
    """
    written = _read(root, file)
    try:
        documents = expanded(root, written)
    except SpecError as exc:
        raise SpecError(hide_secrets(exc.problems, written.value)) from None
    return [_pipeline(root, document, types) for document in documents]


def _pipeline(root: Path, document: Document, types: Mapping[str, str]) -> PipelineFile:
    loaded = _loaded(document, Pipeline, _IN_PIPELINE, types)
    included: dict[str, str] = {}
    problems, gone = list(loaded.problems), set(loaded.gone)
    for path, name, stand_in in _named_files(loaded.model):
        if _is_in(path, gone):
            continue
        try:
            included[name] = _include(root, loaded.document, path, name)
        except SpecError as exc:
            problems.extend(exc.problems)
            included.setdefault(name, stand_in)
            gone.add(path)
    whole = loaded.whole if problems else None
    return PipelineFile(loaded.model, loaded.document, included, tuple(problems), frozenset(gone), whole)


def _project(root: Path) -> Pruned[Project]:
    """The project file; where it cannot be read, a project of which nothing is known."""
    try:
        return _loaded(_read(root, root / PROJECT_FILE), Project, _IN_PROJECT, {})
    except SpecError as exc:
        nothing = Document(PROJECT_FILE, "", {}, {})
        return Pruned(Project(project="unnamed"), nothing, exc.problems, frozenset({()}))


def _types_of(project: Pruned[Project]) -> dict[str, str]:
    """The types of the project's connections; where one is misspelt, the one that may have been meant."""
    types = {name: connection.type for name, connection in project.model.connections.items()}
    whole = project.whole.get("connections") if isinstance(project.whole, dict) else None
    for name, connection in whole.items() if isinstance(whole, dict) else ():
        written = connection.get("type") if isinstance(connection, dict) else None
        near = nearest(written, registry.types()) if isinstance(written, str) else None
        if near is not None:
            types.setdefault(name, near)
    return types


def _read(root: Path, file: Path) -> Document:
    shown_as = str(file.relative_to(root)) if file.is_relative_to(root) else str(file)
    try:
        document = read(file, shown_as)
    except SpecError as exc:
        raise SpecError(hide_secrets(exc.problems)) from None
    if not isinstance(document.value, dict):
        problem = document.problem((), Code.WRONG_TYPE, "expected a mapping at the top of the file")
        raise SpecError(hide_secrets([*document.problems, problem], document.value))
    return document


def _loaded(
    document: Document, model: type[M], stand_ins: dict[KeyPath, object], types: Mapping[str, str]
) -> Pruned[M]:
    """What the document says, as far as it makes sense."""
    loaded = pruned(model, document, stand_ins, types)
    places = {(problem.line, problem.column) for problem in document.problems}
    others = (problem for problem in loaded.problems if (problem.line, problem.column) not in places)
    problems = sorted(
        (*document.problems, *others, *find_secrets(document)), key=lambda p: (p.line, p.column)
    )
    if not problems:
        return loaded
    return replace(loaded, problems=tuple(hide_secrets(problems, document.value)))


def _with_name_of(file: PipelineFile, other: PipelineFile) -> PipelineFile:
    """The file, with the problem that it has the name of another."""
    message = f"{file.spec.pipeline!r} is also the name of {other.document.file}"
    problem = file.document.problem(("pipeline",), Code.NAME_TAKEN, message)
    return replace(file, problems=(*file.problems, *other.problems, problem))


def _name_in(file: Path) -> str | None:
    """The name of the pipeline in a file that is not YAML, if it can be told."""
    try:
        found = _NAME.search(file.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return None
    return found[1] if found else None


def _is_in(path: KeyPath, gone: frozenset[KeyPath] | set[KeyPath]) -> bool:
    return any(path[: len(start)] == start for start in gone)


def _pipeline_files(root: Path, only: str | None) -> Sequence[Path]:
    if only is not None and (file := _pipeline_file(root, only)):
        return [file]
    return yaml_files(root / PIPELINES_FOLDER)


def _pipeline_file(root: Path, name: str) -> Path | None:
    for suffix in (".yaml", ".yml"):
        file = root / PIPELINES_FOLDER / f"{name}{suffix}"
        if is_file(file):
            return file
    return None


def _named_files(spec: Pipeline) -> Iterator[tuple[KeyPath, str, str]]:
    """The project's own text files that the plan takes in, SQL and JSON Schemas, each with what may stand in for it."""
    for name, task in spec.tasks.items():
        at: KeyPath = ("tasks", name, task.kind)
        if task.sql and task.sql.file:
            yield (*at, "file"), task.sql.file, ""
        if task.check and task.check.json_schema:
            yield (*at, "json_schema"), task.check.json_schema, "{}"
        if task.copy_ and task.copy_.validate_.json_schema:
            yield (*at, "validate", "json_schema"), task.copy_.validate_.json_schema, "{}"


def _include(root: Path, document: Document, path: KeyPath, name: str) -> str:
    file = resolved(root / name)
    if not file.is_relative_to(root.resolve()):
        raise SpecError([document.problem(path, Code.NAMED_FILE, f"{name!r} is outside the project")])
    try:
        data = read_bytes(file)
        return data.decode("utf-8-sig")
    except OSError as exc:
        raise SpecError(
            [document.problem(path, Code.NAMED_FILE, f"cannot read {name!r}: {reason_of(exc)}")]
        ) from exc
    except UnicodeDecodeError as exc:
        message, hint = not_utf8(data, exc)
        raise SpecError(
            [document.problem(path, Code.NAMED_FILE, f"cannot read {name!r}: it {message}", hint=hint)]
        ) from exc
