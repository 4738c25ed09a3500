"""Parquet in Google Cloud Storage: BigQuery reads it by a load job, and no row passes through this machine.

The job fills the stage, and the load is committed from there like every other. It is for rows that go into the table as they
are: what needs a look at values (types that differ, rules, a key, an interval, nested columns, times that BigQuery does not
have) goes through this machine. So does what BigQuery refuses, whose rows are then judged one by one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from windlass.connectors.bigquery.credentials import is_emulator
from windlass.connectors.bigquery.fields import Field
from windlass.connectors.bigquery.writing.columns import as_wanted
from windlass.connectors.bigquery.writing.destination import BigqueryLoad
from windlass.connectors.bigquery.writing.parquet import Footer, footer_of
from windlass.connectors.destination import Load, Quarantine, Shortcut, ShortcutRefusedError
from windlass.connectors.matching import alike, match_columns
from windlass.connectors.rows import Counts, Meter
from windlass.connectors.source import HasObjects, Reading, Source, StoredObjects
from windlass.errors import FatalError, RetryableError
from windlass.plan.model import ColumnRules, Copy
from windlass.storage.objects import ChangedError, Object, Store

__all__ = ["from_objects"]

_MOST = 1_000  # objects: of each the footer is read here
_AT_ONCE = 16
_MODES = ("append", "replace")
_PLAIN = re.compile(r"[A-Za-z_]\w{0,299}", re.ASCII)


def from_objects(source: Source, load: Load, reading: Reading, copy: Copy) -> Shortcut | None:
    """The way, if BigQuery can be left to read the objects."""
    assert isinstance(source, HasObjects)
    if not isinstance(load, BigqueryLoad):  # of what stands in for BigQuery
        return None
    given = source.objects()
    if given is None or _looks_at_rows(reading, copy) or not _are_within_reach(given, load):
        return None
    footer = _footer(given)
    if footer is None:
        return None
    wanted = _wanted(footer.fields, load, copy)
    return None if wanted is None else FromObjects(load, given, footer, wanted)


def _looks_at_rows(reading: Reading, copy: Copy) -> bool:
    """Whether the copy asks for more than all rows as they are."""
    only_some = (reading.since, reading.interval, reading.part, copy.partition)
    ruled = copy.validate.json_schema is not None or copy.validate.columns
    changes = copy.on_type_change == "widen" or copy.destination.mode not in _MODES
    return bool(ruled or changes or any(each is not None for each in only_some))


def _are_within_reach(given: StoredObjects, load: BigqueryLoad) -> bool:
    """Whether BigQuery gets to the objects, and there is nothing that their paths say."""
    store = given.store
    if given.format != "parquet" or not store.name.startswith("gs://") or len(given.found) > _MOST:
        return False
    if getattr(store, "is_elsewhere", False) and not is_emulator(load.connection.address):
        return False
    keys = [found.key for found in given.found]  # a star would be a pattern to BigQuery
    return not any("*" in key or "=" in key.rpartition("/")[0] for key in keys)


def _footer(given: StoredObjects) -> Footer | None:
    """The columns of all objects, if they have the same, and how many rows they have together."""
    with ThreadPoolExecutor(_AT_ONCE, "footers") as pool:
        footers = list(pool.map(lambda found: footer_of(given.store, found), given.found))
    first, rows = footers[0], 0
    for footer in footers:
        if first is None or footer is None or footer.fields != first.fields:
            return None
        rows += footer.rows
    return None if first is None else Footer(first.fields, rows)


def _wanted(fields: Sequence[Field], load: BigqueryLoad, copy: Copy) -> tuple[str, ...] | None:
    """The columns to load; None where not all of them go into the table as they are."""
    there = {field.name: field for field in fields}
    names = list(there)
    if alike([field.name for field in fields]) or not all(map(_PLAIN.fullmatch, names)):
        return None
    target = None if load.is_new else [as_wanted(field) for field in load.known]
    matches = match_columns(copy, names, target)
    for match in matches:
        if match.type is not None or match.name != match.source or match.rules != ColumnRules():
            return None
        if not load.is_new and not _goes_into(there[match.name], load.has(match.name)):
            return None
    return tuple(match.name for match in matches)


def _goes_into(field: Field, column: Field | None) -> bool:
    """Whether every value of the one is one of the other, with nothing to be done."""
    if column is None or column.is_nested or column.required or column.type != field.type:
        return False
    if field.digits is None or column.digits is None:
        return column.max_length is None
    (digits, scale), (room, places) = field.digits, column.digits
    return digits - scale <= room - places and scale <= places


@dataclass
class FromObjects:
    """One load. Implements `Shortcut`."""

    load: BigqueryLoad
    given: StoredObjects
    footer: Footer
    wanted: tuple[str, ...]
    way: str = "gcs → load job"
    reads_here: bool = False
    mark: str | None = None

    @property
    def missing(self) -> tuple[str, ...]:
        return tuple(
            field.name for field in self.load.known if not field.has_default and field.name not in self.wanted
        )

    def run(self, counts: Counts, quarantine: Quarantine, meter: Meter) -> None:
        addresses = [f"{self.given.store.name}/{found.key}" for found in self.given.found]
        try:
            arrived = self.load.fill(self.footer.fields, self.wanted, addresses)
        except FatalError as exc:
            raise ShortcutRefusedError(exc.message, hint=exc.hint, code=exc.code) from exc
        if arrived != self.footer.rows:
            raise RetryableError(f"the objects have {self.footer.rows} rows, and BigQuery has read {arrived}")
        _require_unchanged(self.given.store, self.given.found)
        size = sum(found.size for found in self.given.found)
        counts.read, counts.written, counts.bytes = arrived, arrived, size
        meter(arrived, size)


def _require_unchanged(store: Store, objects: Sequence[Object]) -> None:
    """Raise ChangedError when BigQuery, which reads what is there, may have read others than those that were listed."""

    def look(found: Object) -> None:
        now = store.look(found.key)
        if now is None or now.version != found.version:
            raise ChangedError(f"{store.name}/{found.key} has changed while BigQuery read it")

    with ThreadPoolExecutor(_AT_ONCE, "versions") as pool:
        list(pool.map(look, objects))
