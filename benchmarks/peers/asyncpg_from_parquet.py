"""asyncpg's own way: Python records into copy_records_to_table."""

import asyncio
import sys
from collections.abc import Iterator
from typing import Any

import asyncpg
import pyarrow.parquet as pq
import uvloop

file, uri, table = sys.argv[1:]


def records() -> Iterator[tuple[Any, ...]]:
    for batch in pq.ParquetFile(file).iter_batches(50_000):
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


async def main() -> None:
    connection = await asyncpg.connect(uri)
    await connection.copy_records_to_table(table, records=records())


if __name__ == "__main__":
    uvloop.run(main()) if sys.platform != "win32" else asyncio.run(main())
