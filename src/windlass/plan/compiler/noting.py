"""What is wrong with a pipeline, noted while it is compiled, so that all of it is told at once."""

from __future__ import annotations

from collections.abc import Collection

from msgspec import Struct, field

from windlass.errors import Code, Problem, did_you_mean
from windlass.spec.files import PipelineFile
from windlass.spec.yaml import KeyPath

__all__ = ["Notes"]

_PATIENCE = 200_000  # names that are compared to find near ones: a few seconds


class Notes(Struct):
    """The problems of one file, each of them once."""

    file: PipelineFile
    problems: dict[Problem, None] = field(default_factory=dict)
    """An ordered set: a default is looked at for each task, and its problem told once."""

    _compared: int = 0

    def problem(
        self, path: KeyPath, code: Code, message: str, hint: str | None = None, *, at_key: bool = False
    ) -> None:
        """Note what is wrong at `path`."""
        if self.file.lacks(*path):  # it is only a stand-in, and the problem with what stood there is known
            return
        self.problems[self.file.document.problem(path, code, message, hint=hint, at_key=at_key)] = None

    def near(self, word: str, known: Collection[str]) -> str | None:
        """What may have been meant. Of thousands of names that is not looked for again and again."""
        self._compared += len(known)
        return did_you_mean(word, known) if self._compared <= _PATIENCE else None
