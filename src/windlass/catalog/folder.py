"""The pages as files. A folder may have others' files in it: none of those is ever overwritten or removed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from windlass.errors import UsageError
from windlass.files import disk_errors, write_whole

__all__ = ["MARK", "PIPELINES", "Folder"]

PIPELINES = "pipelines"
"""The folder in it that has a page for each of them."""

MARK = '<meta name="generator" content="windlass docs">'
"""By which a page is known as one of ours."""

_LOOKED_AT = 2048


@dataclass(frozen=True)
class Folder:
    """Where the pages are."""

    path: Path

    def write(self, pages: Mapping[str, bytes]) -> None:
        """Put each page into its place in one step, and remove those of ours that are not among them.

        Raises UsageError, before anything is written, for a file in the way.
        """
        self._require_ours(pages)
        with disk_errors(self.path):
            for folder in {(self.path / name).parent for name in pages}:
                folder.mkdir(parents=True, exist_ok=True)
        for name, page in pages.items():
            file = self.path / name
            with disk_errors(file):
                write_whole(file, page, durable=False)  # there is always another one to be had
        self._remove_others(pages)

    def _require_ours(self, pages: Mapping[str, bytes]) -> None:
        for name in pages:
            file = self.path / name
            if file.exists() and not _is_ours(file):
                message = f"{file} is not a page that `windlass docs` wrote"
                raise UsageError(message, hint="name another folder with --out, or move the file away")

    def _remove_others(self, pages: Mapping[str, bytes]) -> None:
        for file in (self.path / PIPELINES).glob("*.html"):
            if f"{PIPELINES}/{file.name}" not in pages and _is_ours(file):
                with disk_errors(file, "remove"):
                    file.unlink()


def _is_ours(file: Path) -> bool:
    if not file.is_file():
        return False
    with disk_errors(file, "read"), file.open("rb") as content:
        return MARK.encode() in content.read(_LOOKED_AT)
