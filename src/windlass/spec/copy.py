"""The model of a `copy` task: its two ends, which rows are good, and what happens to the others."""

from __future__ import annotations

from typing import Annotated, Literal, Self, TypeAlias

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from windlass.options import FilePath
from windlass.spec.ends import CopyEnd, OptionsOf
from windlass.spec.fields import BadRows, Lookback, Name
from windlass.spec.model import Model, refusal

__all__ = [
    "ColumnRules",
    "Copy",
    "Incremental",
    "Partition",
    "QuarantineTo",
    "SelectColumn",
    "Validate",
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
    """A JSON Schema file, relative to the project, that every row must satisfy as an object."""


class QuarantineTo(Model):
    """Where the bad rows wait. Default: beside the state of the run."""

    path: FilePath | None = None
    """An NDJSON file, relative to the workspace."""

    connection: Name | None = None
    """The connection of `table`."""

    table: str | None = None
    """A table, created when it is missing."""

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.path is None) == (self.connection is None or self.table is None):
            raise refusal("needs either `path`, or `connection` with `table`")
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
    """Split one copy into parts that run at once; with a column in `by`, on Airflow in tasks of their own."""

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

    @model_validator(mode="after")
    def _quarantine_is_on(self) -> Self:
        if self.on_bad_row == "fail" and (self.max_bad_rows is not None or self.quarantine):
            raise refusal("`max_bad_rows` and `quarantine` need `on_bad_row: quarantine`")
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
