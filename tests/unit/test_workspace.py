"""What the project is made of is not written over: not by its name, and not through a link or a detour."""

from __future__ import annotations

from pathlib import Path

import pytest

from windlass.errors import FatalError
from windlass.workspace import Workspace

OF_PROJECT = (
    "windlass.yaml",
    ".env",
    ".git/config",
    ".windlass/state.db",
    ".windlass/",
    "pipelines/a.yaml",
    "pipelines/deep/b.yml",
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    (folder / "pipelines").mkdir(parents=True)
    (folder / "windlass.yaml").write_text("project: shop\n")
    return folder


@pytest.mark.parametrize("path", OF_PROJECT)
def test_what_the_project_is_made_of_is_not_written_over(path: str, project: Path) -> None:
    workspace = Workspace(project, project)
    for way in (path, f"./data/../{path}", f"{project}/{path}", f"file://{project}/{path}"):
        with pytest.raises(FatalError, match="is what the project itself is made of"):
            workspace.to_write(way)


def test_nor_is_it_through_a_link(project: Path) -> None:
    (project / "out.csv").symlink_to(project / "windlass.yaml")
    (project / "out").symlink_to(project / "pipelines")
    (project.parent / "other").symlink_to(project)
    for workspace in (Workspace(project, project), Workspace(project, project.parent / "other")):
        for path in ("out.csv", "out/a.yaml"):
            with pytest.raises(FatalError, match="is what the project itself is made of"):
                workspace.to_write(path)


@pytest.mark.parametrize(
    "path", ["out.csv", "pipelines/rows.csv", "data/windlass.yaml", "git/config", "a.env"]
)
def test_other_files_are_written(path: str, project: Path) -> None:
    assert Workspace(project, project).to_write(path) == project / path


def test_a_workspace_elsewhere_has_such_files_of_its_own(project: Path) -> None:
    data = project.parent / "data"
    for path in OF_PROJECT:
        assert Workspace(data, project).to_write(path) == data / path
    case = project / ".windlass/cases/a"
    assert Workspace(case, project).to_write("out.csv") == case / "out.csv"
