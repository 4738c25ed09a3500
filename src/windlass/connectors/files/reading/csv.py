"""CSV files as a source. Every value is read as text; the copy casts it, and knows what does not fit.

DuckDB takes the lines apart, in parallel, and notes those that it cannot (`store_rejects`) with their
place. What it refuses as a whole is brought into shape first: other encodings than UTF-8, bz2, and files in
which line ends of several kinds are mixed. What it gets wrong without a word is in `quoting.py`.
"""

from __future__ import annotations

import codecs
import itertools
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any

from windlass import logs
from windlass.connectors.files.options import Source
from windlass.connectors.files.paths import InputFiles, open_bytes, unpack_bz2
from windlass.connectors.files.reading.csv_header import Dialect, not_utf8, read_header
from windlass.connectors.files.reading.csv_rewriting import (
    from_first_record,
    is_separator_line,
    to_one_line_end,
    to_utf8,
)
from windlass.connectors.files.reading.gathering import Content, Origins, are_many_small, gather
from windlass.connectors.files.reading.infer import infer_types, values_of
from windlass.connectors.files.reading.locate import RecordLocator, line_numbers
from windlass.connectors.files.reading.quoting import (
    LONGEST_LINE,
    LineEndsInQuotes,
    Records,
    first_record_end,
    line_end_of,
    unterminated,
)
from windlass.connectors.files.reading.source import FileRelation
from windlass.connectors.rows import BadRow, Column, MisfitError, Reason
from windlass.connectors.scratch import Scratch, file_literal, literal
from windlass.connectors.source import Reading, Relation
from windlass.errors import FatalError, WindlassError, did_you_mean, naming

__all__ = ["CsvRelation"]

_WHOLE = 64 << 20  # files up to this size are looked at whole to infer types; of larger ones, a sample
_SAMPLE_ROWS = 20_000
_USUAL_LINE = 2 << 20
_FIELD = 70_000  # bytes that it takes to read a column: 7,300 go through 512 MB, and 10,000 not through 600
_NOT_CLOSED = "a quoted field is not closed"
_NOTED = 10_000  # bytes of a rejected line that DuckDB notes
_SEVERAL_KINDS = "its line ends are of several kinds"
_MIXED_LINE_ENDS = "state machine reached an invalid state"

_REASONS = {
    "CAST": Reason.TYPE_MISMATCH,  # DuckDB pushes a cast down into its reader where that is all there is to do
    "MISSING COLUMNS": Reason.RAGGED_ROW,
    "TOO MANY COLUMNS": Reason.RAGGED_ROW,
    "UNQUOTED VALUE": Reason.MALFORMED_CSV,
    "INVALID ENCODING": Reason.WRONG_ENCODING,
    "LINE SIZE OVER MAXIMUM": Reason.LINE_TOO_LONG,
}


