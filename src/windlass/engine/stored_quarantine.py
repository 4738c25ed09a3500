"""The quarantine in a store: an object of NDJSON, in which several copies may have their rows, as in a file."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from windlass.connectors.stores.where import Where, store_at, stored_path
from windlass.engine.job import Identity, Job
from windlass.engine.quarantine import add_others, is_quarantine
from windlass.errors import FatalError
from windlass.ledger import LedgerEntry
from windlass.temporary import TemporaryFolder
from windlass.workspace import is_stored

__all__ = ["put_stored_quarantine", "quarantine_object"]


def quarantine_object(job: Job) -> Where | None:
    """The object that the bad rows of a copy go to; None where it is a file, or a table."""
    to = job.copy.quarantine
    if to is None or to.path is None:
        return None
    if to.connection is not None:
        return store_at(job.addresses[to.connection], to.connection, to.path)
    return stored_path(to.path) if is_stored(to.path) else None


def put_stored_quarantine(
    finished: Path,
    where: Where,
    identity: Identity,
    is_ours: Callable[[dict[str, object]], bool],
    scratch: Path | None,
) -> None:
    """Put finished rows into an object, in the place of those that are ours, while no other copy does.

    Raises FatalError where something else is.
    """
    whose = LedgerEntry(
        identity.pipeline,
        f"{identity.task}.quarantine",
        identity.run_key,
        identity.part,
        load_id=str(uuid.uuid4()),
    )
    from windlass.connectors.stores.fetching import fetch
    from windlass.storage.objects import place_in

    place = place_in(where.store, where.key, adding=True, scratch=scratch)
    with place.begin(whose) as staged, TemporaryFolder(scratch) as folder:
        before = folder / "before.ndjson"
        if (found := where.store.look(where.key)) is not None:
            fetch(where.store, [(found, before)])
            _require_quarantine(before, where)
            add_others(finished, before, is_ours)
        finished.replace(staged.path)
        with staged.path.open("rb") as rows:
            lines = sum(1 for _ in rows)
        staged.commit(replace(whose, rows_written=lines))


def _require_quarantine(file: Path, where: Where) -> None:
    if file.stat().st_size and not is_quarantine(file):
        hint = "name another object for the rows in quarantine"
        raise FatalError(f"{where.name} is there already, and is not a quarantine file", hint=hint)
