"""Loads a Parquet file of trips into a table of Postgres: `ingest.py --input_file FILE --table TABLE`.

FILE is relative to the workspace. Where Postgres is stands in DATABASE_URL: a password in the arguments could be read by
every user of the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

import duckdb
import psycopg
from psycopg import sql

AT_ONCE = 10_000
TYPES = {"DOUBLE": "double precision", "VARCHAR": "text"}  # in Postgres; others are called the same there


def ingest(file: Path, table: str) -> int:
    """Have the rows of the file in the table, once: those of an earlier run make room. Returns how many there are."""
    trips = duckdb.connect().execute("SELECT * FROM read_parquet(?)", [str(file)])
    fields = {name.lower(): TYPES.get(str(kind), str(kind)) for name, kind, *_ in trips.description or ()}
    to, columns = sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, (*fields, "source_file")))
    typed = [sql.SQL(f"{{}} {kind}").format(sql.Identifier(name)) for name, kind in fields.items()]
    count = 0
    with (
        psycopg.connect(os.environ["DATABASE_URL"]) as postgres,
        postgres.cursor() as cursor,
    ):  # one transaction
        create = sql.SQL("CREATE TABLE IF NOT EXISTS {} ({}, source_file text NOT NULL)")
        cursor.execute(create.format(to, sql.SQL(", ").join(typed)))
        cursor.execute(sql.SQL("DELETE FROM {} WHERE source_file = %s").format(to), [file.name])
        with cursor.copy(sql.SQL("COPY {} ({}) FROM STDIN").format(to, columns)) as copy:
            while rows := trips.fetchmany(AT_ONCE):
                for row in rows:
                    copy.write_row((*row, file.name))
                count += len(rows)
    return count


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--input_file", required=True)
    parser.add_argument("--table", required=True)
    said = parser.parse_args()
    rows = ingest(Path(os.environ["WINDLASS_WORKSPACE"]) / said.input_file, said.table)
    sys.stdout.write(json.dumps({"event": "result", "rows_read": rows, "rows_written": rows}) + "\n")


if __name__ == "__main__":
    main()
