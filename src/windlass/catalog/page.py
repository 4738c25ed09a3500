"""Contents and board to HTML: Jinja over the files in templates/, with every value escaped and made visible.

A page loads nothing. The board has one small script, which searches it; a Content-Security-Policy lets no other run.
"""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from windlass import __version__, drawing
from windlass.catalog.board import Line
from windlass.catalog.contents import Contents
from windlass.catalog.folder import MARK, PIPELINES
from windlass.pages import environment_of
from windlass.state_folder import StateFolder

if TYPE_CHECKING:
    from markupsafe import Markup

__all__ = ["Pages"]


@dataclass(frozen=True)
class Pages:
    """All pages of a project."""

    project: str
    contents: Mapping[str, Contents]
    board_lines: Mapping[str, Line]
    state: StateFolder
    folder: Path
    """Where they will be: links to reports lead from there."""

    now: datetime

    def board(self, *, with_pages: bool) -> bytes:
        """The board; its names lead to the other pages where there are any."""
        return self._rendered(
            "board.html",
            folder=self.folder,
            with_pages=with_pages,
            script=_script(),
            script_digest=b64encode(sha256(_script().encode()).digest()).decode(),
            searched={name: " ".join(_words(found)) for name, found in self.contents.items()},
        )

    def pipelines(self) -> dict[str, bytes]:
        """The page of each pipeline, by the name of its file."""
        return {f"{PIPELINES}/{name}.html": self._pipeline(name) for name in self.contents}

    def _pipeline(self, name: str) -> bytes:
        return self._rendered(
            "pipeline.html", folder=self.folder / PIPELINES, found=self.contents[name], picture=_picture
        )

    def _rendered(self, template: str, folder: Path, **values: Any) -> bytes:
        from markupsafe import Markup

        page = environment_of("windlass.catalog").get_template(template)
        text = page.render(
            project=self.project,
            contents=self.contents,
            lines=self.board_lines,
            report_of=lambda run_id: self._report(run_id, folder),
            address_of=quote,
            ago=self._ago,
            mark=Markup(MARK),
            made=self.now.isoformat(timespec="seconds"),
            version=__version__,
            **values,
        )
        return text.encode("utf-8", "replace")

    def _report(self, run_id: str, folder: Path) -> str | None:
        """The way from the folder of a page to the report of a run, if that has one."""
        report = self.state.run(run_id).report
        if not report.exists():
            return None
        return quote(Path(os.path.relpath(report.resolve(), folder.resolve())).as_posix())

    def _ago(self, moment: str) -> str:
        """How long before the page was written that was: in the largest unit that is full."""
        seconds = (self.now - datetime.fromisoformat(moment)).total_seconds()
        for name, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
            if seconds >= length:
                count = int(seconds // length)
                return f"{count} {name}{'' if count == 1 else 's'} ago"
        return "just now"


def _picture(found: Contents) -> Markup:
    from markupsafe import Markup

    anchors = {contents.task.name: f"#t{n}" for n, contents in enumerate(found.tasks, 1)}
    return Markup(drawing.svg(found.plan, link=anchors.__getitem__))


def _words(found: Contents) -> Iterator[str]:
    """What a pipeline is found by."""
    plan = found.plan
    yield from (plan.pipeline, plan.description, plan.owner, *plan.tags)
    yield from plan.connections
    for asset in (*found.reads, *found.writes):
        yield asset.name
    for task in plan.tasks:
        yield from (task.name, task.kind)


@cache
def _script() -> str:
    return (Path(__file__).parent / "templates" / "search.js").read_text(encoding="utf-8")
