"""What became of a copy whose process was killed: the ledger knows.

Nothing is loaded here. The starts of the load that may have committed are given by their ids, so an entry
that an earlier run of the same run key left is not mistaken for theirs; only `append` takes any entry of the
run key for its own, because with such an entry it has nothing left to do.
"""

from __future__ import annotations

from collections.abc import Sequence

from windlass import logs
from windlass.connectors.rows import Counts
from windlass.engine.cleaning import closing
from windlass.engine.ends import open_destination, open_source
from windlass.engine.inputs import Input
from windlass.engine.job import Job, Outcome
from windlass.engine.ledger import identified
from windlass.errors import RetryableError
from windlass.temporary import remove_leftovers

__all__ = ["settle"]


def settle(job: Job, loads: Sequence[str]) -> Outcome:
    """The result of a copy that one of these starts committed. Raises RetryableError when none did."""
    remove_leftovers(job.scratch_folder)
    with closing(open_destination(job)) as destination:
        earlier = destination.settle(identified(job), loads)
    if earlier is not None and earlier.load_id not in loads:
        if job.copy.destination.mode == "append" and not job.force:
            with closing(open_source(job)) as source, Input(job, source) as given:
                given.require_same(earlier)
        else:
            earlier = None
    logs.info("load_settled", committed=earlier is not None)
    if earlier is None:
        raise RetryableError("nothing was committed")
    counts = Counts(earlier.rows_read, earlier.rows_written, earlier.rows_quarantined)
    return Outcome("already-loaded", counts, skipped=True)
