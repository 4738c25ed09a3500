"""ADBC reads the table, DuckDB writes the file."""

import sys

import duckdb
from adbc_driver_postgresql import dbapi

uri, table, out = sys.argv[1:]
with dbapi.connect(uri) as connection:
    cursor = connection.cursor()
    cursor.execute(
        f"SELECT id, amount::text AS amount, at_time, note, doc::text AS doc, flag, score FROM {table}"
    )
    database = duckdb.connect()
    database.register("rows", cursor.fetch_record_batch())
    select = "SELECT * REPLACE (amount::DECIMAL(12,2) AS amount, doc::JSON AS doc) FROM rows"
    database.execute(f"COPY ({select}) TO '{out}'")
