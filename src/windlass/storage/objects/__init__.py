"""Objects of a store, such as S3, as a place for files.

store.py     what a store has to do; each is a module of its connector
ledger.py    what was loaded, and who is at it: an object that is written only over the one that was read
turns.py     whose turn it is
parts.py     a file in parts
past.py      what the ledger has no more itself, so that it stays short
places.py    what the two have in common:
one.py       a single object
prefix.py    the objects below a prefix
"""

from __future__ import annotations

from pathlib import Path

from windlass.storage import Place
from windlass.storage.objects.store import LOAD, ChangedError, HasFolders, Object, Store, Upload

__all__ = ["LOAD", "ChangedError", "HasFolders", "Object", "Store", "Upload", "place_in"]


def place_in(
    store: Store, key: str, *, adding: bool, alone: bool = True, scratch: Path | None = None
) -> Place:
    """The place for an object, or where the key ends in a slash for those below it. `adding`: what is there stays;
    not `alone`: others may add at the same time.

    What is written waits in a folder below `scratch`.
    """
    if key.endswith("/") or not key:
        from windlass.storage.objects.prefix import Prefix

        return Prefix(store, key, adding=adding, alone=alone, scratch=scratch)
    from windlass.storage.objects.one import OneObject

    return OneObject(store, key, scratch)
