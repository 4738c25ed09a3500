"""What a target cannot express: nothing is left out in silence, so the export says all of it, each with its place."""

from __future__ import annotations

from dataclasses import dataclass, field

from windlass.errors import Code, Problem, SpecError
from windlass.spec import ProjectFiles
from windlass.spec.yaml import KeyPath

__all__ = ["Refusals"]


@dataclass
class Refusals:
    """What was found so far, in the pipelines of one export."""

    target: str
    files: ProjectFiles
    found: dict[Problem, None] = field(default_factory=dict)

    def add(
        self, pipeline: str, path: KeyPath, message: str, hint: str, code: Code = Code.NOT_ON_TARGET
    ) -> None:
        """Note that what stands there cannot be expressed."""
        file = self.files.pipelines[pipeline]
        self.found[file.document.problem(path, code, f"{self.target} {message}", hint=hint)] = None

    @property
    def problems(self) -> list[Problem]:
        """All that was noted, in the order of the files."""
        return sorted(self.found, key=lambda problem: (problem.file, problem.line, problem.column))

    def tell(self) -> None:
        """Raise SpecError with all that was noted, if anything was."""
        if self.found:
            raise SpecError(self.problems)
