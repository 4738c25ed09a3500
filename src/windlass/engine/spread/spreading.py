"""The copy as a whole: hands its pieces to the machines of an engine, adds up, and takes what they have written.

Each try of a piece writes into a folder of its own, or begins uploads of its own. What is taken is that of the tries which the
engine has told of; nobody sees any of it before the load commits.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

import msgspec
from msgspec import structs

from windlass import __version__, failpoints, logs, registry
from windlass.connections import Address
from windlass.connectors.destination import FolderLoad, Load, Quarantine
from windlass.connectors.files.options import Source as FileOptions
from windlass.connectors.files.reading.csv_header import Dialect
from windlass.connectors.rows import BadRow, BadRowError, Counts, Reason
from windlass.connectors.source import Source
from windlass.connectors.stores.where import StoredPath
from windlass.connectors.workers import Workers
from windlass.engine.cleaning import closing
from windlass.engine.job import Job, Outcome
from windlass.engine.quarantine import read_quarantine
from windlass.engine.spread.cutting import pieces_of
from windlass.engine.spread.desk import Desk, desk_of
from windlass.engine.spread.given_files import GivenFiles, given_files
from windlass.engine.spread.pieces import ORDER, Failed, Order, Part, Piece, Result, note_of
from windlass.engine.spread.worker import copy_piece
from windlass.errors import Code, FatalError, RetryableError, WindlassError
from windlass.options import read_options
from windlass.plan.model import Copy, Destination
from windlass.plan.model import Source as PlanSource
from windlass.plan.spreading import why_not_spread
from windlass.temporary import TemporaryFolder
from windlass.workspace import is_stored

__all__ = ["spread"]


def spread(engine: Address, job: Job, source: Source, load: Load, quarantine: Quarantine) -> Outcome:
    """Move the rows, by the machines of the engine. What was written is the load's when this returns."""
    assert isinstance(load, FolderLoad)  # what else there is, was refused
    outcome = Outcome(engine.type, Counts())
    with ExitStack() as undo:
        files = given_files(source, _stored(job, job.copy.source), undo)
        _require_fit(job, files)
        workers = undo.enter_context(closing(_workers(job, engine)))
        desk = desk_of(load, _stored(job, job.copy.destination), job.identity.load_id)
        order = _order(job, files)
        wanted = read_options(FileOptions, order.copy.source.options)
        parts = _write_down(desk, order, pieces_of(files, wanted, workers, desk))
        logs.info("spread", engine=engine.type, files=sum(1 for _ in files), pieces=len(parts))
        told = workers.each(partial(copy_piece, desk, files.place), len(parts))
        results = list(_results(job, desk, parts, told, quarantine, outcome.counts))
        _require_alike(files, results)
    outcome.counts.bytes = desk.take(load, results)
    logs.info("spread_done", machines=len({result.machine for result in results}))
    return outcome


def _stored(job: Job, end: PlanSource | Destination) -> StoredPath | None:
    """What an end says of a place in a store; None for files."""
    path = str(end.options["path"])
    if end.connection is not None:
        return StoredPath(path, end.connection, job.addresses[end.connection])
    return StoredPath(path) if is_stored(path) else None


def _require_fit(job: Job, files: GivenFiles) -> None:
    """Raise FatalError where the files are of a format that an engine does not read."""
    refused = why_not_spread(job.copy, files.format)
    if refused is not None:
        raise FatalError(refused.message, hint=refused.hint, code=Code.KEYS_DO_NOT_FIT)


def _workers(job: Job, engine: Address) -> Workers:
    identity = job.identity
    to = _stored(job, job.copy.destination)  # others may have a pipeline of that name
    place = to.where().name if to is not None else job.workspace.to_write(str(job.copy.destination.path))
    name = json.dumps([str(place), identity.pipeline, identity.task, identity.run_key, identity.part])
    workers: Workers = registry.load(str(registry.require(engine.type).engine))(engine, name)
    return workers


def _order(job: Job, files: GivenFiles) -> Order:
    """What all pieces have in common: of CSV, also what the first file shows of how all are written."""
    identity = job.identity
    return Order(
        version=__version__,
        copy=_said_out(job.copy, files),
        identity={
            **{name: getattr(identity, name) for name in ("pipeline", "task", "run_id", "run_key")},
        },
        memory=job.memory,
        is_only_one=files.is_one,
    )


