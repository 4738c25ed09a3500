"""CSV files as a source. Every value is read as text; the copy casts it, and knows what does not fit.

DuckDB takes the lines apart, in parallel, and notes those that it cannot (`store_rejects`) with their
place. What it refuses as a whole is brought into shape first: other encodings than UTF-8, and files in
which line ends of several kinds are mixed.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

from windlass import logs
from windlass.connectors.files.infer import infer_types
from windlass.connectors.files.locate import RecordLocator, line_numbers
from windlass.connectors.files.paths import InputFiles, open_bytes
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
        self._delimiter = self._options.delimiter or _delimiter_of(files.paths[0], self._options.encoding)
        self._header = self._read_header(files.paths[0])
        self._sample_only = files.size() > _WHOLE
        self._longest_line = _LONGEST_LINE
        self._rejects = ""
        self._bad: list[BadRow] = []
        self._filter = ""
        self._prepared = self._line_ends_rewritten = False

    def close(self) -> None:
        return

    def fingerprint(self) -> dict[str, object]:
        return self._files.fingerprint()

    def slice(self, column: str, interval: Interval) -> None:
        raise FatalError("a file cannot be sliced")

    def advance(self, cursor: str, last: str | None, scratch: Scratch | None) -> None:
        assert scratch is not None
        self._prepare(scratch)
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
            "skip": str(self._leading_blank_lines if options.header else 0),
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
        errors = scratch.rows(
            "SELECT s.file_path, e.line_byte_position, first(e.error_type ORDER BY e.error_type = 'CAST'), "
            "first(e.csv_line), first(e.error_message ORDER BY e.error_type = 'CAST') "
            f"FROM {self._rejects}_errors e JOIN {self._rejects}_scans s USING (scan_id, file_id) "
            "GROUP BY s.file_path, e.line_byte_position ORDER BY s.file_path, e.line_byte_position"
        )
        if (
            any(error[2] == "LINE SIZE OVER MAXIMUM" for error in errors)
            and self._longest_line < _LONGER_LINE
        ):
            raise MisfitError(f"a line is longer than {self._longest_line:,} bytes")
        self._bad = [self._rejected_row(*error) for error in errors]
        for path in {row.source for row in self._bad}:
            rows = [row for row in self._bad if row.source == path]
            lines = line_numbers(Path(path), [row.offset or 0 for row in rows])
            for row, line in zip(rows, lines, strict=True):
                row.line = line
        for row in self._bad:
            row.source = self._shown(row.source)
        return self._bad

    def _rejected_row(self, path: str, position: int, kind: str, line: str, message: str) -> BadRow:
        reason = _REASONS.get(kind, Reason.MALFORMED_CSV)
        if reason is Reason.WRONG_ENCODING:
            line, message = self._wrong_encoding(Path(path), position)
        elif reason is Reason.MALFORMED_CSV and line.count(self._options.quote) % 2:
            reason, message = Reason.UNTERMINATED_QUOTE, "a quoted field is not closed"
        elif reason is Reason.MALFORMED_CSV:
            message = "there is text between a closing quote and the next delimiter"
        elif reason is Reason.RAGGED_ROW:
            found = message.rpartition(" ")[2]
            message = f"expected {len(self._header)} fields, found {found}"
        else:
            message = message.partition("\n")[0]
            message = message[:1].lower() + message[1:]
        return BadRow(
            reason, message, raw=line.rstrip("\r\n"), columns=self._header, source=path, offset=position - 1
        )

    def _wrong_encoding(self, path: Path, position: int) -> tuple[str, str]:
        """The raw line with the offending bytes escaped, and where the first of them is."""
        with open_bytes(path) as file:
            _skip(file, position - 1)
            data = file.readline().rstrip(b"\r\n")
        try:
            data.decode("utf-8")
        except UnicodeDecodeError as exc:
            offset = position - 1 + exc.start
            message = (
                f"byte 0x{data[exc.start]:02x} at offset {offset} is not UTF-8; "
                "if the file is in another encoding, say so: `csv: {encoding: latin-1}` or cp1252"
            )
            return data.decode("utf-8", "backslashreplace"), message
        return data.decode("utf-8"), "the line is not UTF-8"

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
                    row.source = self._shown(path)
            row.source = row.source or self.name
            yield row

    def recover(self, error: WindlassError, scratch: Scratch) -> bool:
        if isinstance(error, MisfitError):
            if "line is longer" in error.message:
                self._longest_line = _LONGER_LINE
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
        for path in self._paths[1:]:
            header = self._read_header(path)
            if header != self._header:
                raise FatalError(
                    f"{path.name} has the columns {', '.join(header)}, and {self._paths[0].name} has "
                    f"{', '.join(self._header)}",
                    hint="copy files with different columns one by one",
                )
        if codecs.lookup(self._options.encoding).name != "utf-8":
            self._rewrite(scratch, self._to_utf8)

    def _rewrite(self, scratch: Scratch, change: Callable[[IO[bytes], IO[bytes]], None]) -> None:
        """Read changed copies of the files instead, from the scratch folder."""
        logs.info("file_rewritten", file=self.name, because=str(change.__doc__).partition(".")[0])
        rewritten = []
        for path in self._paths:
            copy = scratch.folder / f"{scratch.new_name()}.csv"
            with open_bytes(path) as source, copy.open("wb") as target:
                change(source, target)
            self._originals[str(copy)] = self._originals[str(path)]
            rewritten.append(copy)
        self._paths = rewritten

    def _to_utf8(self, source: IO[bytes], target: IO[bytes]) -> None:
        """It is not in UTF-8."""
        decoder = codecs.getincrementaldecoder(self._options.encoding)()
        offset = 0
        for chunk in iter(lambda: source.read(_HEAD), b""):
            try:
                target.write(decoder.decode(chunk).encode())
            except UnicodeDecodeError as exc:
                raise FatalError(
                    f"{self.name} is not {self._options.encoding}: byte 0x{exc.object[exc.start]:02x} "
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
        """The names of the columns. Also notes how many blank lines stand before them."""
        text = _head(path, self._options.encoding)
        body = text.lstrip("\r\n")
        self._leading_blank_lines = len(text[: len(text) - len(body)].splitlines())
        reader = csv.reader(
            io.StringIO(body, newline=""), delimiter=self._delimiter, quotechar=self._options.quote
        )
        first = next(reader, [])
        if not self._options.header:
            return [f"column{i}" for i in range(len(first))]
        names = [name.strip() or f"column{i}" for i, name in enumerate(first)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise FatalError(
                f"{path.name}: the header names {', '.join(map(repr, twice))} more than once",
                hint="rename the columns, or read the file with `csv: {header: false}` and `select`",
            )
        return names

    def _shown(self, path: str) -> str:
        return self._files.name(self._originals[path])


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


def _skip(file: IO[bytes], count: int) -> None:
    while count > 0 and (chunk := file.read(min(count, _HEAD))):
        count -= len(chunk)
