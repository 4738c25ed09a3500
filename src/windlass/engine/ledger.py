"""The ledger: how a load is recognised when it is started a second time.

Each destination keeps its own (`_windlass_loads` in a database, a manifest beside files) and writes
it in the same transaction as the data. Here is only what they have in common.
"""

from __future__ import annotations

import json
from dataclasses import replace

from windlass import __version__
from windlass.connectors.rows import Counts
from windlass.connectors.source import Part
from windlass.engine.job import Job
from windlass.errors import FatalError, UsageError
from windlass.ledger import LedgerEntry

__all__ = ["identified", "part_from_json", "part_to_json", "with_counts"]


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
