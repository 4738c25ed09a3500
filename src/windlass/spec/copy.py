"""The model of a `copy` task: its two ends, which rows are good, and what happens to the others."""

from __future__ import annotations

from typing import Annotated, Literal, Self, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from windlass.spec.fields import BadRows, Name, OneOrMany, Size
from windlass.spec.model import Model, refuse

__all__ = [
    "ColumnRules",
    "Copy",
    "CsvOptions",
    "Destination",
    "Endpoint",
    "Incremental",
    "ParquetOptions",
    "Partition",
    "QuarantineTo",
    "SelectColumn",
    "Source",
    "Validate",
]

FileFormat: TypeAlias = Literal["csv", "json", "ndjson", "parquet"]


def _one_character(value: str) -> str:
    if len(value) != 1:
        raise PydanticCustomError("one_character", "expected exactly one character")
    return value


Character: TypeAlias = Annotated[
    str,
    AfterValidator(_one_character),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 1}),
]


class CsvOptions(Model):
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

    null: str = ""
    """What an unquoted field that means NULL looks like."""


class ParquetOptions(Model):
    """How a Parquet file is written."""

    compression: Literal["zstd", "snappy", "gzip", "lz4", "none"] = "snappy"
    """The codec of its column chunks."""

    row_group_size: int = Field(default=122_880, ge=1)
    """Rows in a row group."""


class Endpoint(Model):
    """What the two ends of a copy have in common."""

    connection: Name | None = None
    """The connection that the table lives on."""

    table: str | None = None
    """The table, as `name` or `schema.name`."""

    path: str | None = None
    """A file or folder, relative to the workspace."""

    format: FileFormat | None = None
    """The file's format. Default: by its ending (`.csv`, `.tsv`, `.json`, `.ndjson`, `.jsonl`, `.parquet`, each also `.gz` or `.zst`)."""

    csv: CsvOptions = CsvOptions()
    """How the CSV is written down."""


class Source(Endpoint):
    """Where the rows come from: a table or a query on a connection, or files."""

    query: str | None = None
    """A SELECT instead of a table."""

    columns: dict[str, str] = Field(default_factory=dict)
    """For files: the type of a column that is not to be inferred, such as `zip: text`."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.path is not None:
            if self.connection or self.table or self.query:
                raise refuse("give either `path`, or `connection` with `table` or `query`")
        elif self.connection is None:
            raise refuse("needs `connection` with `table` or `query`, or `path`")
        elif (self.table is None) == (self.query is None):
            raise refuse("a connection needs exactly one of `table` and `query`")
        if self.columns and self.path is None:
            raise refuse("`columns` is for files; use `select` to cast a table's columns")
        return self


class Destination(Endpoint):
    """Where the rows go: a table on a connection, or files."""

    mode: Literal["append", "replace", "merge", "delete_insert"] = "replace"
    """What happens to the rows already there."""

    key: OneOrMany[str] = []
    """For `merge`: the columns that identify a row."""

    interval: str | None = None
    """For `delete_insert`: the column whose rows in the run's data interval are replaced."""

    parquet: ParquetOptions = ParquetOptions()
    """How Parquet is written."""

    partition_by: OneOrMany[str] = []
    """For a folder: one subfolder a value of these columns (`column=value/`)."""

    max_file_size: Size | None = None
    """For a folder: begin another file when one has about this size."""

    @model_validator(mode="after")
    def _one_destination(self) -> Self:
        if self.path is not None and (self.connection or self.table):
            raise refuse("give either `path`, or `connection` with `table`")
        if self.path is None and (self.connection is None or self.table is None):
            raise refuse("needs `connection` with `table`, or `path`")
        return self

    @model_validator(mode="after")
    def _mode_has_its_columns(self) -> Self:
        if self.mode == "merge" and not self.key:
            raise refuse("`mode: merge` needs `key`, the columns that identify a row")
        if self.mode == "delete_insert" and self.interval is None:
            raise refuse("`mode: delete_insert` needs `interval`, a date or time column")
        if self.key and self.mode != "merge":
            raise refuse(f"`key` is for `mode: merge`, and the mode is {self.mode}")
        if self.interval is not None and self.mode != "delete_insert":
            raise refuse(f"`interval` is for `mode: delete_insert`, and the mode is {self.mode}")
        return self

    @model_validator(mode="after")
    def _folder_options_have_a_folder(self) -> Self:
        if self.partition_by or self.max_file_size:
            if self.path is None or not self.path.endswith("/"):
                raise refuse("`partition_by` and `max_file_size` need a folder: a `path` that ends in /")
            if self.mode in ("merge", "delete_insert"):
                raise refuse(f"a folder of files cannot be a destination of `mode: {self.mode}`")
        return self


