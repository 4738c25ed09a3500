"""DuckDB reads the file, ADBC writes it."""

import sys

import duckdb
from adbc_driver_postgresql import dbapi

file, uri, table = sys.argv[1:]
if file.endswith(".csv"):
    types = "{'id': 'BIGINT', 'amount': 'DECIMAL(12,2)', 'at_time': 'TIMESTAMPTZ', 'doc': 'VARCHAR'}"
    source = f"read_csv('{file}', types = {types})"
else:
    source = f"read_parquet('{file}')"
# jsonb's binary form is its text behind a byte 1
found = duckdb.connect().execute(f"SELECT * REPLACE (chr(1) || doc::VARCHAR AS doc) FROM {source}")
rows = found.to_arrow_reader(100_000)
with dbapi.connect(uri) as connection:
    connection.cursor().adbc_ingest(table, rows, mode="append")
    connection.commit()
