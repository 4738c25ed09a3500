"""Cases of `windlass test` as tests of pytest, and `windlass_project` for tests in Python. An entry point of `pytest11`.

Collected are the YAML files below the folder `tests` of a project. Every start of pytest imports this module, so it imports
nothing but pytest before there is something to do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from windlass.fixtures import Player, Project
    from windlass.fixtures.cases import Case
    from windlass.fixtures.judging import Difference

__all__ = ["CaseFile", "CaseItem", "windlass_project"]

_CASE = re.compile(r"^\s*-\s+\{?\s*test\s*:", re.MULTILINE)  # other tests may have data in YAML there
_PLAYERS = pytest.StashKey["_Players"]()


class _Players:
    """A player for each project, with the servers that its cases share, until pytest ends."""

    def __init__(self) -> None:
        self._open = ExitStack()
        self.of = cache(self._made)

    def _made(self, project: Path) -> Player:
        from windlass.fixtures import Player

        return self._open.enter_context(Player(project))

    def close(self) -> None:
        self._open.close()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_PLAYERS] = _Players()


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash[_PLAYERS].close()


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if file_path.suffix not in (".yaml", ".yml"):
        return None
    project = next((folder.parent for folder in file_path.parents if _is_of_cases(folder)), None)
    if project is None or not _CASE.search(file_path.read_text(encoding="utf-8", errors="replace")):
        return None
    return CaseFile.from_parent(parent, path=file_path, project=project)


def _is_of_cases(folder: Path) -> bool:
    return folder.name == "tests" and (folder.parent / "windlass.yaml").is_file()


class CaseFile(pytest.File):
    """A file of cases."""

    def __init__(self, *, project: Path, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._project = project

    def collect(self) -> Iterable[pytest.Item]:
        from windlass.errors import WindlassError
        from windlass.fixtures import load_cases

        try:
            [file] = load_cases(self._project, [str(self.path)])
        except WindlassError as exc:
            raise self.CollectError(str(exc)) from exc
        for line, case in file.cases:
            yield CaseItem.from_parent(self, name=case.test, project=self._project, line=line, case=case)


class CaseItem(pytest.Item):
    """A case."""

    def __init__(self, *, project: Path, line: int, case: Case, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._project, self._line, self._case = project, line, case

    def runtest(self) -> None:
        player = self.config.stash[_PLAYERS].of(self._project)
        verdict = player.play(str(self.path), self._line, self._case)
        if not verdict.passed:
            raise _NotAsExpected(verdict.differences)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if isinstance(excinfo.value, _NotAsExpected):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, self._line - 1, self.name


class _NotAsExpected(Exception):  # noqa: N818 - it is not an error of the code
    def __init__(self, differences: Iterable[Difference]) -> None:
        super().__init__("\n".join(map(str, differences)))


@pytest.fixture
def windlass_project(request: pytest.FixtureRequest) -> Iterator[Project]:
    """The project that the test is in: runs its pipelines on what a test gives, as a case does."""
    from windlass.fixtures import Project
    from windlass.project_folder import find_project

    folder = find_project(request.path.parent)
    with ExitStack() as stages:
        yield Project(folder, request.config.stash[_PLAYERS].of(folder), stages)
