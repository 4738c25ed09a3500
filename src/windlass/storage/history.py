"""The loads of a file that are long past. They are in a folder beside it, spread over a number of manifests by a hash of
what a load is known by: to find one, or to know that there is none, takes the reading of one of them.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from windlass.ledger import LedgerEntry
from windlass.storage import manifest

__all__ = ["History"]

_SPREAD = 64


@dataclass(frozen=True)
class History:
    """The loads that the manifest of a file has no more. `folder` is there once there are any."""

    folder: Path

    def find(self, entry: LedgerEntry) -> LedgerEntry | None:
        """The entry of the same load."""
        return manifest.read(self._file(entry)).find(entry)

    def add(self, loads: Iterable[LedgerEntry]) -> None:
        """Keep these, too, in the place of earlier ones of the same loads."""
        self.folder.mkdir(exist_ok=True)
        spread = defaultdict(list)
        for load in loads:
            spread[self._file(load)].append(load)
        for file, those in spread.items():
            known = manifest.read(file)
            for load in those:
                known = known.with_load(load)
            manifest.write(file, known)

    def _file(self, entry: LedgerEntry) -> Path:
        digest = hashlib.sha256(json.dumps(entry.key).encode()).digest()
        return self.folder / f"{digest[0] % _SPREAD:02}.json"
