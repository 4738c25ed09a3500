"""What a pipeline finds around it: the project, its other pipelines, and what is wrong with the project file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Self

from msgspec import Struct, field

from windlass.errors import Problem
from windlass.plan import model
from windlass.spec.files import PipelineFile, ProjectFiles
from windlass.spec.project import Project

__all__ = ["Surroundings"]


class Surroundings(Struct, frozen=True):
    """The project of a pipeline."""

    project: Project
    triggers: Mapping[str, frozenset[str]]
    """The pipelines that each one triggers."""

    params: Mapping[str, Mapping[str, model.Param]] = field(default_factory=dict)
    """The parameters of each pipeline, as far as they make sense."""

    is_whole: bool = True
    """Whether all pipelines of the project are known; else nothing can be said of an unknown one."""

    problems: tuple[Problem, ...] = ()
    """What is wrong with the project file."""

    lacks: Callable[..., bool] = lambda *_: False
    """Whether nothing can be said of what stands there in the project file, because that is wrong."""

    all_at_once: bool = False
    """Whether all pipelines are compiled, so that what concerns several of them is told once."""

    @classmethod
    def of(cls, files: ProjectFiles) -> Self:
        triggers = {name: _triggered(file) for name, file in files.pipelines.items()}
        return cls(
            files.spec,
            triggers | dict.fromkeys(files.unread, frozenset()),
            {name: file.spec.params for name, file in files.pipelines.items() if _knows_its_params(file)},
            is_whole=files.is_whole,
            problems=tuple(problem for problem in files.problems if problem.file == files.document.file),
            lacks=files.lacks,
        )


def _knows_its_params(file: PipelineFile) -> bool:
    return not any(path[:1] == ("params",) for path in file.gone)


def _triggered(file: PipelineFile) -> frozenset[str]:
    return frozenset(task.trigger.pipeline for task in file.spec.tasks.values() if task.trigger)
