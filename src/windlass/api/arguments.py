"""Arguments that several functions have. A message has the name of an argument in backticks: the command line shows
it as the option that it is.
"""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

from windlass.connections import hide_secrets
from windlass.errors import UsageError
from windlass.project_folder import find_project
from windlass.units import parse_size

__all__ = ["date_text", "memory_text", "project_of"]


def memory_text(memory: str | int | None) -> str | None:
    """A size such as `512MB`, or bytes, as text. Raises UsageError for what is neither."""
    if memory is None:
        return None
    text = f"{memory}B" if isinstance(memory, int) else memory
    try:
        parse_size(text)
    except ValueError as exc:
        raise UsageError(f"`memory` {memory!r}: expected a size such as 512MB or 2GB") from exc
    return text


def date_text(logical_date: date | str | None) -> str | None:
    """A date, or date and time, as text in ISO 8601."""
    return logical_date.isoformat() if isinstance(logical_date, date) else logical_date


def project_of(project: str | Path) -> Path:
    """The folder of the project that this folder is in, its secrets masked from now on. Raises UsageError when there
    is none.
    """
    folder = Path(project)
    if not folder.is_dir():
        raise UsageError(f"there is no folder {str(project)!r}")
    found = find_project(folder.resolve())
    hide_secrets(os.environ, found)
    return found
