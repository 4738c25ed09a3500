"""The data: made once, the same each time.

narrow   5 million rows of `tb_trx_src`: integer, date, bigint
wide     2 million rows: bigint, numeric, timestamptz, text, jsonb, boolean, double
wide.csv, wide.parquet   the wide table, 4 million rows of CSV and 2 million of Parquet
orders   1 million records of a JSON API, 1,000 a page
tb_trx_src.bin, wide.bin both tables in the format of binary COPY
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.elsewhere import Elsewhere
from benchmarks.mariadb import POSTGRES_TABLE, Mariadb
from benchmarks.servers import Server

__all__ = ["Data", "make"]

_WIDE = """
    g::bigint AS id,
    (g * 1.37)::numeric(12,2) AS amount,
    timestamptz '2021-01-01' + g * interval '1 minute' AS at_time,
    md5(g::text) || ' text ' || g AS note,
    jsonb_build_object('a', g, 'b', md5(g::text)) AS doc,
    g % 2 = 0 AS flag,
    sqrt(g) AS score
"""


@dataclass(frozen=True)
class Data:
    """Where the data are, and how many rows they have."""

    server: Server
    csv: Path
    parquet: Path
    narrow: int
    wide: int
    csv_rows: int
    api: str
    orders: int
    mariadb: Mariadb | None
    elsewhere: Elsewhere

    def reset(self) -> None:
        """Empty target tables, as they are before every measurement."""
        _reset(self.server)
        if self.mariadb is not None:
            self.mariadb.reset()
        if self.elsewhere.objects is not None:
            self.elsewhere.objects.reset()

    def binary(self, table: str) -> Path:
        """The table as a file of binary COPY, which the server can read by itself."""
        return self.csv.with_name(f"{table}.bin")


def make(
    server: Server,
    folder: Path,
    scale: float,
    api: str,
    orders: int,
    mariadb: Mariadb | None,
    elsewhere: Elsewhere,
) -> Data:
    """Fill the database `x`, and write the files; `y` stays empty. `api` has so many orders."""
    narrow, wide, csv_rows = (round(n * scale) for n in (5_000_000, 2_000_000, 4_000_000))
    for database in ("x", "y"):
        server.sql("postgres", f"CREATE DATABASE {database}")
    server.sql(
        "x",
        "CREATE TABLE tb_trx_src AS SELECT g::int AS id, date '2020-01-01' + (g % 1000) AS creation_date, "
        f"(g::bigint * 7919) % 100000 AS sale_value FROM generate_series(1, {narrow}) AS g",
    )
    server.sql("x", f"CREATE TABLE wide AS SELECT {_WIDE} FROM generate_series(1, {wide}) AS g")
    server.sql("x", "VACUUM ANALYZE")
    data = Data(
        server,
        folder / "wide.csv",
        folder / "wide.parquet",
        narrow,
        wide,
        csv_rows,
        api,
        orders,
        mariadb,
        elsewhere,
    )
    _write_csv(data)
    if elsewhere.objects is not None:
        elsewhere.objects.put("wide.csv", data.csv)
    _write_parquet(data)
    for table in ("tb_trx_src", "wide"):
        server.sql("x", f"\\copy {table} TO '{data.binary(table)}' WITH (FORMAT binary)")
    _reset(server)
    server.sql("x", "CHECKPOINT")
    return data


def _reset(server: Server) -> None:
    server.sql(
        "y",
        "DROP TABLE IF EXISTS tb_trx_dest, wide, orders, my_orders, documents;"
        "DROP TABLE IF EXISTS _dlt_loads, _dlt_pipeline_state, _dlt_version;"  # by which dlt knows what it has made
        "CREATE TABLE tb_trx_dest (id int, creation_date date, sale_value bigint);"
        "CREATE TABLE wide (id bigint, amount numeric(12,2), at_time timestamptz, note text, doc jsonb, "
        "flag boolean, score double precision);"
        f"{POSTGRES_TABLE}",
    )


def _write_csv(data: Data) -> None:
    query = f"SELECT {_WIDE} FROM generate_series(1, {data.csv_rows}) AS g"
    data.server.sql("x", f"\\copy ({' '.join(query.split())}) TO '{data.csv}' WITH (FORMAT csv, HEADER)")


def _write_parquet(data: Data) -> None:
    import duckdb

    types = "{'id': 'BIGINT', 'amount': 'DECIMAL(12,2)', 'at_time': 'TIMESTAMPTZ', 'doc': 'JSON'}"
    duckdb.sql(
        f"COPY (SELECT * FROM read_csv('{data.csv}', types = {types}) LIMIT {data.wide}) TO '{data.parquet}'"
    )
