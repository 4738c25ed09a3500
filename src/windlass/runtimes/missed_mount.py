"""Tells a step that asks, as a process, for the folder where a container has the workspace."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from windlass.errors import Code

__all__ = ["MissedMount"]

_KEPT = 50  # lines: a traceback and what was said after it
_NO_SUCH = re.compile(
    r"no such file|ENOENT|nonexistent|not found|cannot find|does not exist|permission denied|EACCES|read-only",
    re.IGNORECASE,
)


class MissedMount:
    """Listens to a step, and says in the end whether that was what went wrong."""

    def __init__(self, mount: str, workspace: Path) -> None:
        self._mount, self._workspace = mount, workspace
        self._named = re.compile(rf"(?<![\w./-]){re.escape(mount)}(?![\w-])")
        self._last: deque[str] = deque(maxlen=_KEPT)

    def hear(self, lines: Sequence[str]) -> None:
        self._last.extend(lines[-_KEPT:])

    def failure(self, code: int) -> dict[str, object] | None:
        """The failure to be told instead of a bare exit code."""
        if code == 0 or Path(self._mount).exists():
            return None
        if not any(self._named.search(line) and _NO_SUCH.search(line) for line in self._last):
            return None
        error = (
            f"it asked for {self._mount}, which only a container has: as a process it finds the workspace, "
            f"{self._workspace}, in WINDLASS_WORKSPACE"
        )
        return {"event": "failed", "level": "error", "error": error, "code": Code.COMMAND_FAILED}
