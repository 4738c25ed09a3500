"""One dev service: what it is asked to be, and where it keeps its things."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

__all__ = ["MESSAGES", "DevService"]

MESSAGES = "messages.jsonl"
"""The file, in the folder of a dev service, of what it was told: a line of JSON for each message."""


@dataclass(frozen=True)
class DevService:
    """What a dev service is asked to be: its connection, its folder, and the project that it serves."""

    name: str
    type: str
    options: Any
    """What `dev:` says, as the connector's own model has it."""

    folder: Path
    project: Path

    @property
    def users_lock(self) -> Path:
        """Held, shared, by every process that uses the service."""
        return self.folder / "users.lock"

    @property
    def alive_lock(self) -> Path:
        """Held by the server's launcher."""
        return self.folder / "alive.lock"

    @property
    def log(self) -> Path:
        """What the server prints, if it prints anything."""
        return self.folder / "server.log"

    def private_log(self) -> IO[bytes]:
        """The log, empty, for a server to write into. Nobody else may read it: it quotes rows."""
        self.log.unlink(missing_ok=True)
        return os.fdopen(os.open(self.log, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "wb")
