"""asyncpg's own way: a cursor's records, gathered into Arrow batches."""

import sys

import asyncpg
import pyarrow as pa
import pyarrow.parquet as pq
import uvloop

uri, table, out = sys.argv[1:]
SCHEMA = pa.schema(
    [
        ("id", pa.int64()),
        ("amount", pa.decimal128(12, 2)),
        ("at_time", pa.timestamp("us", tz="UTC")),
        ("note", pa.string()),
        ("doc", pa.string()),
        ("flag", pa.bool_()),
        ("score", pa.float64()),
    ]
)


async def main() -> None:
    connection = await asyncpg.connect(uri)
    with pq.ParquetWriter(out, SCHEMA) as writer:
        async with connection.transaction():
            cursor = await connection.cursor(f"SELECT * FROM {table}")
            while rows := await cursor.fetch(50_000):
                columns = zip(*rows, strict=True)
                arrays = [pa.array(values, field.type) for values, field in zip(columns, SCHEMA, strict=True)]
                writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=SCHEMA))


if __name__ == "__main__":
    uvloop.run(main())
