"""The pages of a project: one a pipeline, and a board with the state of all of them.

contents.py   what a page tells of a pipeline, from its plan
rules.py      what a task demands of its rows, in words
needs.py      the connections and secrets of a pipeline, and where each was found; never a value
board.py      a line a pipeline, from the history of its runs
page.py       all that to HTML
folder.py     the pages as files, in a folder that may have others' files, too
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from windlass.catalog.board import board_of
from windlass.catalog.contents import contents_of
from windlass.catalog.folder import Folder
from windlass.catalog.page import Pages
from windlass.files import disk_errors, write_whole
from windlass.pages.place import require_place
from windlass.plan.compiler import compile_project
from windlass.runner.history import History
from windlass.spec import load_project
from windlass.state_folder import StateFolder

__all__ = ["write_board", "write_pages"]


def write_pages(project: Path, folder: Path, now: datetime | None = None) -> Path:
    """Write the pages of all pipelines and the board into a folder. Returns where the board is.

    Pages of pipelines that are gone are removed. Raises SpecError for what is wrong with the project, and UsageError for
    a file in the way that is not such a page.
    """
    pages = _pages(project, folder, now)
    Folder(folder).write({"index.html": pages.board(with_pages=True)} | pages.pipelines())
    return folder / "index.html"


def write_board(project: Path, file: Path, now: datetime | None = None) -> Path:
    """Write the board alone, into one file. Raises SpecError, FatalError or RetryableError, and UsageError for a file in the
    way that is not a page.
    """
    require_place(file)
    page = _pages(project, file.parent, now).board(with_pages=False)
    with disk_errors(file):
        write_whole(file, page)
    return file


def _pages(project: Path, folder: Path, now: datetime | None) -> Pages:
    """All that is told; `folder` is where it will be, for links to reports."""
    now = now or datetime.now(UTC)
    files = load_project(project).checked()
    plans = compile_project(files)
    state = StateFolder.of(project)
    board = board_of(plans, History(state), now)
    return Pages(
        project=files.spec.project,
        contents=contents_of(plans, project, now),
        board_lines=board,
        state=state,
        folder=folder,
        now=now,
    )
