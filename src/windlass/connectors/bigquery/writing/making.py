"""Making a table, and columns for one that is there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from windlass.connectors.bigquery.client import Connection
from windlass.connectors.bigquery.fields import Field
from windlass.connectors.bigquery.options import Destination, Partition
from windlass.connectors.bigquery.sql import TableName, name
from windlass.errors import FatalError, did_you_mean

if TYPE_CHECKING:
    from google.cloud.bigquery import Table

__all__ = ["add_columns", "fit_table", "make_table", "require_columns"]

_TIMES = ("DATE", "DATETIME", "TIMESTAMP")


def fit_table(connection: Connection, target: TableName, options: Destination) -> Table | None:
    """The table, if it is there. Raises FatalError for what is not a table, or is partitioned or clustered in another way."""
    found: Any = connection.table(target)
    if found is None:
        return None
    if found.table_type not in (None, "TABLE"):
        raise FatalError(f"{target} is a {found.table_type.lower()}, and a copy only writes to a table")
    hint = "drop the table to have it made anew, or leave the key out"
    if options.partition is not None and _how(found) != _wanted(options.partition):
        is_ = f"is partitioned by {_how(found)}" if _how(found) else "is not partitioned"
        raise FatalError(f"{target} {is_}, and not by {_wanted(options.partition)}", hint=hint)
    if options.cluster and list(found.clustering_fields or ()) != list(options.cluster):
        is_ = f"by {', '.join(found.clustering_fields)}" if found.clustering_fields else "not"
        raise FatalError(f"{target} is clustered {is_}, and not by {', '.join(options.cluster)}", hint=hint)
    _check_filter(target, found, options)
    table: Table = found
    return table


def _check_filter(target: TableName, found: Any, options: Destination) -> None:
    """Raise FatalError for a load that needs queries which the table does not take."""
    wanted = options.partition
    demands = bool(found.require_partition_filter)
    if wanted is not None and wanted.require_filter and not demands:
        hint = f"ALTER TABLE {target.sql} SET OPTIONS (require_partition_filter = TRUE)"
        raise FatalError(
            f"{target} demands no condition on its partitions, and `require_filter` is set", hint=hint
        )
    column = _partitioned_by(found)
    if demands and column is not None and (why := options.refusal_by_filter(column)):
        hint = f"ALTER TABLE {target.sql} SET OPTIONS (require_partition_filter = FALSE), or use another mode"
        raise FatalError(f"{target}: {why}", hint=hint)


def _partitioned_by(table: Any) -> str | None:
    how = table.time_partitioning or table.range_partitioning
    return None if how is None else (how.field or "_PARTITIONTIME")


def _how(table: Any) -> str | None:
    """How a table is partitioned, in words."""
    if (time := table.time_partitioning) is not None:
        return f"{time.field or '_PARTITIONTIME'} per {time.type_.lower()}"
    if (ranges := table.range_partitioning) is not None:
        bounds = ranges.range_
        return f"{ranges.field} from {bounds.start} to {bounds.end} by {bounds.interval}"
    return None


def _wanted(partition: Partition) -> str:
    if (ranges := partition.ranges) is None:
        return f"{partition.by} per {partition.per}"
    return f"{partition.by} from {ranges.start} to {ranges.end} by {ranges.step}"


def require_columns(options: Destination, fields: Sequence[Field]) -> None:
    """Raise FatalError for a partition or a cluster by a column that there is not, or that cannot be one."""
    known = {field.name: field for field in fields}
    named = [*([options.partition.by] if options.partition else []), *options.cluster]
    for each in named:
        if each not in known:
            hint = did_you_mean(each, known)
            raise FatalError(
                f"{options.table}: there is no column {each!r} to partition or cluster by", hint=hint
            )
    if options.partition is not None:
        field, needs = known[options.partition.by], _TIMES if options.partition.ranges is None else ("INT64",)
        if field.is_nested or field.type not in needs:
            message = f"{options.table} cannot be partitioned by {field.name!r}, which is {field.sql()}"
            raise FatalError(message, hint=f"expected {' or '.join(needs)}; `select` can cast it")


def make_table(
    connection: Connection, target: TableName, fields: Sequence[Field], options: Destination
) -> None:
    """Make the table, if it is not there."""
    properties: dict[str, Any] = {"clustering_fields": list(options.cluster)} if options.cluster else {}
    if options.partition is not None:
        properties.update(_partitioning(options.partition))
        if options.partition.require_filter:
            properties["require_partition_filter"] = True
    connection.make(target, [field.schema() for field in fields], **properties)


def _partitioning(partition: Partition) -> dict[str, Any]:
    from google.cloud import bigquery

    if (ranges := partition.ranges) is None:
        kind = getattr(bigquery.TimePartitioningType, partition.per.upper())
        return {"time_partitioning": bigquery.TimePartitioning(field=partition.by, type_=kind)}
    bounds = bigquery.PartitionRange(start=ranges.start, end=ranges.end, interval=ranges.step)
    return {"range_partitioning": bigquery.RangePartitioning(field=partition.by, range_=bounds)}


def add_columns(connection: Connection, target: TableName, fields: Sequence[Field]) -> None:
    """Give the table more columns, if it does not have them."""
    add = (f"ALTER TABLE {target.sql} ADD COLUMN IF NOT EXISTS {name(f.name)} {f.sql()}" for f in fields)
    connection.run(";\n".join(add))
