"""One copy from beginning to end.

    open both ends → was this load committed before? → pick the path → move the rows
    → read = written + quarantined? → bad rows on disk → commit, ledger included

A connector may know a shorter path between its own kind of ends (Postgres hands its binary COPY
stream through untouched). Every other pair meets in the scratch database.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from windlass import logs
from windlass.connectors.destination import (
    Destination,
    Load,
    QueryLoad,
    SendingLoad,
    Shortcut,
    ShortcutRefusedError,
)
from windlass.connectors.rows import Counts
from windlass.connectors.scratch import Scratch
from windlass.connectors.source import Reading, Relation, Source
from windlass.engine.changes import ColumnChanges, changes_of
from windlass.engine.cleaning import close, closing, leaving
from windlass.engine.ends import open_destination, open_source, shortcut_between
from windlass.engine.inputs import Input
from windlass.engine.job import Job, Outcome
from windlass.engine.ledger import with_counts
from windlass.engine.limiting import FirstRows
from windlass.engine.outputs import outputs_of
from windlass.engine.overlap import check_no_overlap
from windlass.engine.quarantine import Quarantine
from windlass.engine.reading import check_incremental, check_mode, interval_left, reading_of
from windlass.engine.rows import RowStream
from windlass.engine.splitting import check_same_split
from windlass.errors import RetryableError, WindlassError
from windlass.ledger import LedgerEntry
from windlass.stopping import ended_soon
from windlass.temporary import TemporaryFolder, remove_leftovers

__all__ = ["copy"]


def copy(job: Job, given_source: Source | None = None) -> Outcome:
    """Do the copy, from the source of the job if none is given. Raises WindlassError; then nothing was committed, unless it
    says that this is not known.
    """
    remove_leftovers(job.scratch_folder)
    with (
        ended_soon(),
        closing(given_source or open_source(job)) as source,
        closing(open_destination(job)) as destination,
        Input(job, source) as given,
    ):
        check_no_overlap(job, source, destination)
        check_mode(job, destination)
        entry = given.entry()
        try:
            with leaving(destination.begin(entry)) as load:
                if job.copy.destination.mode == "append" and not job.force:
                    if load.earlier is not None:
                        given.require_same(load.earlier)
                        return _already_done(load.earlier)
                    check_same_split(job, load, entry)
                return _loaded(job, source, destination, load, given)
        except RetryableError as exc:
            raise destination.explain(exc) from exc


def _already_done(earlier: LedgerEntry) -> Outcome:
    logs.info("already_loaded", run_key=earlier.run_key, committed_at=earlier.committed_at)
    counts = Counts(earlier.rows_read, earlier.rows_written, earlier.rows_quarantined)
    return Outcome("already-loaded", counts, skipped=True)


def _loaded(job: Job, source: Source, destination: Destination, load: Load, given: Input) -> Outcome:
    reading = reading_of(job, load)
    with _quarantine(job) as quarantine, ExitStack() as opened:
        names = (source.name, *(Path(place).name for place in source.occupied()))
        quarantine.sources = frozenset(map(logs.mask, names))
        shortcut = shortcut_between(job, source, load, reading) if job.limit is None else None
        given.begin(reads_here=shortcut is None or shortcut.reads_here)
        result = None
        if job.spread is not None:
            result = job.spread(job, source, load, quarantine)
        elif shortcut is not None:
            result = _by_shortcut(job, shortcut, load, given, quarantine)
        if result is None:
            scratch = opened.enter_context(leaving(Scratch(job.memory, job.scratch_folder, job.threads)))
            result = _through_scratch(job, source, destination, load, reading, quarantine, scratch)
        _finish(job, quarantine, result)
        entry = replace(given.entry(), digest=given.digest())
        close(source)  # it may hold locks on the very table that is replaced
        load.commit(with_counts(entry, result.counts, result.mark))
    result.changes.log()
    return result


def _by_shortcut(
    job: Job, shortcut: Shortcut, load: Load, given: Input, quarantine: Quarantine
) -> Outcome | None:
    """Move the rows the short way; None where it cannot be taken after all."""
    result = Outcome(shortcut.way, Counts())
    try:
        shortcut.run(result.counts, quarantine, job.meter)
    except ShortcutRefusedError as exc:
        logs.info("shortcut_refused", way=shortcut.way, because=exc.message)
        quarantine.discard()
        load.restart()
        given.begin()
        return None
    result.mark = shortcut.mark
    result.changes = ColumnChanges(missing=shortcut.missing)
    return result


def _finish(job: Job, quarantine: Quarantine, result: Outcome) -> None:
    """Put the bad rows where they wait, before anything is committed."""
    file = quarantine.finish(result.counts.read)
    result.quarantine, result.bad_rows = str(file) if file else None, quarantine.first
    if file is not None and job.deliver is not None:
        job.deliver(file, quarantine.is_ours)
    result.counts.quarantined = quarantine.count


def _through_scratch(
    job: Job,
    source: Source,
    destination: Destination,
    load: Load,
    reading: Reading,
    quarantine: Quarantine,
    scratch: Scratch,
) -> Outcome:
    """Move the rows; once more from the beginning when the relation knows a way past an error."""
    grows = job.copy.on_new_column == "add" or job.copy.on_type_change == "widen"
    reading = replace(reading, target=load.columns(scratch), grows=grows, restarts=True)
    relation: Relation | None = source.open(reading, scratch)
    if job.limit is not None and relation is not None:
        relation = FirstRows(relation, job.limit)
    while relation is not None:
        quarantine.locate = relation.locate
        try:
            return _moved(job, relation, destination, load, reading, quarantine, scratch)
        except WindlassError as exc:
            relation = relation.recover(exc)
            if relation is None:
                raise
            logs.info("reading_again", because=exc.message)
            quarantine.discard()
            load.restart()
    raise AssertionError("a relation recovers to one, or its error is raised")


def _moved(
    job: Job,
    relation: Relation,
    destination: Destination,
    load: Load,
    reading: Reading,
    quarantine: Quarantine,
    scratch: Scratch,
) -> Outcome:
    check_incremental(relation, reading)
    result = Outcome(destination.traits.way, Counts())
    before = load.columns(scratch)
    outputs = outputs_of(job.copy, relation, load, scratch)
    result.changes = changes_of(before, outputs)
    rows = RowStream(
        relation,
        scratch,
        outputs,
        quarantine,
        result.counts,
        forbids_nul=not destination.traits.stores_nul,
        json_schema=job.copy.validate.json_schema,
        interval=interval_left(job, relation, reading, [output.target for output in outputs]),
    )
    result.mark = relation.mark
    if not _written_as_query(job, rows, relation, destination, load, result, scratch):
        load.write(rows, result.counts, scratch, job.meter)
    rejected = relation.rejected()
    quarantine.add(rejected)
    result.counts.read += len(rejected)
    if isinstance(load, SendingLoad):
        quarantine.require_few(result.counts.read)
        load.send(result.counts, rows.refuse)
    return result


def _written_as_query(
    job: Job,
    rows: RowStream,
    relation: Relation,
    destination: Destination,
    load: Load,
    result: Outcome,
    scratch: Scratch,
) -> bool:
    """Try the fast way that ends at the first bad row; then the other one starts from the beginning."""
    way = destination.traits.query_way if job.copy.destination.mode != "merge" else None
    query = rows.query() if way is not None and relation.rereadable else None
    if query is None or way is None or not isinstance(load, QueryLoad):
        return False
    try:
        load.write_query(query, rows.columns, result.counts, scratch, job.meter)
    except WindlassError as exc:
        if not rows.found_bad_row(exc):
            raise
        load.restart()
        result.counts.reset()
        return False
    result.path = way
    return True


@contextmanager
def _quarantine(job: Job) -> Iterator[Quarantine]:
    """The quarantine of this copy; what is in it is thrown away when the copy fails."""
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
