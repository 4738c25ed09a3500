"""What a machine does with its number: it copies the piece of that number into a folder that only this try has.

A try that is one too many (the engine did not wait for it, or the process of the task is gone) leaves what nobody takes: a
folder in one that is removed, or uploads that are given up.
"""

from __future__ import annotations

import os
import socket
from dataclasses import asdict, replace
from pathlib import Path

import msgspec
from msgspec import structs

from windlass import __version__
from windlass.connectors.files.options import Source as FileOptions
from windlass.connectors.files.reading.pieces import (
    PieceSource,
    SomeFiles,
    bring_part,
    bring_rows,
    cut_out,
)
from windlass.connectors.rows import BadRowError
from windlass.connectors.stores.fetching import fetch, local_names
from windlass.connectors.stores.where import StoredPath, Where
from windlass.engine.copying import copy
from windlass.engine.job import Job
from windlass.engine.spread.desk import Desk
from windlass.engine.spread.given_files import opened
from windlass.engine.spread.pieces import ORDER, Failed, HandedIn, Order, Part, Piece, Result, note_of
from windlass.engine.spread.scanning import Range, scan
from windlass.errors import FatalError, RetryableError, WindlassError
from windlass.options import read_options
from windlass.plan.model import Copy, Destination
from windlass.temporary import TemporaryFolder
from windlass.workspace import Workspace

__all__ = ["copy_piece", "range_note", "scan_range"]

_ROWS = "rows"


def copy_piece(desk: Desk, place: StoredPath | None, number: int) -> str:
    """Copy a piece that is written down at the desk. `place`: where its files are, if that is a store. Returns a `Result` or
    `Failed` as JSON.
    """
    try:
        return msgspec.json.encode(_copied(desk, place, number)).decode()
    except WindlassError as exc:
        rows = [asdict(row) for row in exc.rows] if isinstance(exc, BadRowError) else None
        message = exc.message.partition("\n")[0] if rows else exc.message
        is_retryable = isinstance(exc, RetryableError)
        failed = Failed(message, exc.hint, exc.code.value, is_retryable, rows)
        return msgspec.json.encode(failed).decode()


def scan_range(desk: Desk, place: StoredPath | None, number: int) -> str:
    """Look through a range that is written down at the desk. Returns a `Scan` as JSON."""
    what = msgspec.json.decode(desk.read(range_note(number)), type=Range)
    with opened(place, what.file) as file:
        return msgspec.json.encode(scan(what, file)).decode()


def range_note(number: int) -> str:
    """The name under which a range is written down."""
    return f"range-{number}.json"


def _copied(desk: Desk, place: StoredPath | None, number: int) -> Result:
    order = _order(desk)
    piece = msgspec.json.decode(desk.read(note_of(number)), type=Piece)
    with TemporaryFolder() as temporary:
        source = _source(order, piece, place, temporary)
        machine = f"{socket.gethostname()}:{os.getppid()}"
        if source.files.is_empty:  # such as files of which nothing is left when they are unpacked
            return Result(0, 0, 0, HandedIn(), (), machine)
        own = desk.own(number, temporary)
        outcome = copy(_job(order, own, number), source)
        return Result(
            outcome.counts.read,
            outcome.counts.written,
            outcome.counts.quarantined,
            desk.hand_in(number, own, own / _ROWS, outcome.quarantine),
            columns=tuple((column.name, column.type) for column in source.columns),
            machine=machine,
        )


def _order(desk: Desk) -> Order:
    """What all pieces have in common. Raises FatalError where this is another windlass, or the desk is not here."""
    text = desk.read(ORDER)
    version = msgspec.json.decode(text)["version"]
    if version != __version__:
        here = socket.gethostname()
        message = (
            f"on {here}, a machine of the engine, windlass is {__version__}, and {version} asks for a piece"
        )
        raise FatalError(message, hint="install the same version on both sides")
    return msgspec.json.decode(text, type=Order)


def _job(order: Order, own: Path, number: int) -> Job:
    here = Path.cwd()
    return Job(
        copy=_into(order.copy, own),
        identity=replace(order.who, part=str(number)),
        workspace=Workspace(here, here),
        memory=order.memory,
        threads=1,
        quarantine_file=own / "quarantine.ndjson",
    )


def _into(whole: Copy, own: Path) -> Copy:
    """The copy of a piece: a share of bad rows is looked at when all are counted."""
    limit = whole.max_bad_rows if isinstance(whole.max_bad_rows, int) else None
    options = {**whole.destination.options, "path": f"{own}/{_ROWS}/", "mode": "replace"}
    destination = Destination(options=options)
    return structs.replace(whole, destination=destination, engine=None, quarantine=None, max_bad_rows=limit)


def _source(order: Order, piece: Piece, place: StoredPath | None, temporary: Path) -> PieceSource:
    wanted = read_options(FileOptions, order.copy.source.options)
    assert wanted.format is not None
    is_parquet = wanted.format == "parquet"
    rows = (piece.part.begin, piece.part.end) if piece.part is not None and is_parquet else None
    if place is not None:
        files = _brought(place.where(), piece, temporary, is_parquet=is_parquet)
    elif piece.part is not None and not is_parquet:
        files = [cut_out(piece.files[0].path, *_bounds(piece.part), temporary)]
    else:
        files = [file.path for file in piece.files]
    return PieceSource(
        SomeFiles(wanted.path, files, wanted.format, is_only_one=order.is_only_one), wanted, rows
    )


def _brought(where: Where, piece: Piece, temporary: Path, *, is_parquet: bool) -> list[Path]:
    """Objects as files of this machine; of one of which only a part is wanted, no more than that."""
    files = [temporary / "in" / name for name in local_names(file.name for file in piece.files)]
    if piece.part is None:
        fetch(where.store, zip((file.object for file in piece.files), files, strict=True))
        return files
    found = piece.files[0].object
    files[0].parent.mkdir(parents=True)
    if is_parquet:
        bring_rows(where, found, piece.part.begin, piece.part.end, files[0])
    else:
        bring_part(where, found, *_bounds(piece.part), files[0])
    return files


def _bounds(part: Part) -> tuple[int, int, bytes]:
    return part.begin, part.end, part.header.encode()
