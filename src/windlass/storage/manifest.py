"""The ledger of files: a manifest beside a file, or in a folder, that names every load.

None is ever forgotten: `append` depends on that, however long ago a load was. Beside a file, those that are long past
are in a folder (`history.py`), so that the manifest stays short. Each load is a line.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_type_hints

import msgspec

from windlass.errors import FatalError, naming
from windlass.files import sync
from windlass.ledger import LedgerEntry

__all__ = ["Manifest", "prepared", "read", "write"]


_MANY, _RECENT = 400, 200


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

    def past(self) -> tuple[LedgerEntry, ...]:
        """The oldest loads, once there are many, but for those that say how far their task came last."""
        if len(self.loads) <= _MANY:
            return ()
        latest = {(load.pipeline, load.task): load for load in self.loads if load.cursor is not None}
        return tuple(load for load in self.loads[:-_RECENT] if load not in latest.values())

    def without(self, loads: Collection[LedgerEntry]) -> Manifest:
        """Without these entries."""
        gone = {load.key for load in loads}
        return replace(self, loads=tuple(load for load in self.loads if load.key not in gone))

    def announcing(self, identity: dict[str, int], entry: LedgerEntry) -> Manifest:
        """With a commit that is about to happen."""
        return replace(self, pending={"file": identity, "entry": asdict(entry)})


_TYPES = get_type_hints(Manifest)


def committed_now(entry: LedgerEntry) -> LedgerEntry:
    """The entry, with the time of its commit."""
    return replace(entry, committed_at=datetime.now(UTC).isoformat())


def read(file: Path) -> Manifest:
    """The manifest, or an empty one. Raises FatalError for a file that is not one."""
    try:
        content = msgspec.json.decode(file.read_bytes(), type=dict[str, msgspec.Raw])
        return Manifest(
            **{name: _decoded(name, content[name]) for name in {"loads", *content} & _TYPES.keys()}
        )
    except FileNotFoundError:
        return Manifest()
    except (msgspec.DecodeError, KeyError) as exc:
        hint = "remove it if you are sure that nothing has to be remembered about what it belongs to"
        raise FatalError(f"{file} is not a manifest", hint=hint) from exc


def _decoded(name: str, value: msgspec.Raw) -> Any:
    return msgspec.json.decode(value, type=_TYPES[name])


def write(file: Path, manifest: Manifest) -> None:
    """Put the manifest into its place, in one step."""
    with prepared(file, manifest) as beside:
        beside.replace(file)
    sync(file.parent)


@contextmanager
def prepared(file: Path, manifest: Manifest, ending: str = ".tmp") -> Iterator[Path]:
    """The manifest, written beside its place: to rename it then needs no space. If that does not happen, it goes."""
    beside = file.with_name(f"{file.name}{ending}")
    try:
        with naming(beside), beside.open("wb") as out:
            out.write(_text(manifest))
            out.flush()
            os.fsync(out.fileno())
        yield beside
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _text(manifest: Manifest) -> bytes:
    encode = msgspec.json.encode
    loads = b",\n".join(map(encode, manifest.loads))
    others = {"files": manifest.files, "pending": manifest.pending}
    ends = b"".join(b",\n%b: %b" % (encode(name), encode(value)) for name, value in others.items() if value)
    return b'{"loads": [\n%b\n]%b}\n' % (loads, ends)
