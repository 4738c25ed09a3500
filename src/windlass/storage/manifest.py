"""The ledger of files: a manifest beside a file, or in a folder, that names every load.

It never forgets one: `append` depends on that, however long ago a load was. Each load is a line, so that a
manifest of a hundred thousand of them is read and written in a moment.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from windlass.errors import FatalError
from windlass.files import sync
from windlass.ledger import LedgerEntry

__all__ = ["Manifest", "prepare", "read", "write"]


@dataclass(frozen=True)
class Manifest:
    """What was loaded; for a folder, which files are windlass's; and a commit that was announced."""

    loads: tuple[LedgerEntry, ...] = ()
    files: tuple[str, ...] = ()
    pending: dict[str, Any] | None = field(default=None)
    """`file` (its identity) and `entry` of a commit that has begun."""

    def find(self, entry: LedgerEntry) -> LedgerEntry | None:
        """The entry of the same load."""
        return next((load for load in reversed(self.loads) if load.key == entry.key), None)

    def last_cursor(self, entry: LedgerEntry) -> str | None:
        """The cursor of the latest load of the same pipeline and task."""
        for load in reversed(self.loads):
            if (load.pipeline, load.task) == (entry.pipeline, entry.task) and load.cursor is not None:
                return load.cursor
        return None

    def with_load(self, entry: LedgerEntry) -> Manifest:
        """With the entry in it, in the place of an earlier one of the same load; nothing is pending any more."""
        others = tuple(entry.after(load) for load in self.loads if load.key != entry.key)
        return replace(self, loads=(*others, entry), pending=None)

    def announcing(self, identity: dict[str, int], entry: LedgerEntry) -> Manifest:
        """With a commit that is about to happen."""
        return replace(self, pending={"file": identity, "entry": asdict(entry)})


def committed_now(entry: LedgerEntry) -> LedgerEntry:
    """The entry, with the time of its commit."""
    return replace(entry, committed_at=datetime.now(UTC).isoformat())


def read(file: Path) -> Manifest:
    """The manifest, or an empty one. Raises FatalError for a file that is not one."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        loads = tuple(LedgerEntry(**load) for load in content["loads"])
        return Manifest(loads, tuple(content.get("files", ())), content.get("pending"))
    except FileNotFoundError:
        return Manifest()
    except (ValueError, KeyError, TypeError) as exc:
        hint = "remove it if you are sure that nothing has to be remembered about what it belongs to"
        raise FatalError(f"{file} is not a manifest", hint=hint) from exc


def write(file: Path, manifest: Manifest) -> None:
    """Put the manifest into its place, in one step."""
    prepare(file, manifest).replace(file)
    sync(file.parent)


def prepare(file: Path, manifest: Manifest) -> Path:
    """Write the manifest beside its place. Returns where; to rename it then needs no space."""
    beside = file.with_name(f"{file.name}.tmp")
    with beside.open("w", encoding="utf-8") as out:
        out.write(_text(manifest))
        out.flush()
        os.fsync(out.fileno())
    return beside


def _text(manifest: Manifest) -> str:
    loads = ",\n".join(json.dumps(asdict(load), ensure_ascii=False) for load in manifest.loads)
    others = {"files": manifest.files, "pending": manifest.pending}
    ends = "".join(f",\n{json.dumps(name)}: {json.dumps(value)}" for name, value in others.items() if value)
    return f'{{"loads": [\n{loads}\n]{ends}}}\n'
