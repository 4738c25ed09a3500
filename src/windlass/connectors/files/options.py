"""The keys of `from:` and `to:` for files."""

from __future__ import annotations

import codecs
import re
from typing import Annotated, Literal

from windlass.connectors.files.formats import (
    FileFormat,
    ReadFormat,
    format_to_write,
    require_writable_compression,
)
from windlass.connectors.options import DestinationOptions, SourceOptions
from windlass.errors import Code, FatalError
from windlass.options import Character, FileOfRows, FileToRead, Minimum, OneOrMany, Options, Size

__all__ = ["CELLS", "Csv", "Destination", "Excel", "FileFormat", "Parquet", "ReadFormat", "Source"]

CELLS = re.compile(r"([A-Za-z]{1,3})(\d+)?:([A-Za-z]{1,3})(\d+)?")
"""Two corners, or two columns."""


class Csv(Options):
    """How a CSV file is written down. RFC 4180 where nothing is said."""

    delimiter: Character | None = None
    """What separates fields. Default: `,`; for reading, the one of `, ; tab |` that the first line has most of."""

    quote: Character = '"'
    """What surrounds a field that contains a delimiter, a quote or a line end."""

    escape: Character | None = None
    """What stands before a quote inside a quoted field. Default: the quote itself, doubled."""

    header: bool = True
    """Whether the first line names the columns; without it they are `column0`, `column1` and so on."""

    encoding: str = "utf-8"
    """The encoding of the text, by its Python or IANA name."""

    skip_spaces: bool = False
    """Whether spaces between a delimiter and a quote are passed over when a file is read. Else they are an error."""

    null: str = ""
    """What an unquoted field that means NULL looks like."""

    @property
    def is_utf8(self) -> bool:
        return codecs.lookup(self.encoding).name == "utf-8"

    def refusal(self) -> str | None:
        if not _is_template(self.encoding):
            _require_encoding(self.encoding)
        return super().refusal()


class Excel(Options):
    """Where in an Excel file the rows are."""

    sheet: str | None = None
    """The name of the sheet. Default: the first."""

    range: str | None = None
    """The cells, such as `A3:F200`, or the columns, such as `A:F`. Default: all; rows without a value are passed over."""

    header: bool = True
    """Whether the first row names the columns; without it they are `column0`, `column1` and so on."""

    def refusal(self) -> str | None:
        if self.range and not _is_template(self.range) and CELLS.fullmatch(self.range) is None:
            return f"`range` {self.range!r}: expected two corners such as A3:F200, or columns such as A:F"
        return super().refusal()


class Parquet(Options):
    """How a Parquet file is written."""

    compression: Literal["zstd", "snappy", "gzip", "lz4", "none"] = "snappy"
    """The codec of its column chunks."""

    row_group_size: Annotated[int, Minimum(1)] = 122_880
    """Rows in a row group."""


class Source(SourceOptions):
    """A file, the files of a folder, or those of a pattern."""

    path: FileToRead
    """A file, a folder or a pattern, relative to the workspace; in a store of objects, `s3://bucket/key`; or the `http(s)://` address of a file."""

    format: ReadFormat | None = None
    """The file's format. Default: by its ending (`.csv`, `.tsv`, `.txt`, `.json`, `.ndjson`, `.jsonl`, `.parquet`, `.pq`, each also `.gz`, `.zst` or `.bz2`; `.xlsx`, `.xlsm`)."""

    csv: Csv = Csv()
    """How the CSV is written down."""

    excel: Excel = Excel()
    """Where in an Excel file the rows are."""

    columns: dict[str, str] = {}
    """The type of a column that is not to be inferred, such as `zip: text`."""


class Destination(DestinationOptions):
    """A file, or a folder of files."""

    path: FileOfRows
    """A file, or a folder where it ends in `/`, relative to the workspace; or in a store of objects: `s3://bucket/key`."""

    format: FileFormat | None = None
    """The file's format. Default: by its ending (`.csv`, `.tsv`, `.txt`, `.json`, `.ndjson`, `.jsonl`, `.parquet`, `.pq`, each also `.gz` or `.zst`); Parquet in a folder."""

    csv: Csv = Csv()
    """How the CSV is written down."""

    parquet: Parquet = Parquet()
    """How Parquet is written."""

    partition_by: OneOrMany[str] = ()
    """For a folder: one subfolder a value of these columns (`column=value/`)."""

    max_file_size: Size | None = None
    """For a folder: begin another file when one has about this size."""

    @property
    def is_folder(self) -> bool:
        return self.path.endswith("/")

    def refusal(self) -> str | None:
        if self.mode == "delete_insert":
            return "files cannot be written with `mode: delete_insert`; use `replace` or `append`"
        if (self.partition_by or self.max_file_size) and not self.is_folder:
            return "`partition_by` and `max_file_size` need a folder: a `path` that ends in /"
        if self.is_folder and self.mode == "merge":
            return "a folder of files cannot be written with `mode: merge`; use `replace` or `append`"
        if not _is_template(self.csv.encoding) and not self.csv.is_utf8:
            raise FatalError("CSV is written in UTF-8 only", hint="leave `encoding` out")
        if not _is_template(self.path):
            require_writable_compression(self.path)
        return super().refusal()

    def refusal_unseen(self) -> str | None:
        if not _is_template(self.path):
            self.format_written()
        return super().refusal_unseen()

    def format_written(self) -> FileFormat:
        """Which format the files get. Raises FatalError when the name does not tell."""
        return self.format or ("parquet" if self.is_folder else format_to_write(self.path))


def _is_template(text: str) -> bool:
    """Whether it is known only when a run fills it in."""
    return "{{" in text


def _require_encoding(encoding: str) -> None:
    try:
        codecs.lookup(encoding)
    except LookupError as exc:
        hint = "expected a name such as utf-8, latin-1, cp1252 or utf-16"
        raise FatalError(f"unknown encoding {encoding!r}", hint=hint, code=Code.ENCODING) from exc
