"""One copy from beginning to end.

    open both ends → was this load committed before? → pick the path → move the rows
    → read = written + quarantined? → bad rows on disk → commit, ledger included

A connector may know a shorter path between its own kind of ends (Postgres hands its binary COPY
stream through untouched). Every other pair meets in the scratch database.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from datetime import datetime

from windlass import logs
from windlass.connectors.protocol import Counts, Destination, Source
from windlass.connectors.scratch import Scratch
from windlass.engine.ends import open_destination, open_source
from windlass.engine.job import CopyResult, Job
from windlass.engine.ledger import new_entry, refuse_other_input, with_counts
from windlass.engine.outputs import outputs_of
from windlass.engine.overlap import refuse_overlap
from windlass.engine.quarantine import Quarantine
from windlass.engine.rows import RowStream
from windlass.engine.splitting import refuse_other_split, take_part
from windlass.errors import FatalError, RetryableError, WindlassError
from windlass.ledger import LedgerEntry
from windlass.temporary import TemporaryFolder, remove_leftovers

__all__ = ["copy"]


def copy(job: Job) -> CopyResult:
    """Do the copy. Raises WindlassError; then nothing was committed, and nothing is left behind."""
    remove_leftovers(job.scratch_folder)
    with closing(open_source(job)) as source, closing(open_destination(job)) as destination:
        refuse_overlap(job, source, destination)
        entry = new_entry(job, source)
        try:
            earlier = destination.begin(entry)
            if job.copy.destination.mode == "append" and not job.force:
                if earlier is not None:
                    refuse_other_input(earlier, entry)
                    return _already_done(earlier)
                refuse_other_split(job, destination, entry)
            return _load(job, source, destination, entry)
        except RetryableError as exc:
            raise destination.explain(exc) from exc


def _load(job: Job, source: Source, destination: Destination, entry: LedgerEntry) -> CopyResult:
    shortcut = destination.shortcut(source, job.copy)
    with _quarantine(job) as quarantine, _scratch(job, needed=shortcut is None) as scratch:
        _restrict(job, source, destination, entry, scratch)
        if scratch is None:
            assert shortcut is not None
            result = CopyResult(shortcut.name, Counts())
            shortcut.run(result.counts, quarantine, job.meter)
        else:
            result = _through_scratch(job, source, destination, quarantine, scratch)
        file = quarantine.finish(source, result.counts.read)
        result.quarantine, result.bad_rows = str(file) if file else None, quarantine.first
        if file is not None and job.deliver is not None:
            job.deliver(file)
        result.counts.quarantined = quarantine.count
        source.close()  # it may hold locks on the very table that is replaced
        destination.commit(with_counts(entry, result.counts, source.cursor))
    return result


def _scratch(job: Job, *, needed: bool) -> AbstractContextManager[Scratch | None]:
    return Scratch(job.memory, job.scratch_folder) if needed else nullcontext()


def _already_done(earlier: LedgerEntry) -> CopyResult:
    logs.info("already_loaded", run_key=earlier.run_key, committed_at=earlier.committed_at)
    counts = Counts(earlier.rows_read, earlier.rows_written, earlier.rows_quarantined)
    return CopyResult("already-loaded", counts, skipped=True)


def _restrict(
    job: Job, source: Source, destination: Destination, entry: LedgerEntry, scratch: Scratch | None
) -> None:
    """Keep of the source only what this load is about."""
    take_part(job, source)
    if job.copy.destination.mode == "delete_insert" and source.filters_interval:
        source.slice(str(job.copy.destination.interval), _interval(job))
    if job.copy.cursor is not None:
        source.advance(job.copy.cursor, destination.last_cursor(entry), scratch)


def _interval(job: Job) -> tuple[datetime, datetime]:
    if job.interval is None or job.interval[0] >= job.interval[1]:
        raise FatalError(
            "`mode: delete_insert` needs a data interval, and this run has none",
            hint="give the pipeline a schedule, and run it with --logical-date",
        )
    return job.interval


def _through_scratch(
    job: Job, source: Source, destination: Destination, quarantine: Quarantine, scratch: Scratch
) -> CopyResult:
    """Move the rows; once more from the beginning when the source knows a way past an error."""
    while True:
        try:
            return _moved(job, source, destination, quarantine, scratch)
        except WindlassError as exc:
            if not source.recover(exc, scratch):
                raise
            logs.info("reading_again", because=exc.message)
            quarantine.discard()
            destination.restart()


def _moved(
    job: Job, source: Source, destination: Destination, quarantine: Quarantine, scratch: Scratch
) -> CopyResult:
    result = CopyResult("", Counts())
    sliced_here = job.copy.destination.mode == "delete_insert" and not source.filters_interval
    rows = RowStream(
        source,
        scratch,
        outputs_of(job.copy, source, destination, scratch),
        quarantine,
        result.counts,
        forbids_nul=destination.forbids_nul,
        json_schema=job.copy.validate.json_schema,
        interval=(str(job.copy.destination.interval), _interval(job)) if sliced_here else None,
    )
    if not _written_as_query(job, rows, source, destination, result, scratch):
        result.path = destination.path(query=False)
        destination.write(rows, result.counts, scratch, job.meter)
    rejected = source.rejected(scratch)
    quarantine.add(rejected, source)
    result.counts.read += len(rejected)
    return result


def _written_as_query(
    job: Job, rows: RowStream, source: Source, destination: Destination, result: CopyResult, scratch: Scratch
) -> bool:
    """Try the fast way that ends at the first bad row; then the other one starts from the beginning."""
    query = rows.query() if destination.takes_queries and source.rereadable else None
    if query is None:
        return False
    result.path = destination.path(query=True)
    try:
        destination.write_query(query, rows.columns, result.counts, scratch, job.meter)
    except WindlassError as exc:
        if not rows.found_bad_row(exc):
            raise
        destination.restart()
        result.counts.reset()
        return False
    return True


@contextmanager
def _quarantine(job: Job) -> Iterator[Quarantine]:
    """The quarantine of this copy; what was set aside is thrown away when the copy fails."""
    with TemporaryFolder(job.scratch_folder) as folder:
        quarantine = Quarantine(
            job.quarantine_file or folder / "quarantine.ndjson",
            job.identity,
            folder,
            fail=job.copy.on_bad_row == "fail",
            limit=job.copy.max_bad_rows,
        )
        try:
            yield quarantine
        except BaseException:
            quarantine.discard()
            raise
