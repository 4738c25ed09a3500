"""The ledger: how a load is recognised when it is started a second time.

Each destination keeps its own (`_windlass_loads` in a database, a manifest beside files) and writes
it in the same transaction as the data. Here is only what they have in common.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

from windlass import __version__
from windlass.connectors.rows import Counts
from windlass.connectors.source import Part, Source
from windlass.engine.job import Job
from windlass.errors import Code, FatalError, UsageError
from windlass.ledger import LedgerEntry

__all__ = ["check_same_input", "identified", "new_entry", "part_from_json", "part_to_json", "with_counts"]


def identified(job: Job) -> LedgerEntry:
    """An entry with only what its load is known by."""
    identity = job.identity
    return LedgerEntry(
        pipeline=identity.pipeline,
        task=identity.task,
        run_key=identity.run_key,
        part=identity.part,
        version=__version__,
        load_id=identity.load_id,
    )


def new_entry(job: Job, source: Source) -> LedgerEntry:
    """The entry that this load would write, but for what only its end can tell."""
    return replace(identified(job), digest=_digest(job, source))


def with_counts(entry: LedgerEntry, counts: Counts, mark: str | None) -> LedgerEntry:
    """The entry as it will be committed. Raises FatalError when rows are missing: nothing may be lost."""
    if counts.read != counts.written + counts.quarantined:
        raise FatalError(
            f"rows are missing: read {counts.read}, written {counts.written}, "
            f"quarantined {counts.quarantined}; nothing was committed",
            hint="this is a defect of windlass: please report it with the log of this task",
        )
    return replace(
        entry,
        rows_read=counts.read,
        rows_written=counts.written,
        rows_quarantined=counts.quarantined,
        cursor=mark,
    )


def check_same_input(earlier: LedgerEntry, entry: LedgerEntry) -> None:
    """Raise FatalError when a load of the same run key was committed from another input."""
    if earlier.digest != entry.digest:
        raise FatalError(
            f"run key {entry.run_key!r} was already loaded from another input ({earlier.rows_written} rows, "
            f"{earlier.committed_at}), and loading this one too would append a second time",
            hint="start a new run; or, if both belong there, load it all the same with --force",
            code=Code.LOADED_FROM_OTHER_INPUT,
        )


def part_to_json(part: Part) -> dict[str, str | None]:
    """What a part is, as schedulers hand it on and the ledger keeps it."""
    return {"part": part.name, "by": part.by, "from": part.low, "to": part.high}


def part_from_json(text: str) -> Part:
    """The part that `part_to_json` wrote. Raises UsageError."""
    try:
        value = json.loads(text)
        name, by, low, high = (value[key] for key in ("part", "by", "from", "to"))
    except (ValueError, TypeError, KeyError):
        name = by = low = high = None
    is_bound = all(bound is None or isinstance(bound, str) for bound in (low, high))
    if not (isinstance(name, str) and isinstance(by, str) and is_bound):
        raise UsageError("this is not a part: expected one of those that --parts lists, as JSON")
    return Part(name, by, low, high)


def _digest(job: Job, source: Source) -> str:
    """What identifies the input: where it is read from, and what is taken of it."""
    copy = job.copy
    what: dict[str, object] = {
        "source": job.input or source.fingerprint(),
        "select": [(column.name, column.source, column.type) for column in copy.select],
        "cursor": copy.incremental.cursor if copy.incremental else None,
    }
    if job.part is not None and job.part.name:
        what["part"] = part_to_json(job.part)
    return hashlib.sha256(json.dumps(what, sort_keys=True, default=str).encode()).hexdigest()[:32]