class SelectColumn(Model):
    """A column of the destination."""

    from_: str | None = Field(default=None, alias="from")
    """The column of the source. Default: the one of the same name."""

    type: str | None = None
    """The type to cast it to, such as `numeric(12,2)`, `date` or `timestamptz`."""


def _select(value: object) -> object:
    """`[a, b]` means `{a: a, b: b}`, and `{new: old}` means `{new: {from: old}}`."""
    if isinstance(value, list):
        return {str(name): {"from": name} for name in value}
    if isinstance(value, dict):
        return {k: {"from": v} if isinstance(v, str) else ({} if v is None else v) for k, v in value.items()}
    return value


Select: TypeAlias = Annotated[
    dict[str, SelectColumn],
    BeforeValidator(_select),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "array", "items": {"type": "string"}},
                {
                    "type": "object",
                    "additionalProperties": {
                        "anyOf": [
                            {"type": "string"},
                            {"type": "null"},
                            {
                                "type": "object",
                                "properties": {
                                    name: {"type": ["string", "null"]} for name in ("from", "type")
                                },
                                "additionalProperties": False,
                            },
                        ]
                    },
                },
            ]
        }
    ),
]


class ColumnRules(Model):
    """What every value of a column must satisfy. A NULL satisfies all but `not_null`."""

    not_null: bool = False
    """No NULL."""

    min: int | float | str | None = None
    """At least this: a number, or a date or time as text."""

    max: int | float | str | None = None
    """At most this."""

    accepted: list[str | int | float | bool] | None = None
    """One of these."""

    pattern: str | None = None
    """Text that contains a match of this regular expression (RE2 syntax)."""

    max_length: int | None = Field(default=None, ge=0)
    """Text of at most so many characters."""


class Validate(Model):
    """Which rows are good. The others are bad rows: see `on_bad_row`."""

    columns: dict[str, ColumnRules] = Field(default_factory=dict)
    """Rules per column of the destination."""

    json_schema: str | None = None
    """A JSON Schema file, relative to the project, that every row must satisfy as an object."""


class QuarantineTo(Model):
    """Where the bad rows wait. Default: beside the state of the run."""

    path: str | None = None
    """An NDJSON file, relative to the workspace."""

    connection: Name | None = None
    """The connection of `table`."""

    table: str | None = None
    """A table; made when it is missing."""

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.path is None) == (self.connection is None or self.table is None):
            raise refuse("needs either `path`, or `connection` with `table`")
        return self


class Incremental(Model):
    """Read only what is new since the last run."""

    cursor: str
    """A column that only grows, such as `updated_at` or a serial `id`."""


class Partition(Model):
    """Split one copy into parts that run at once; with a column in `by`, on Airflow in tasks of their own."""

    by: str = "ctid"
    """`ctid` (the physical order of a Postgres table), or a column of numbers, dates or times."""

    parts: int = Field(default=2, ge=1, le=64)
    """How many parts."""


class Copy(Model):
    """Copy rows from a source to a destination."""

    from_: Source = Field(alias="from")
    """Where the rows come from."""

    to: Destination
    """Where the rows go."""

    select: Select = Field(default_factory=dict)
    """Which columns, under which names and types. A list of names, `new: old`, or `new: {from, type}`."""

    validate_: Validate = Field(default=Validate(), alias="validate")
    """Which rows are good."""

    on_bad_row: Literal["fail", "quarantine"] = "fail"
    """What happens when a row cannot be loaded: the task fails, or the row is quarantined with its reason."""

    max_bad_rows: BadRows | None = None
    """With `quarantine`: more than this many (or this share) fail the task, and nothing is loaded."""

    quarantine: QuarantineTo | None = None
    """Where the bad rows wait."""

    incremental: Incremental | None = None
    """Read only what is new since the last run."""

    partition: Partition | None = None
    """Split the copy into parts that run at once."""

    @model_validator(mode="after")
    def _quarantine_is_on(self) -> Self:
        if self.on_bad_row == "fail" and (self.max_bad_rows is not None or self.quarantine):
            raise refuse("`max_bad_rows` and `quarantine` need `on_bad_row: quarantine`")
        return self
