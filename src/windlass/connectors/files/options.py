"""The keys of `from:` and `to:` for files."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from windlass.connectors.options import DestinationOptions, SourceOptions
from windlass.options import Character, FileToRead, FileToWrite, Minimum, OneOrMany, Options, Size

__all__ = ["Csv", "Destination", "Excel", "FileFormat", "Parquet", "ReadFormat", "Source"]

FileFormat: TypeAlias = Literal["csv", "json", "ndjson", "parquet"]
ReadFormat: TypeAlias = Literal["csv", "json", "ndjson", "parquet", "excel"]


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


class Excel(Options):
    """Where in an Excel file the rows are."""

    sheet: str | None = None
    """The name of the sheet. Default: the first."""

    range: str | None = None
    """The cells, such as `A3:F200`, or the columns, such as `A:F`. Default: all; rows without a value are passed over."""

    header: bool = True
    """Whether the first row names the columns; without it they are `column0`, `column1` and so on."""


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

    path: FileToWrite
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
        return super().refusal()
