"""The models of the kinds of task that windlass itself executes, other than `copy`."""

from __future__ import annotations

from typing import Annotated, Literal, Self, TypeAlias

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler, WithJsonSchema, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from windlass.options import Duration, FilePath, FileToRead, FileToWrite
from windlass.spec.commands import Run, Service
from windlass.spec.copy import Copy, require_one_object
from windlass.spec.ends import CopyEnd, OptionsOf
from windlass.spec.fields import FilledName, Header, Name, OneOrMany, Sha256
from windlass.spec.model import Model, refusal

__all__ = [
    "Check",
    "Download",
    "FileTo",
    "Freshness",
    "Kind",
    "Notify",
    "RowCount",
    "Sql",
    "Subject",
    "Trigger",
]


class Sql(Model):
    """Run SQL on a connection, or on DuckDB over files."""

    connection: Name | None = None
    """Where it runs. Default: an in-memory DuckDB that reads and writes files of the workspace."""

    statement: str | None = None
    """One or more SQL statements."""

    file: FilePath | None = None
    """A file with the statements, relative to the project."""

    transaction: bool = True
    """Whether all statements are one transaction; turn it off for VACUUM and its like."""

    @model_validator(mode="after")
    def _one_text(self) -> Self:
        if (self.statement is None) == (self.file is None):
            raise refusal("needs exactly one of `statement` and `file`")
        return self


class FileTo(Model):
    """Where a file is put: in the workspace, or in a store of objects."""

    path: FileToWrite
    """The file to write, relative to the workspace, or the address of an object, such as `s3://bucket/key`; with
    `connection` the key of one."""

    connection: Name | None = None
    """The connection whose bucket it is put into."""

    @model_validator(mode="after")
    def _one_object(self) -> Self:
        require_one_object(self.path, self.connection)
        return self


class _OrPath:
    """Makes the JSON Schema of where a file is put also accept its path."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"anyOf": [{"type": "string"}, handler(schema)]}


def _as_path(value: object) -> object:
    return {"path": value} if isinstance(value, str) else value


class Download(Model):
    """Download a file over HTTP: resumed where it broke off, checked, and put into place whole."""

    url: str | None = None
    """The address of the file."""

    connection: Name | None = None
    """An `http` connection, instead of `url`."""

    path: str | None = None
    """The path on the connection."""

    to: Annotated[FileTo, BeforeValidator(_as_path), _OrPath()]
    """The file to write: its path, relative to the workspace, or in a store `s3://bucket/key`; or `{connection, path}`."""

    sha256: Sha256 | None = None
    """The SHA-256 of the whole file, in hexadecimal. Not checked where a template makes it empty."""

    headers: dict[Header, str] = Field(default_factory=dict)
    """Request headers; no secrets."""

    @model_validator(mode="after")
    def _one_address(self) -> Self:
        if (self.url is None) == (self.connection is None or self.path is None):
            raise refusal("needs either `url`, or `connection` with `path`")
        written = (self.url or "").partition("{{")[0]
        if written and not _may_be_of_web(written, is_whole=written == self.url):
            raise refusal(f"`url` is an http:// or https:// address, got {self.url!r}")
        return self


def _may_be_of_web(written: str, *, is_whole: bool) -> bool:
    """Whether the address, or what stands in front of its first template, is one of HTTP."""
    schemes = ("http://", "https://")
    return written.startswith(schemes) or (not is_whole and any(s.startswith(written) for s in schemes))


class RowCount(Model):
    """How many rows there must be."""

    exactly: int | None = Field(default=None, ge=0)
    """Exactly this many."""

    min: int | None = Field(default=None, ge=0)
    """At least this many."""

    max: int | None = Field(default=None, ge=0)
    """At most this many."""


class Freshness(Model):
    """How old the newest row may be."""

    column: str
    """A date or time column."""

    within: Duration
    """The greatest age of its newest value, at the time of the check."""


def _row_count(value: object) -> object:
    return {"exactly": value} if isinstance(value, int) and not isinstance(value, bool) else value


def _column_lists(value: object) -> object:
    """`id` and `[id]` and `[[a, b]]` are all lists of lists of columns."""
    if isinstance(value, str):
        return [[value]]
    if isinstance(value, list):
        return [[item] if isinstance(item, str) else item for item in value]
    return value


class _OrNumber:
    """Makes the JSON Schema of `rows` also accept a number."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"anyOf": [handler(schema), {"type": "integer", "minimum": 0}]}