class CsvRelation(FileRelation):
    """One or more CSV files with the same columns."""

    def __init__(self, files: InputFiles, options: Source, reading: Reading, scratch: Scratch) -> None:
        super().__init__(files, reading, scratch)
        self._declared, self._null = options.columns, options.csv.null
        self._skips_spaces = options.csv.skip_spaces
        self._paths = list(files.paths)
        self._originals = {str(path): path for path in files.paths}
        self._origins: dict[str, Origins] = {}
        self._left_out: dict[str, bytes] = {}  # of a rewritten file: what is not there of the beginning
        self._other_orders: dict[Path, list[str]] = {}
        """The headers of files that have the columns in another order than the first."""
        self._dialect = Dialect.of(files.paths[0], options.csv)
        self._header, lines_before = read_header(files.paths[0], self._dialect)
        self._begins_late = lines_before > 0  # behind blank lines, or the one that tells Excel the delimiter
        self._sample_only = files.size() > _WHOLE
        self._longest_line = _USUAL_LINE
        self._rejects = ""
        self._bad: list[BadRow] = []
        self._prepared = self._line_ends_rewritten = False
        self._in_one_piece = False
        self._look: LineEndsInQuotes | None = None
        self._odd: list[Path] = []

    def found_columns(self) -> list[Column]:
        self._prepare()
        for name in self._declared:
            if name not in self._header:
                hint = did_you_mean(name, self._header)
                raise FatalError(f"`columns` names {name!r}, which {self.name} does not have", hint=hint)
        self._scratch.make_room(self.name, len(self._header), at_least=_FIELD)
        guesses: dict[str, str | None] = {}
        if self._reading.infer or self._reading.since is not None:
            free = [name for name in self._header if name not in self._declared]
            rows = f"(SELECT * FROM {self.rows()})"
            if self._sample_only:
                rows = f"(SELECT * FROM {self._rows(is_sample=True)} LIMIT {_SAMPLE_ROWS})"
            guesses = infer_types(self._scratch, partial(values_of, rows), free)
            if self._look is not None and self._look.found:  # meanwhile; what comes later makes us begin anew
                self._in_one_piece = True
        if self._reading.since is not None:
            self._finish_look()
        return [self._column(name, guesses.get(name)) for name in self._header]

    def _column(self, name: str, guess: str | None) -> Column:
        if name in self._declared:
            kind = self._scratch.normal_type(self._declared[name])
            return Column(name, "VARCHAR", guess=kind, trust="declared")
        return Column(name, "VARCHAR", guess=guess, trust="sampled" if self._sample_only else "known")

    def rows(self) -> str:
        return self._rows(is_sample=False)

    def _rows(self, *, is_sample: bool) -> str:
        self._rejects = self._scratch.new_name()
        if not self._other_orders:
            return self._read(self._paths, self._header, is_sample=is_sample)
        by_order = itertools.groupby(self._paths, key=self._header_of)
        reads = [f"FROM {self._read(list(paths), header, is_sample=is_sample)}" for header, paths in by_order]
        return f"({' UNION ALL BY NAME '.join(reads)})"

    def _header_of(self, path: Path | str) -> list[str]:
        return self._other_orders.get(self._originals[str(path)], self._header)

    def _read(self, files: Sequence[Path], header: Sequence[str], *, is_sample: bool) -> str:
        dialect = self._dialect
        columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in header)
        settings = {
            "columns": f"{{{columns}}}",
            "header": literal(dialect.header),
            "skip": "0",
            "delim": literal(dialect.delimiter),
            "quote": literal(dialect.quote),
            "escape": literal(dialect.escape or dialect.quote),
            "nullstr": literal(self._null),
            "allow_quoted_nulls": "false",
            "auto_detect": "false",
            "store_rejects": "true",
            "rejects_table": literal(f"{self._rejects}_errors"),
            "rejects_scan": literal(f"{self._rejects}_scans"),
            "max_line_size": str(self._longest_line),
            "hive_partitioning": "false",
            "parallel": literal(not self._in_one_piece),
        }
        if self._in_one_piece and self._longest_line == LONGEST_LINE:
            settings["buffer_size"] = str(LONGEST_LINE)  # and not 16 times as much
        elif is_sample:
            settings["buffer_size"] = str(
                4 * self._longest_line
            )  # as much is read, however few rows are wanted
        paths = ", ".join(file_literal(path) for path in files)
        arguments = ", ".join(f"{key} = {value}" for key, value in settings.items())
        return f"read_csv([{paths}], {arguments})"

    # --- bad rows ---

    def rejected(self) -> list[BadRow]:
        self._finish_look()
        errors = self._scratch.rows(
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
                records = Records(file, self._dialect.quote)
                self._bad += [self._rejected_row(records, *error[:5]) for error in of_path]
        self._bad += self._unterminated()
        for row in self._bad:
            row.source, row.offset = self._original(row.source, row.offset or 0)
        for path in {row.source for row in self._bad}:
            rows = sorted((row for row in self._bad if row.source == path), key=lambda row: row.offset or 0)
            lines = line_numbers(Path(path), [row.offset or 0 for row in rows])
            for row, line in zip(rows, lines, strict=True):
                row.line, row.offset = self._as_written(path, line, row.offset or 0)
        for row in self._bad:
            row.source = self._shown(row.source)
        return self._bad

    def _read_otherwise(self, errors: Sequence[tuple[Any, ...]]) -> None:
        """Raise MisfitError for errors that another way of reading may not have."""
        if any(too_long for *_, too_long in errors) and self._longest_line < LONGEST_LINE:
            raise MisfitError(f"a line is longer than {self._longest_line:,} bytes")
        if any(not line for _, _, _, line, *_ in errors) and not self._in_one_piece:
            raise MisfitError("a quoted field is longer than a piece of the file")

    def _finish_look(self) -> None:
        look, self._look = self._look, None
        if look is not None:
            look.finish(in_one_piece=self._in_one_piece)
            if look.several and not self._line_ends_rewritten:
                raise MisfitError(_SEVERAL_KINDS)
            self._odd = look.odd

    def _unterminated(self) -> Iterator[BadRow]:
        known = {(row.source, row.offset) for row in self._bad}
        for path in map(str, self._paths if self._in_one_piece else self._odd):
            found = unterminated(
                Path(path), self._dialect.delimiter, self._dialect.quote, self._dialect.escape
            )
            if found is not None and (path, found[0]) not in known:
                yield BadRow(
                    Reason.UNTERMINATED_QUOTE,
                    _NOT_CLOSED,
                    raw=found[1],
                    columns=self._header_of(path),
                    source=path,
                    offset=found[0],
                )

    def _rejected_row(
        self, records: Records, path: str, position: int, kind: str, line: str, message: str
    ) -> BadRow:
        reason = _REASONS.get(kind, Reason.MALFORMED_CSV)
        # what DuckDB notes of the record has other bytes for those that are not UTF-8, and is cut
        noted = len(line.encode())
        data = records.read(position - 1, noted if 0 < noted < _NOTED else None)
        if reason is Reason.WRONG_ENCODING:
            message = not_utf8(data, self._original(path, position - 1)[1]) or "the line is not UTF-8"
        elif (
            reason in (Reason.MALFORMED_CSV, Reason.TYPE_MISMATCH)
            and data.count(self._dialect.quote.encode()) % 2
        ):
            reason, message = Reason.UNTERMINATED_QUOTE, _NOT_CLOSED
        elif reason is Reason.MALFORMED_CSV:
            message = "there is text between a closing quote and the next delimiter"
        elif reason is Reason.RAGGED_ROW:
            found = message.rpartition(" ")[2]
            message = f"expected {len(self._header)} fields, found {found}"
            if len(self._header) == 1:
                message = f"expected 1 field, found {found}: is {self._header[0]!r} the header?"
        else:
            message = message.partition("\n")[0]
            message = message[:1].lower() + message[1:]
        raw = data.decode("utf-8", "backslashreplace")
        return BadRow(
            reason, message, raw=raw, columns=self._header_of(path), source=path, offset=position - 1
        )

    def locate(self, rows: Iterator[BadRow]) -> Iterator[BadRow]:
        locator: RecordLocator | None = None
        for row in rows:
            if row.ordinal is not None and row.line is None:
                locator = locator or RecordLocator(
                    self._paths,
                    self._dialect.delimiter,
                    self._dialect.quote,
                    self._dialect.escape,
                    columns=len(self._header),
                    header=self._dialect.header,
                )
                found = locator.find(row.ordinal)
                if found is not None:
                    path, row.line, row.offset = found
                    if path in self._origins:
                        path, row.offset = self._original(path, row.offset)
                        [row.line] = line_numbers(Path(path), [row.offset])
                    row.line, row.offset = self._as_written(path, row.line, row.offset)
                    row.source = self._shown(path)
            row.source = row.source or self.name
            yield row

    def recover(self, error: WindlassError) -> Relation | None:
        if self._reads_otherwise(error):
            self.begin_again()
            return self
        return None

    def _reads_otherwise(self, error: WindlassError) -> bool:
        """Whether there is another way to read that may get past this error; then it is taken."""
        if isinstance(error, MisfitError):
            if "line is longer" in error.message:
                self._longest_line, self._in_one_piece = LONGEST_LINE, True
                return True
            if not self._in_one_piece and "quoted field" in error.message:
                self._in_one_piece = True
                self._longest_line = LONGEST_LINE if "longer" in error.message else self._longest_line
                return True
            if self._sample_only:
                self._sample_only = False
                return True
        is_mixed = any(told in error.message for told in (_MIXED_LINE_ENDS, _SEVERAL_KINDS))
        if is_mixed and not self._line_ends_rewritten:
            self._line_ends_rewritten = True
            change = partial(to_one_line_end, delimiter=self._dialect.delimiter, quote=self._dialect.quote)
            self._rewrite(change, _SEVERAL_KINDS)
            return True
        return False

    # --- preparing ---

    def _prepare(self) -> None:
        """Bring files that DuckDB cannot read as they are into UTF-8, and check that all have the same columns."""
        if self._prepared:
            return
        self._prepared = True
        can_be_gathered = self._dialect.is_utf8 and not self._begins_late
        if can_be_gathered and are_many_small(self._paths, self._files.size()):
            self._gather()
        for path in self._paths[1:]:
            if str(path) not in self._origins:
                self._check_header(path)
        self._paths.sort(key=lambda path: self._header_of(path) if self._other_orders else [])
        unpacked = unpack_bz2(self._paths, self._scratch)
        for copy, path in zip(unpacked, self._paths, strict=True):
            self._originals[str(copy)] = self._originals[str(path)]
        self._paths = unpacked
        if not self._dialect.is_utf8:
            change = partial(to_utf8, encoding=self._dialect.encoding)
            self._rewrite(change, f"it is in {self._dialect.encoding}")
        if (
            self._begins_late
        ):  # of lines to skip DuckDB takes too many, perhaps all, where they end in another way
            self._rewrite(from_first_record, "it does not begin with the first row")
        elif not self._dialect.header and any(map(_has_two_marks, self._paths)):
            self._rewrite(from_first_record, "it begins with several byte order marks")
        self._look = LineEndsInQuotes(
            self._paths, self._dialect, self._refusal, skips_spaces=self._skips_spaces
        )
        self._in_one_piece = self._look.begin()

    def _check_header(self, path: Path) -> None:
        names, lines_before = read_header(path, self._dialect)
        self._begins_late = self._begins_late or lines_before > 0
        if names == self._header:
            return
        if not self._dialect.header or sorted(names) != sorted(self._header):
            raise FatalError(
                f"{path.name} has the columns {', '.join(names)}, and {self._files.paths[0].name} has "
                f"{', '.join(self._header)}",
                hint="copy files with different columns one by one",
            )
        self._other_orders[path] = names

    def _gather(self) -> None:
        """Put small files together, under the header of the first."""
        quote, header = self._dialect.quote.encode(), self._dialect.header
        with open_bytes(self._paths[0]) as file:
            data = file.read().removeprefix(codecs.BOM_UTF8)
        first = data[: first_record_end(data, quote)] if header else b""

        def content_of(path: Path, data: bytes) -> Content | None:
            kind = line_end_of(data)
            if kind is None or self._dialect.escape or data.count(quote) % 2 or data[:1] in (b"\r", b"\n"):
                return None
            if data.startswith(codecs.BOM_UTF8 * 2):
                return None
            if is_separator_line(data):
                return None
            mark = len(codecs.BOM_UTF8) if data.startswith(codecs.BOM_UTF8) else 0
            skipped = first_record_end(data, quote, mark) if header else mark
            if data[mark:skipped] != first:
                self._check_header(path)
            if path in self._other_orders:
                return None
            rows = data[skipped:]
            is_closed = not rows or rows.endswith(b"\n")
            return Content(rows if is_closed else rows + kind, skipped, kind)

        gathered = gather(
            self._paths,
            lambda: self._scratch.folder / f"{self._scratch.new_name()}.csv",
            content_of,
            header=lambda kind: first.rstrip(b"\r\n") + kind if header else b"",
        )
        self._paths, self._origins = gathered.paths, gathered.origins
        self._originals.update((path, Path(path)) for path in gathered.origins)

    def _rewrite(self, change: Callable[[IO[bytes], IO[bytes]], bytes], because: str) -> None:
        """Read changed copies of the files instead, from the scratch folder. A change returns what it leaves out of the
        beginning.
        """
        logs.info("file_rewritten", file=self.name, because=because)
        rewritten = []
        for path in self._paths:
            if str(path) in self._origins:  # it is in shape
                rewritten.append(path)
                continue
            copy = self._scratch.folder / f"{self._scratch.new_name()}.csv"
            try:
                with open_bytes(path) as source, naming(copy), copy.open("wb") as target:
                    left_out = change(source, target)
            except FatalError as exc:
                raise FatalError(f"{self._shown(str(path))}: {exc.message}", hint=exc.hint) from exc
            self._originals[str(copy)] = self._originals[str(path)]
            self._left_out[str(copy)] = self._left_out.get(str(path), b"") + left_out
            rewritten.append(copy)
        self._paths = rewritten

    def _original(self, path: str, offset: int) -> tuple[str, int]:
        """The file that was meant to be read, and the offset in it."""
        if path not in self._origins:
            return path, offset
        original, offset = self._origins[path].of(offset)
        return str(original), offset

    def _as_written(self, path: str, line: int, offset: int) -> tuple[int, int]:
        """Line and offset in the file that was meant to be read, of a place in the one that is read instead."""
        left_out = self._left_out.get(path, b"")
        return line + len((left_out + b".").splitlines()) - 1, offset + len(left_out)

    def _refusal(self, path: Path, offset: int, message: str, hint: str) -> FatalError:
        original, offset = self._original(str(path), offset)
        [line] = line_numbers(Path(original), [offset])
        line, _ = self._as_written(original, line, offset)
        return FatalError(f"{self._shown(original)}:{line}: {message}", hint=hint)

    def _shown(self, path: str) -> str:
        return self._files.name(self._originals[path])


def _has_two_marks(path: Path) -> bool:
    """Whether a file begins with two byte order marks, of which DuckDB passes over the first."""
    with open_bytes(path) as file:
        return file.read(2 * len(codecs.BOM_UTF8)) == codecs.BOM_UTF8 * 2