def _said_out(copy: Copy, files: GivenFiles) -> Copy:
    """The copy with what follows from the names of its ends, and from the first file, written out."""
    options: dict[str, Any] = {**copy.source.options, "format": files.format, "path": files.written}
    if files.format == "csv":
        dialect = Dialect.of(files.beginning(next(iter(files))), read_options(FileOptions, options).csv)
        said = {"delimiter": dialect.delimiter, "encoding": dialect.encoding}
        options["csv"] = {**options.get("csv", {}), **said}
    to = copy.destination
    if ".tsv" in str(to.options["path"]) and not to.options.get("csv", {}).get("delimiter"):
        to = structs.replace(
            to, options={**to.options, "csv": {**to.options.get("csv", {}), "delimiter": "\t"}}
        )
    return structs.replace(copy, source=PlanSource(options=options), destination=to)


def _write_down(desk: Desk, order: Order, pieces: Iterator[Piece]) -> list[Part | None]:
    """Write pieces down, each as it is found: their files are many. Returns what of a file each is."""
    desk.write(ORDER, msgspec.json.encode(order))
    parts = []
    for number, piece in enumerate(pieces):
        desk.write(note_of(number), msgspec.json.encode(piece))
        parts.append(piece.part)
    return parts


def _results(
    job: Job,
    desk: Desk,
    parts: list[Part | None],
    told: Iterator[str],
    quarantine: Quarantine,
    counts: Counts,
) -> Iterator[Result]:
    """What became of each piece, in order; its bad rows are in quarantine, and its rows are counted."""
    for part, text in zip(parts, told, strict=True):
        result = msgspec.json.decode(text, type=Result | Failed)
        if isinstance(result, Failed):
            raise _error(result, part)
        counts.read += result.read
        counts.written += result.written
        with TemporaryFolder(job.scratch_folder) as temporary:
            if (file := desk.quarantine(result.handed_in, temporary)) is not None:
                rows = list(_bad_rows(read_quarantine(file), part))
                quarantine.add(rows)
                if len(rows) != result.quarantined:
                    raise FatalError(f"{file} has {len(rows)} rows, expected {result.quarantined}")
        job.meter(result.written, 0)
        failpoints.reach("mid-copy")
        yield result


def _bad_rows(rows: Iterator[dict[str, Any]], part: Part | None) -> Iterator[BadRow]:
    """Bad rows of a piece, with their places in the file that the piece is a part of."""
    names = BadRow.__dataclass_fields__.keys()
    for row in rows:
        bad = BadRow(**{name: row[name] for name in names & row.keys()})
        bad.reason = Reason(bad.reason)
        bad.ordinal = None
        if part is not None:
            header = part.header.encode()
            if bad.line is not None:
                bad.line += part.lines - header.count(b"\n")
            if bad.offset is not None:
                bad.offset += part.begin - len(header)
        yield bad


def _error(failed: Failed, part: Part | None) -> WindlassError:
    code = Code(failed.code)
    if failed.bad_rows is not None:
        rows = list(_bad_rows(iter(failed.bad_rows), part))
        return BadRowError(failed.message, rows, hint=failed.hint, code=code)
    kind = RetryableError if failed.is_retryable else FatalError
    return kind(failed.message, hint=failed.hint, code=code)


def _require_alike(files: GivenFiles, results: list[Result]) -> None:
    """Raise FatalError when pieces have other columns than the first: no machine has seen the files of others."""
    if files.format not in ("csv", "parquet"):  # of JSON `select` says all
        return
    filled = [result for result in results if result.columns]
    for result in filled:
        if dict(result.columns) != dict(filled[0].columns):
            other = {name for name, _ in set(result.columns) ^ set(filled[0].columns)}
            shown = ", ".join(map(repr, sorted(other)))
            message = f"the files of {files.written} do not all have the same columns and types: {shown}"
            hint = "write them alike, or leave `engine` out: one process sees all files, and finds types that fit all"
            raise FatalError(message, hint=hint)