_COLUMNS = {"type": "array", "items": {"type": "string"}}
_COLUMN_LISTS = {
    "anyOf": [{"type": "string"}, {"type": "array", "items": {"anyOf": [{"type": "string"}, _COLUMNS]}}]
}


class Subject(Model):
    """Some rows: those of a table, a query, a file, or anything that a copy reads."""

    connection: Name | None = None
    """Where the table or query is. Default: DuckDB over files of the workspace."""

    table: str | None = None
    """The table whose rows are looked at."""

    query: str | None = None
    """A SELECT whose rows are looked at."""

    path: FileToRead | None = None
    """A file whose rows are looked at."""

    from_: Annotated[CopyEnd | None, OptionsOf("Source")] = Field(default=None, alias="from")
    """Anything that a copy reads, said as in its `from`: a collection, the records of an API, files with options. It is read
    whole, and looked at as a file is."""

    @property
    def subjects(self) -> int:
        """How many of the ways to name rows are used."""
        return 4 - [self.table, self.query, self.path, self.from_].count(None)

    @model_validator(mode="after")
    def _connection_is_of_a_table_or_query(self) -> Self:
        if self.table is not None and self.connection is None:
            raise refusal("`table` needs `connection`")
        if self.path is not None and self.connection is not None:
            raise refusal("`path` is a file of the workspace and takes no `connection`")
        if self.from_ is not None and self.connection is not None:
            raise refusal("`from` says its `connection` itself")
        return self


class Check(Subject):
    """Assert that data is as expected. Everything asserted is tried; what fails is shown with sample rows."""

    rows: Annotated[RowCount | None, BeforeValidator(_row_count), _OrNumber()] = None
    """How many rows there must be: a number, or `min` and `max`."""

    unique: Annotated[list[list[str]], BeforeValidator(_column_lists), WithJsonSchema(_COLUMN_LISTS)] = []
    """Columns, or lists of columns, whose values occur once."""

    not_null: OneOrMany[str] = []
    """Columns without NULL."""

    accepted: dict[str, list[str | int | float | bool]] = Field(default_factory=dict)
    """The values that a column may have."""

    freshness: Freshness | None = None
    """How old the newest row may be."""

    expressions: OneOrMany[str] = []
    """SQL expressions that are true for every row."""

    json_schema: str | None = None
    """A JSON Schema file, relative to the project, that every row satisfies as an object."""

    @model_validator(mode="after")
    def _one_subject_and_something_asserted(self) -> Self:
        if self.subjects != 1:
            raise refusal("needs exactly one of `table`, `query`, `path` and `from`")
        asserted = (self.rows, self.unique, self.not_null, self.accepted)
        if not any((*asserted, self.freshness, self.expressions, self.json_schema)):
            raise refusal("asserts nothing; add `rows`, `unique`, `not_null`, `expressions` and the like")
        return self


class Notify(Subject):
    """Tell somebody what the data says: a message, or rows, when a condition holds."""

    to: OneOrMany[Name] = Field(min_length=1)
    """The connections that are told: of type `slack`, `teams`, `smtp`, `webhook`, `pagerduty`, or any other that takes messages."""

    message: str
    """What they are told; its first line is the headline. `{rows}` in it is how many rows there are, `{COLUMN}` a value of the first one."""

    when: str = "count(*) > 0"
    """An SQL expression over all rows, such as `sum(open) > 10`. Nobody is told unless it is true."""

    each: Literal["run", "row"] = "run"
    """Whether there is one message with the rows, or one of each row."""

    limit: int = Field(default=100, ge=1, le=1_000)
    """The most rows that are told."""

    @model_validator(mode="after")
    def _rows_where_they_are_needed(self) -> Self:
        if self.subjects > 1:
            raise refusal("takes one of `table`, `query`, `path` and `from`")
        if self.subjects == 0 and self.model_fields_set & {"when", "each", "limit", "connection"}:
            raise refusal(
                "`when`, `each`, `limit` and `connection` are about rows; add `table`, `query`, `path` or `from`"
            )
        return self


class Trigger(Model):
    """Run another pipeline of the project."""

    pipeline: FilledName
    """The pipeline to run."""

    params: dict[Name, str | int | float | bool | None] = Field(default_factory=dict)
    """Its parameters."""

    wait: bool = True
    """Whether to wait for its end, and succeed only if it does."""


Kind: TypeAlias = Copy | Sql | Run | Download | Check | Notify | Trigger | Service
