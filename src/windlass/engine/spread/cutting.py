"""From the files of a copy to its pieces: small ones together, large ones cut where their format allows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import groupby

import msgspec

from windlass import logs
from windlass.connectors.files.formats import compression_of
from windlass.connectors.files.options import Source as FileOptions
from windlass.connectors.files.reading.csv_header import Dialect, read_header
from windlass.connectors.files.reading.quoting import first_record_end
from windlass.connectors.workers import Workers
from windlass.engine.spread.desk import Desk
from windlass.engine.spread.given_files import HEAD, GivenFiles, opened
from windlass.engine.spread.pieces import SIZE, Part, Piece, SourceFile, bounds, in_groups, row_parts
from windlass.engine.spread.scanning import Range, Scan, parts_of
from windlass.engine.spread.worker import range_note, scan_range

__all__ = ["pieces_of"]

_LARGE = 2 * SIZE
_OWN_COLUMN = (
    "file_row_number"  # what DuckDB calls the numbers of rows: a file that has such a column is not cut
)


def pieces_of(files: GivenFiles, wanted: FileOptions, workers: Workers, desk: Desk) -> Iterator[Piece]:
    """The pieces, in the order of the files. Ranges of large files of text are looked through by the workers."""
    large = [file for file in files if file.size >= _LARGE]
    cuts = _cuts(files, wanted, large, workers, desk)
    for is_cut, some in groupby(files, key=cuts.__contains__):
        if is_cut:
            yield from (Piece((file,), part) for file in some for part in cuts[file])
        else:
            yield from (Piece(tuple(group)) for group in in_groups(some))


def _cuts(
    files: GivenFiles,
    wanted: FileOptions,
    large: Sequence[SourceFile],
    workers: Workers,
    desk: Desk,
) -> dict[SourceFile, list[Part]]:
    """The parts of the large files that can be cut."""
    if files.format == "parquet":
        return {file: parts for file in large if len(parts := _of_parquet(files, file)) > 1}
    if files.format not in ("csv", "ndjson"):
        return {}
    asked, headers = [], {}
    for file in large:
        if compression_of(file.name) is not None:
            continue
        found = _ranges(files, file, wanted) if files.format == "csv" else (_of_lines(file), "")
        if found is not None:
            asked.append((file, found[0]))
            headers[file] = found[1]
    look = partial(scan_range, desk, files.place)
    return _looked_through(asked, headers, look, workers, desk)


def _of_parquet(files: GivenFiles, file: SourceFile) -> list[Part]:
    import pyarrow.parquet as pq

    with opened(files.place, file) as source, pq.ParquetFile(source) as parquet:
        about = parquet.metadata
        groups = [about.row_group(i) for i in range(about.num_row_groups)]
        if _OWN_COLUMN in parquet.schema_arrow.names:
            return []
        return list(row_parts([(group.num_rows, group.total_byte_size) for group in groups]))


def _of_lines(file: SourceFile) -> list[Range]:
    return [Range(file, begin, end) for begin, end in bounds(file.size)]


def _ranges(files: GivenFiles, file: SourceFile, wanted: FileOptions) -> tuple[list[Range], str] | None:
    """The ranges of a CSV file and its header; None where it is written in a way in which it is not cut."""
    path = files.beginning(file)
    dialect = Dialect.of(path, wanted.csv)
    marks = (dialect.delimiter, dialect.quote)
    if not dialect.is_utf8 or dialect.escape is not None or not all(mark.isascii() for mark in marks):
        return None
    if read_header(path, dialect).lines_before:
        return None
    with path.open("rb") as source:
        beginning = source.read(HEAD)
    end = first_record_end(beginning, dialect.quote.encode()) if dialect.header else 0
    if end == len(beginning):
        return None
    ranges = [Range(file, *bound, *marks) for bound in bounds(file.size)]
    return ranges, beginning[:end].decode()


def _looked_through(
    asked: Sequence[tuple[SourceFile, list[Range]]],
    headers: dict[SourceFile, str],
    look: Callable[[int], str],
    workers: Workers,
    desk: Desk,
) -> dict[SourceFile, list[Part]]:
    ranges = [one for _, of_file in asked for one in of_file]
    for number, one in enumerate(ranges):
        desk.write(range_note(number), msgspec.json.encode(one))
    found = iter(list(workers.each(look, len(ranges))) if ranges else [])
    cuts = {}
    for file, of_file in asked:
        scans = [msgspec.json.decode(next(found), type=Scan) for _ in of_file]
        parts = parts_of(scans, file.size, headers[file])
        if parts is None:
            logs.warning(
                "not_cut", file=file.name, because="a quote stands within a field that is not quoted"
            )
        else:
            cuts[file] = parts
    return cuts
