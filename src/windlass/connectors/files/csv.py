"""CSV files as a source. Every value is read as text; the copy casts it, and knows what does not fit.

DuckDB takes the lines apart, in parallel, and notes those that it cannot (`store_rejects`) with their
place. What it refuses as a whole is brought into shape first: other encodings than UTF-8, bz2, and files in
which line ends of several kinds are mixed. What it gets wrong without a word is in `quoting.py`.
"""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from windlass import logs
from windlass.connectors.files.gathering import Content, Origins, are_many_small, gather
from windlass.connectors.files.infer import infer_types
from windlass.connectors.files.locate import RecordLocator, line_numbers
from windlass.connectors.files.paths import InputFiles, open_bytes, unpack_bz2
from windlass.connectors.files.quoting import (
    LineEndsInQuotes,
    Records,
    first_record_end,
    line_end_of,
    unterminated,
)
from windlass.connectors.protocol import BadRow, Column, Interval, MisfitError, Reason, RowFault
from windlass.connectors.scratch import Scratch, identifier, literal
from windlass.errors import FatalError, WindlassError, did_you_mean
from windlass.plan.model import Source

__all__ = ["CsvSource"]

_WHOLE = 64 << 20  # files up to this size are looked at whole to infer types; of larger ones, a sample
_SAMPLE_ROWS = 20_000
_HEAD = 1 << 20
_DELIMITERS = (",", ";", "\t", "|")
_LONGEST_LINE, _LONGER_LINE = 2 << 20, 160 << 20
_NOT_CLOSED = "a quoted field is not closed"
_NOTED = 10_000  # bytes of a rejected line that DuckDB notes
_MIXED_LINE_ENDS = "state machine reached an invalid state"

_REASONS = {
    "CAST": Reason.TYPE_MISMATCH,  # DuckDB pushes a cast down into its reader where that is all there is to do
    "MISSING COLUMNS": Reason.RAGGED_ROW,
    "TOO MANY COLUMNS": Reason.RAGGED_ROW,
    "UNQUOTED VALUE": Reason.MALFORMED_CSV,
    "INVALID ENCODING": Reason.WRONG_ENCODING,
    "LINE SIZE OVER MAXIMUM": Reason.LINE_TOO_LONG,
}


