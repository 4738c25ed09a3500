"""A project folder: its `windlass.yaml`, the files under `pipelines/`, and the files those name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ParamSpec, TypeVar

from windlass.errors import Problem, SpecError, UsageError, did_you_mean, reason_of
from windlass.project_folder import PROJECT_FILE
from windlass.spec.model import Model
from windlass.spec.pipeline import Pipeline
from windlass.spec.project import Project
from windlass.spec.secrets import find_secrets, hide_secrets
from windlass.spec.validation import to_model
from windlass.spec.yaml import Document, KeyPath, not_utf8, read

__all__ = ["PipelineFile", "ProjectFiles", "load_pipeline", "load_project"]

M = TypeVar("M", bound=Model)
P = ParamSpec("P")
T = TypeVar("T")

PIPELINES_FOLDER = "pipelines"


@dataclass(frozen=True)
class PipelineFile:
    """One pipeline as it was written: the model, its positions, and the text of the files it names."""

    spec: Pipeline
    document: Document
    included: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ProjectFiles:
    """A whole project as it was written."""

    root: Path
    spec: Project
    document: Document
    pipelines: dict[str, PipelineFile]
    problems: tuple[Problem, ...] = ()
    """What is wrong with the files that were left out."""

    def pipeline(self, name: str) -> PipelineFile:
        """The pipeline of that name. Raises UsageError, with near names, when there is none."""
        if name not in self.pipelines:
            hint = did_you_mean(name, self.pipelines)
            raise UsageError(f"no pipeline {name!r} in {self.root}", hint=hint)
        return self.pipelines[name]


def load_project(root: Path, only: str | None = None, *, partly: bool = False) -> ProjectFiles:
    """Read the project file and its pipelines. Raises SpecError with the problems of all of them.

    With `only`, the file `pipelines/<only>.yaml` alone is read when it exists and has that name, so
    that one broken file does not stop another pipeline, and a large project starts at once. With
    `partly`, pipelines with problems are left out, so that the others can be looked at further.
    """
    problems: list[Problem] = []
    project = _attempt(problems, _load, root, root / PROJECT_FILE, Project)
    types = {name: c.type for name, c in project[0].connections.items()} if project is not None else {}
    pipelines: dict[str, PipelineFile] = {}
    for file in _pipeline_files(root, only):
        loaded = _attempt(problems, load_pipeline, root, file, types)
        if loaded is None:
            continue
        name = loaded.spec.pipeline
        if name in pipelines:
            other = pipelines[name].document.file
            problems.append(loaded.document.problem(("pipeline",), f"{name!r} is also the name of {other}"))
        pipelines[name] = loaded
    if only is not None and only not in pipelines and not problems and _pipeline_file(root, only):
        return load_project(root)  # the file is named otherwise than its pipeline: look at them all
    if project is None or (problems and not partly):
        raise SpecError(problems)
    return ProjectFiles(root, project[0], project[1], pipelines, tuple(problems))


def load_pipeline(root: Path, file: Path, types: Mapping[str, str]) -> PipelineFile:
    """Read one pipeline file and the files that it names. `types` are those of the project's connections.

    Raises SpecError with every problem.
    """
    spec, document = _load(root, file, Pipeline, types)
    included: dict[str, str] = {}
    problems: list[Problem] = []
    for path, name in _named_files(spec):
        text = _attempt(problems, _include, root, document, path, name)
        if text is not None:
            included[name] = text
    if problems:
        raise SpecError(problems)
    return PipelineFile(spec, document, included)


def _load(
    root: Path, file: Path, model: type[M], types: Mapping[str, str] | None = None
) -> tuple[M, Document]:
    shown_as = str(file.relative_to(root)) if file.is_relative_to(root) else str(file)
    try:
        document = read(file, shown_as)
    except SpecError as exc:
        raise SpecError(hide_secrets(exc.problems)) from None
    problems = find_secrets(document)
    try:
        loaded = to_model(model, document, types)
    except SpecError as exc:
        problems = sorted((*exc.problems, *problems), key=lambda p: (p.line, p.column))
    else:
        if not problems:
            return loaded, document
    raise SpecError(hide_secrets(problems, document))


def _pipeline_files(root: Path, only: str | None) -> Sequence[Path]:
    if only is not None and (file := _pipeline_file(root, only)):
        return [file]
    folder = root / PIPELINES_FOLDER
    return sorted(p for p in folder.rglob("*") if p.suffix in (".yaml", ".yml") and p.is_file())


def _pipeline_file(root: Path, name: str) -> Path | None:
    for suffix in (".yaml", ".yml"):
        file = root / PIPELINES_FOLDER / f"{name}{suffix}"
        if file.is_file():
            return file
    return None


def _named_files(spec: Pipeline) -> Iterator[tuple[KeyPath, str]]:
    """The project's own text files that the plan takes in: SQL and JSON Schemas."""
    for name, task in spec.tasks.items():
        at: KeyPath = ("tasks", name, task.kind)
        if task.sql and task.sql.file:
            yield (*at, "file"), task.sql.file
        if task.check and task.check.json_schema:
            yield (*at, "json_schema"), task.check.json_schema
        if task.copy_ and task.copy_.validate_.json_schema:
            yield (*at, "validate", "json_schema"), task.copy_.validate_.json_schema


def _include(root: Path, document: Document, path: KeyPath, name: str) -> str:
    file = (root / name).resolve()
    if not file.is_relative_to(root.resolve()):
        raise SpecError([document.problem(path, f"{name!r} is outside the project")])
    try:
        data = file.read_bytes()
        return data.decode("utf-8-sig")
    except OSError as exc:
        raise SpecError([document.problem(path, f"cannot read {name!r}: {reason_of(exc)}")]) from exc
    except UnicodeDecodeError as exc:
        message, hint = not_utf8(data, exc)
        raise SpecError([document.problem(path, f"cannot read {name!r}: it {message}", hint=hint)]) from exc


def _attempt(
    problems: list[Problem], function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> T | None:
    """Call, and collect the problems of a SpecError instead of letting it end the search."""
    try:
        return function(*args, **kwargs)
    except SpecError as exc:
        problems.extend(exc.problems)
        return None
