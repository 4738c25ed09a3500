"""DuckDB alone, in a process of its own, with the memory that windlass allows itself."""

import sys

import duckdb

file, out = sys.argv[1:]
duckdb.connect(config={"memory_limit": "512MB"}).execute(f"COPY (SELECT * FROM '{file}') TO '{out}'")
