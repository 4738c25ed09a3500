"""Lock files of installers that windlass does not call: where there is no other, what they say is not what is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

__all__ = ["Language", "UnreadLock", "unread_lock"]

Language = Literal["node", "python"]

_OTHERS = {
    "node": ("yarn.lock", "pnpm-lock.yaml", "bun.lock", "bun.lockb"),
    "python": ("poetry.lock", "pdm.lock", "Pipfile.lock", "pylock.toml"),
}
_READ = {
    "node": ("npm-shrinkwrap.json", "package-lock.json"),
    "python": ("requirements.txt", "uv.lock"),
}
_HINTS = {
    "node": "npm install --package-lock-only makes a package-lock.json",
    "python": "uv lock makes a uv.lock; a requirements.txt with exact versions does as well",
}


class UnreadLock(NamedTuple):
    """A lock file that is not read, and what to do."""

    name: str
    hint: str


def unread_lock(folder: Path, language: Language) -> UnreadLock | None:
    """The lock file of the folder that nothing here reads; None where there is none, or also one that is read."""
    if any((folder / name).exists() for name in _READ[language]):
        return None
    found = next((name for name in _OTHERS[language] if (folder / name).exists()), None)
    return None if found is None else UnreadLock(found, _HINTS[language])