class CsvSource:
    """One or more CSV files with the same columns. Implements `Source`."""

    rereadable = True
    filters_interval = False

    def __init__(self, files: InputFiles, end: Source) -> None:
        self.name = files.written
        self.cursor: str | None = None
        self._files, self._options, self._declared = files, end.csv, end.columns
        self._paths = list(files.paths)
        self._originals = {str(path): path for path in files.paths}
        self._origins: dict[str, Origins] = {}
        self._encoding = _encoding_of(files.paths[0], self._options.encoding)
        self._delimiter = self._options.delimiter or _delimiter_of(files.paths[0], self._encoding)
        self._leading_blank_lines: set[int] = set()
        self._header = self._read_header(files.paths[0])
        self._sample_only = files.size() > _WHOLE
        self._longest_line = _LONGEST_LINE
        self._rejects = ""
        self._bad: list[BadRow] = []
        self._filter = ""
        self._prepared = self._line_ends_rewritten = False
        self._in_one_piece = False
        self._look: LineEndsInQuotes | None = None
        self._odd: list[Path] = []

    def close(self) -> None:
        return

    def fingerprint(self) -> dict[str, object]:
        return self._files.fingerprint()

    def slice(self, column: str, interval: Interval) -> None:
        raise FatalError("a file cannot be sliced")

    def advance(self, cursor: str, last: str | None, scratch: Scratch | None) -> None:
        assert scratch is not None
        self._prepare(scratch)
        self._finish_look()
        types = {column.name: column.guess or "VARCHAR" for column in self.columns(scratch, infer=True)}
        if cursor not in types:
            raise FatalError(f"{self.name} has no column {cursor!r}", hint=did_you_mean(cursor, types))
        value = f"TRY_CAST({identifier(cursor)} AS {types[cursor]})"
        highest = scratch.value(f"SELECT CAST(max({value}) AS VARCHAR) FROM {self.relation(scratch)}")
        self.cursor = highest or last
        if last is not None:
            self._filter = f" WHERE {value} > CAST({literal(last)} AS {types[cursor]})"

    def columns(self, scratch: Scratch, *, infer: bool) -> list[Column]:
        self._prepare(scratch)
        for name in self._declared:
            if name not in self._header:
                hint = did_you_mean(name, self._header)
                raise FatalError(f"`columns` names {name!r}, which {self.name} does not have", hint=hint)
        guesses: dict[str, str | None] = {}
        if infer:
            limit = f" LIMIT {_SAMPLE_ROWS}" if self._sample_only else ""
            free = [name for name in self._header if name not in self._declared]
            guesses = infer_types(scratch, f"(SELECT * FROM {self.relation(scratch)}{limit})", free)
        return [self._column(name, guesses.get(name), scratch) for name in self._header]

    def _column(self, name: str, guess: str | None, scratch: Scratch) -> Column:
        if name in self._declared:
            kind = scratch.normal_type(self._declared[name])
            return Column(name, "VARCHAR", guess=kind, trust="declared")
        return Column(name, "VARCHAR", guess=guess, trust="sampled" if self._sample_only else "known")

    def relation(self, scratch: Scratch) -> str:
        self._rejects = scratch.new_name()
        options = self._options
        columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in self._header)
        settings = {
            "columns": f"{{{columns}}}",
            "header": literal(options.header),
            "skip": str(max(self._leading_blank_lines) if options.header else 0),
            "delim": literal(self._delimiter),
            "quote": literal(options.quote),
            "escape": literal(options.escape or options.quote),
            "nullstr": literal(options.null),
            "allow_quoted_nulls": "false",
            "auto_detect": "false",
            "store_rejects": "true",
            "rejects_table": literal(f"{self._rejects}_errors"),
            "rejects_scan": literal(f"{self._rejects}_scans"),
            "max_line_size": str(self._longest_line),
            "hive_partitioning": "false",
            "parallel": literal(not self._in_one_piece),
        }
        paths = ", ".join(literal(str(path)) for path in self._paths)
        arguments = ", ".join(f"{key} = {value}" for key, value in settings.items())
        base = f"read_csv([{paths}], {arguments})"
        return f"(SELECT * FROM {base}{self._filter})" if self._filter else base

    def faults(self) -> Sequence[RowFault]:
        return ()

    def record(self) -> str | None:
        return None

    # --- bad rows ---

    def rejected(self, scratch: Scratch) -> list[BadRow]:
        self._finish_look()
        errors = scratch.rows(
            "SELECT s.file_path, e.line_byte_position, first(e.error_type ORDER BY e.error_type = 'CAST'), "
            "first(e.csv_line), first(e.error_message ORDER BY e.error_type = 'CAST'), "
            "bool_or(e.error_type = 'LINE SIZE OVER MAXIMUM') "
            f"FROM {self._rejects}_errors e JOIN {self._rejects}_scans s USING (scan_id, file_id) "
            "GROUP BY s.file_path, e.line_byte_position ORDER BY s.file_path, e.line_byte_position"
        )
        self._read_otherwise(errors)
        self._bad = []
        for path, of_path in itertools.groupby(errors, key=lambda error: str(error[0])):
            with open_bytes(Path(path)) as file:
                records = Records(file, self._options.quote)
                self._bad += [self._rejected_row(records, *error[:5]) for error in of_path]
        self._bad += self._unterminated()
        for row in self._bad:
            row.source, row.offset = self._original(row.source, row.offset or 0)
        for path in {row.source for row in self._bad}:
            rows = sorted((row for row in self._bad if row.source == path), key=lambda row: row.offset or 0)
            lines = line_numbers(Path(path), [row.offset or 0 for row in rows])
            for row, line in zip(rows, lines, strict=True):
                row.line = line
        for row in self._bad:
            row.source = self._shown(row.source)
        return self._bad

    def _read_otherwise(self, errors: Sequence[tuple[Any, ...]]) -> None:
        """Raise MisfitError for errors that another way of reading may not have."""
        if any(too_long for *_, too_long in errors) and self._longest_line < _LONGER_LINE:
            raise MisfitError(f"a line is longer than {self._longest_line:,} bytes")
        if any(not line for _, _, _, line, *_ in errors) and not self._in_one_piece:
            raise MisfitError("a quoted field is longer than a piece of the file")

    def _finish_look(self) -> None:
        look, self._look = self._look, None
        if look is not None:
            look.finish()
            self._odd = look.odd

    def _unterminated(self) -> Iterator[BadRow]:
        known = {(row.source, row.offset) for row in self._bad}
        for path in map(str, self._paths if self._in_one_piece else self._odd):
            found = unterminated(Path(path), self._delimiter, self._options.quote, self._options.escape)
            if found is not None and (path, found[0]) not in known:
                yield BadRow(
                    Reason.UNTERMINATED_QUOTE,
                    _NOT_CLOSED,
                    raw=found[1],
                    columns=self._header,
                    source=path,
                    offset=found[0],
                )

    def _rejected_row(
        self, records: Records, path: str, position: int, kind: str, line: str, message: str
    ) -> BadRow:
        reason = _REASONS.get(kind, Reason.MALFORMED_CSV)
        # what DuckDB notes of the record has other bytes for those that are no UTF-8, and is cut
        noted = len(line.encode())
        data = records.read(position - 1, noted if 0 < noted < _NOTED else None)
        if reason is Reason.WRONG_ENCODING:
            message = _not_utf8(data, self._original(path, position - 1)[1]) or "the line is not UTF-8"
        elif (
            reason in (Reason.MALFORMED_CSV, Reason.TYPE_MISMATCH)
            and data.count(self._options.quote.encode()) % 2
        ):
            reason, message = Reason.UNTERMINATED_QUOTE, _NOT_CLOSED
        elif reason is Reason.MALFORMED_CSV:
            message = "there is text between a closing quote and the next delimiter"
        elif reason is Reason.RAGGED_ROW:
            found = message.rpartition(" ")[2]
            message = f"expected {len(self._header)} fields, found {found}"
        else:
            message = message.partition("\n")[0]
            message = message[:1].lower() + message[1:]
        raw = data.decode("utf-8", "backslashreplace")
        return BadRow(reason, message, raw=raw, columns=self._header, source=path, offset=position - 1)

    def locate(self, rows: Iterator[BadRow]) -> Iterator[BadRow]:
        locator: RecordLocator | None = None
        for row in rows:
            if row.ordinal is not None and row.line is None:
                locator = locator or RecordLocator(
                    self._paths,
                    self._delimiter,
                    self._options.quote,
                    self._options.escape,
                    columns=len(self._header),
                    header=self._options.header,
                )
                found = locator.find(row.ordinal)
                if found is not None:
                    path, row.line, row.offset = found
                    if path in self._origins:
                        path, row.offset = self._original(path, row.offset)
                        [row.line] = line_numbers(Path(path), [row.offset])
                    row.source = self._shown(path)
            row.source = row.source or self.name
            yield row

    def recover(self, error: WindlassError, scratch: Scratch) -> bool:
        if isinstance(error, MisfitError):
            if "line is longer" in error.message:
                self._longest_line = _LONGER_LINE
                return True
            if not self._in_one_piece and "quoted field" in error.message:
                self._in_one_piece = True
                self._longest_line = _LONGER_LINE if "longer" in error.message else self._longest_line
                return True
            if self._sample_only:
                self._sample_only = False
                return True
        if _MIXED_LINE_ENDS in error.message and not self._line_ends_rewritten:
            self._line_ends_rewritten = True
            self._rewrite(scratch, self._to_one_line_end)
            return True
        return False

    # --- preparing ---

    def _prepare(self, scratch: Scratch) -> None:
        """Bring files that DuckDB cannot read as they are into UTF-8, and check that all have the same columns."""
        if self._prepared:
            return
        self._prepared = True
        if are_many_small(self._paths, self._files.size()) and codecs.lookup(self._encoding).name == "utf-8":
            self._gather(scratch)
        for path in self._paths[1:]:
            if str(path) not in self._origins:
                self._check_header(path)
        if self._options.header and len(self._leading_blank_lines) > 1:
            self._rewrite(scratch, self._from_first_record)
            self._leading_blank_lines = {0}
        unpacked = unpack_bz2(self._paths, scratch)
        for copy, path in zip(unpacked, self._paths, strict=True):
            self._originals[str(copy)] = self._originals[str(path)]
        self._paths = unpacked
        if codecs.lookup(self._encoding).name != "utf-8":
            self._rewrite(scratch, self._to_utf8)
        self._look = LineEndsInQuotes(self._paths, self._options.quote)
        if self._look.begin():
            self._look, self._in_one_piece = None, True

    def _check_header(self, path: Path) -> None:
        header = self._read_header(path)
        if header != self._header:
            raise FatalError(
                f"{path.name} has the columns {', '.join(header)}, and {self._files.paths[0].name} has "
                f"{', '.join(self._header)}",
                hint="copy files with different columns one by one",
            )

    def _gather(self, scratch: Scratch) -> None:
        """Put small files together, under the header of the first."""
        quote, header = self._options.quote.encode(), self._options.header
        with open_bytes(self._paths[0]) as file:
            data = file.read().removeprefix(codecs.BOM_UTF8)
        first = data[: first_record_end(data, quote)] if header else b""

        def content_of(path: Path, data: bytes) -> Content | None:
            kind = line_end_of(data)
            if kind is None or self._options.escape or data.count(quote) % 2 or data[:1] in (b"\r", b"\n"):
                return None
            mark = len(codecs.BOM_UTF8) if data.startswith(codecs.BOM_UTF8) else 0
            skipped = first_record_end(data, quote, mark) if header else mark
            if data[mark:skipped] != first:
                self._check_header(path)
            rows = data[skipped:]
            is_closed = not rows or rows.endswith(b"\n")
            return Content(rows if is_closed else rows + kind, skipped, kind)

        gathered = gather(
            self._paths,
            lambda: scratch.folder / f"{scratch.new_name()}.csv",
            content_of,
            header=lambda kind: first.rstrip(b"\r\n") + kind if header else b"",
        )
        self._paths, self._origins = gathered.paths, gathered.origins
        self._originals.update((path, Path(path)) for path in gathered.origins)

    def _rewrite(self, scratch: Scratch, change: Callable[[IO[bytes], IO[bytes]], None]) -> None:
        """Read changed copies of the files instead, from the scratch folder."""
        logs.info("file_rewritten", file=self.name, because=str(change.__doc__).partition(".")[0])
        rewritten = []
        for path in self._paths:
            if str(path) in self._origins:  # it is in shape
                rewritten.append(path)
                continue
            copy = scratch.folder / f"{scratch.new_name()}.csv"
            with open_bytes(path) as source, copy.open("wb") as target:
                change(source, target)
            self._originals[str(copy)] = self._originals[str(path)]
            rewritten.append(copy)
        self._paths = rewritten

    def _from_first_record(self, source: IO[bytes], target: IO[bytes]) -> None:
        """It begins with blank lines, and others do not."""
        data = source.read(_HEAD)
        mark = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
        target.write(mark + data.removeprefix(mark).lstrip(b"\r\n"))
        shutil.copyfileobj(source, target, _HEAD)

    def _to_utf8(self, source: IO[bytes], target: IO[bytes]) -> None:
        """It is not in UTF-8."""
        decoder = codecs.getincrementaldecoder(self._encoding)()
        offset = 0
        for chunk in iter(lambda: source.read(_HEAD), b""):
            try:
                target.write(decoder.decode(chunk).encode())
            except UnicodeDecodeError as exc:
                raise FatalError(
                    f"{self.name} is not {self._encoding}: byte 0x{exc.object[exc.start]:02x} "
                    f"near offset {offset + exc.start}"
                ) from exc
            offset += len(chunk)
        target.write(decoder.decode(b"", final=True).encode())

    def _to_one_line_end(self, source: IO[bytes], target: IO[bytes]) -> None:
        """Its line ends are of several kinds."""
        quote, quoted, held = self._options.quote.encode(), False, b""
        while chunk := source.read(_HEAD):
            data = held + chunk
            held = data[-1:] if data.endswith(b"\r") else b""  # perhaps the first half of a \r\n
            pieces = data[: len(data) - len(held)].split(quote)
            for i, piece in enumerate(pieces):
                if i:
                    target.write(quote)
                    quoted = not quoted
                target.write(piece if quoted else piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n"))
        target.write(held.replace(b"\r", b"\n"))

    def _read_header(self, path: Path) -> list[str]:
        """The names of the columns. Also notes how many blank lines stand before them, which differs by file."""
        text = _head(path, self._encoding)
        body = text.lstrip("\r\n")
        if not body:
            raise FatalError(
                f"{path.name} has only blank lines", hint="expected at least a header or one row"
            )
        blank = len(text[: len(text) - len(body)].splitlines())
        self._leading_blank_lines.add(blank)
        first = self._first_record(path, body, blank + 1)
        if not self._options.header:
            return [f"column{i}" for i in range(len(first))]
        names = [name.strip() or f"column{i}" for i, name in enumerate(first)]
        alike = [name.lower() for name in names]
        twice = sorted({name for name in names if alike.count(name.lower()) > 1})
        if twice:
            raise FatalError(
                f"{path.name}: the header names {', '.join(map(repr, twice))} more than once",
                hint="rename the columns, or read the file with `csv: {header: false}` and `select`",
            )
        return names

    def _first_record(self, path: Path, body: str, line: int) -> list[str]:
        escape = self._options.escape
        doubled = escape is None or escape == self._options.quote
        reader = csv.reader(
            io.StringIO(body, newline=""),
            delimiter=self._delimiter,
            quotechar=self._options.quote,
            doublequote=doubled,
            escapechar=None if doubled else escape,
            strict=self._options.header,
        )
        try:
            first = next(reader, [])
        except csv.Error as exc:
            raise FatalError(f"{path.name}:{line}: the header is no CSV: {exc}") from exc
        if self._options.header and any("\ufffd" in name for name in first):
            with open_bytes(path) as file:
                message = _not_utf8(file.read(_HEAD), 0) or f"it is not {self._encoding}"
            raise FatalError(f"{path.name}: the header cannot be read: {message}")
        return first

    def _original(self, path: str, offset: int) -> tuple[str, int]:
        """The file that was meant to be read, and the offset in it."""
        if path not in self._origins:
            return path, offset
        original, offset = self._origins[path].of(offset)
        return str(original), offset

    def _shown(self, path: str) -> str:
        return self._files.name(self._originals[path])


def _encoding_of(path: Path, declared: str) -> str:
    """The declared one; UTF-16 where a byte order mark says so and nothing else was declared."""
    if declared.lower().replace("_", "-") in ("utf-8", "utf8"):
        with open_bytes(path) as file:
            if file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
                return "utf-16"
    return declared


def _not_utf8(data: bytes, offset: int) -> str | None:
    """Which byte is not UTF-8, and where; None if all are."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as exc:
        return (
            f"byte 0x{data[exc.start]:02x} at offset {offset + exc.start} is not UTF-8; "
            "if the file is in another encoding, say so: `csv: {encoding: latin-1}` or cp1252"
        )
    return None


def _delimiter_of(path: Path, encoding: str) -> str:
    """The candidate that the first line has most of, outside quotes."""
    line = _head(path, encoding).lstrip("\r\n").splitlines()[:1]
    unquoted = "".join((line[0] if line else "").split('"')[::2])
    return max(_DELIMITERS, key=unquoted.count)


def _head(path: Path, encoding: str) -> str:
    try:
        codecs.lookup(encoding)
    except LookupError as exc:
        hint = "expected a name such as utf-8, latin-1, cp1252 or utf-16"
        raise FatalError(f"unknown encoding {encoding!r}", hint=hint) from exc
    with open_bytes(path) as file:
        data = file.read(_HEAD)
    return data.decode(encoding, "replace").removeprefix("\ufeff")
