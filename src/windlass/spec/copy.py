"""The model of a `copy` task: its two ends, which rows are good, and what happens to the others."""

from __future__ import annotations

import posixpath
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from windlass.errors import FatalError
from windlass.options import FileToWrite
from windlass.spec.ends import CopyEnd, OptionsOf
from windlass.spec.fields import BadRows, Lookback, Name
from windlass.spec.model import Model, refusal
from windlass.workspace import is_stored, local_path, require_not_of_project, scheme_of

__all__ = [
    "ColumnRules",
    "Copy",
    "Incremental",
    "Partition",
    "QuarantineTo",
    "SelectColumn",
    "Validate",
    "require_one_object",
]


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
    """What every value of a column, as the destination gets it, must satisfy. A NULL satisfies all but `not_null`."""

    not_null: bool = False
    """No value may be NULL."""

    min: int | float | str | None = None
    """At least this: a number; a date or time in ISO 8601, which is UTC without a zone; or text, by its code points."""

    max: int | float | str | None = None
    """At most this: a number, date, time or text, as for `min`."""

    accepted: list[str | int | float | bool] | None = None
    """One of these."""

    pattern: str | None = None
    """Text that contains a match of this regular expression (RE2 syntax)."""

    max_length: int | None = Field(default=None, ge=0)
    """Text of at most this many characters (Unicode code points)."""


class Validate(Model):
    """Which rows are good. The others are bad rows: see `on_bad_row`."""

    columns: dict[str, ColumnRules] = Field(default_factory=dict)
    """Rules per column of the destination."""

    json_schema: str | None = None
    """A JSON Schema file, relative to the project, that every row must satisfy as an object: with the names and types that `select` gives it. A number for
    which the destination has only text is one still."""


def require_one_object(path: str, connection: str | None) -> None:
    """Refuse what is not one object where a store is meant, an address where its bucket is the connection's, and a file
    that the project itself is made of.
    """
    written = path.partition("{{")[0]
    if connection is None and written == path and not is_stored(path):
        _refuse_file_of_project(path)
    if connection is not None and scheme_of(written) is not None:
        raise refusal(f"`path` is a key in the bucket of `connection`: leave the bucket out; got {path!r}")
    if (connection is not None or is_stored(written)) and path.endswith("/"):
        raise refusal(f"`path` is the key of one object, and {path!r} is a prefix")


def _refuse_file_of_project(path: str) -> None:
    try:
        require_not_of_project(local_path(path), path)
    except FatalError as exc:
        raise refusal(f"`path`: {exc.message}") from exc


class QuarantineTo(Model):
    """Where the bad rows wait. Default: beside the state of the run."""

    path: FileToWrite | None = None
    """An NDJSON file, relative to the workspace, or the address of an object, such as `s3://bucket/key`; with `connection`
    the key of one."""

    connection: Name | None = None
    """The connection of `table`, or the one whose bucket `path` is in."""

    table: str | None = None
    """A table, created when it is missing."""

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.path is None) == (self.table is None) or (self.table is not None and not self.connection):
            raise refusal("needs either `path`, or `connection` with `table`")
        if self.path is not None:
            require_one_object(self.path, self.connection)
        return self


class Incremental(Model):
    """Read only what is new since the last run."""

    cursor: str | None = None
    """A column that only grows, such as `updated_at` or a serial `id`. A table of Postgres needs none."""

    lookback: Lookback | None = None
    """How far below its highest value a row may come late: a duration such as `1h`, or a number."""

    nulls: Literal["fail", "skip", "read"] = "fail"
    """What becomes of rows without a value in the cursor. `read` reads them each time, for `mode: merge`."""


class Partition(Model):
    """Split one copy from Postgres to Postgres into parts that run at once; with a column in `by`, from MySQL, too, on Airflow and Argo in tasks of their own."""

    by: str = "ctid"
    """`ctid` (the physical order of a Postgres table), or a column of numbers, dates or times."""

    parts: int = Field(default=2, ge=1, le=64)
    """How many parts."""


class Copy(Model):
    """Copy rows from a source to a destination."""

    from_: Annotated[CopyEnd, OptionsOf("Source")] = Field(alias="from")
    """Where the rows come from: files by their `path`, or a `connection` with what its type takes."""

    to: Annotated[CopyEnd, OptionsOf("Destination")]
    """Where the rows go: files by their `path`, or a `connection` with what its type takes."""

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

    on_new_column: Literal["fail", "add", "ignore"] = "fail"
    """What becomes of a column of the source that the destination does not have: the task fails, the column is added to
    the destination (older rows have NULL in it), or it is not copied. One that `select` names is never ignored."""

    on_missing_column: Literal["null", "fail"] = "null"
    """What becomes of a column of the destination that the source does not have: new rows have its default or NULL, or
    the task fails."""

    on_type_change: Literal["keep", "widen"] = "keep"
    """What becomes of a column whose type at the source holds more than the destination's: its type is kept, and a value
    that does not fit is a bad row; or it is widened to one that loses nothing, such as `integer` to `bigint`."""

    engine: Name | None = None
    """The connection whose machines do the copy, of type `spark`: files of a folder that all of them have are read, cast and
    checked there, piece by piece. Default: the process of the task."""

    @model_validator(mode="after")
    def _quarantine_is_on(self) -> Self:
        if self.on_bad_row == "fail" and (self.max_bad_rows is not None or self.quarantine):
            raise refusal("`max_bad_rows` and `quarantine` need `on_bad_row: quarantine`")
        return self

    @model_validator(mode="after")
    def _keeps_what_it_reads(self) -> Self:
        target, read = _file_of(self.to), _file_of(self.from_)
        if target is None or not target.endswith("/"):
            return self
        folder = posixpath.normpath(target)
        if read is not None and _is_in(posixpath.normpath(read), folder):
            raise refusal(
                f"`to`: {target} would be exchanged as a whole, and `from` reads {read}, which is in it"
            )
        return self

    @model_validator(mode="after")
    def _keeps_what_is_not_new(self) -> Self:
        if self.incremental is None:
            return self
        mode = self.to.options.get("mode", "replace")
        if mode not in ("append", "merge"):
            raise refusal(f"`incremental` reads only what is new, and `mode: {mode}` would remove the rest")
        if self.incremental.nulls == "read" and mode != "merge":
            raise refusal("`nulls: read` reads rows again, and so needs `mode: merge`")
        return self


def _file_of(end: CopyEnd) -> str | None:
    """The path of an end on this machine, where it is known before a run."""
    path = end.options.get("path") if end.connection is None else None
    if not isinstance(path, str) or "{{" in path or scheme_of(path) not in (None, "file"):
        return None
    return local_path(path)


def _is_in(path: str, folder: str) -> bool:
    """Whether it is that folder or in it; both as they are written, so of one of them it may have to be found out later."""
    if posixpath.isabs(path) != posixpath.isabs(folder):
        return False
    if folder == ".":
        return not path.startswith("..")
    return posixpath.commonpath((path, folder)) == folder
