"""What is measured: for each way of copying, the limit, windlass, and peers, as commands to run."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.data import Data
from benchmarks.elsewhere import Mongo, Objects
from benchmarks.mariadb import Mariadb

__all__ = ["Case", "Contender", "all_cases"]

PEERS = Path(__file__).parent / "peers"
WINDLASS = f"{shlex.quote(str(Path(sys.executable).parent / 'windlass'))} copy"
PYTHON = shlex.quote(sys.executable)


@dataclass(frozen=True)
class Contender:
    """Somebody who does the copy: a shell command. `share` is the part of the rows it is given."""

    name: str
    command: str
    share: float = 1.0
    slow: bool = False
    """Measured in fewer rounds."""


@dataclass(frozen=True)
class Case:
    """One way of copying. The first contender is the limit."""

    name: str
    rows: int
    contenders: list[Contender]
    count: str
    """Shell command that prints how many rows arrived."""

    output: Path | None = field(default=None)


def all_cases(data: Data, folder: Path) -> list[Case]:
    """The cases, in the order of the table."""
    return [
        _between_databases(
            "postgres → postgres, narrow", data, ("tb_trx_src", "tb_trx_dest"), data.narrow, folder
        ),
        _between_databases("postgres → postgres, wide", data, ("wide", "wide"), data.wide, folder),
        _csv_to_parquet(data, folder),
        _csv_to_postgres(data),
        _parquet_to_postgres(data),
        _postgres_to_parquet(data, folder),
        _api_to_postgres(data, folder / "project"),
        *([_mariadb_to_postgres(data, data.mariadb), _csv_to_mariadb(data.mariadb)] if data.mariadb else []),
        *([_mongodb_to_postgres(data, data.elsewhere.mongo)] if data.elsewhere.mongo else []),
        *([_s3_to_postgres(data, data.elsewhere.objects)] if data.elsewhere.objects else []),
        *([_postgres_to_s3(data, data.elsewhere.objects)] if data.elsewhere.objects else []),
    ]


def _between_databases(name: str, data: Data, tables: tuple[str, str], rows: int, folder: Path) -> Case:
    source, target = tables
    x, y = data.server.uri("x"), data.server.uri("y")
    psql_x, psql_y = shlex.join(data.server.psql("x")), shlex.join(data.server.psql("y"))
    out, into = f"COPY {source} TO STDOUT (FORMAT binary)", f"COPY {target} FROM STDIN (FORMAT binary)"
    return Case(
        name,
        rows,
        [
            Contender("psql COPY pipe", f"{psql_x} -c '{out}' | {psql_y} -c '{into}'"),
            Contender("windlass", f"{WINDLASS} '{x}?table={source}' '{y}?table={target}'"),
            Contender("windlass run", _run(data, folder / f"run-{source}", source, target)),
            Contender(
                "server's COPY of a file",
                f"{psql_y} -c \"COPY {target} FROM '{data.binary(source)}' (FORMAT binary)\"",
            ),
            Contender("ADBC", _peer("adbc_pg_to_pg", x, source, y, target)),
            Contender(
                "Sling",
                _sling(x, f"--src-stream public.{source}", y, f"--tgt-object public.{target}"),
                slow=True,
            ),
            Contender("dlt", _peer("dlt_pg_to_pg", x, source, y, target), slow=True),
            Contender("one INSERT a row", _peer("insert_rows", x, source, y, target), share=0.1, slow=True),
        ],
        _count(data, target),
    )


def _run(data: Data, project: Path, source: str, target: str) -> str:
    """The same copy as a pipeline."""
    (project / "pipelines").mkdir(parents=True)
    (project / "windlass.yaml").write_text(
        "project: bench\nconnections: {x: {type: postgres}, y: {type: postgres}}\n"
    )
    (project / "pipelines" / "p.yaml").write_text(
        f"pipeline: p\ntasks: {{load: {{copy: {{from: {{connection: x, table: {source}}}, to: {{connection: y, table: {target}}}}}}}}}\n"
    )
    addresses = f"WINDLASS_CONN_X='{data.server.uri('x')}' WINDLASS_CONN_Y='{data.server.uri('y')}'"
    return f"{addresses} {WINDLASS.removesuffix(' copy')} -C {project} run p"


def _csv_to_parquet(data: Data, folder: Path) -> Case:
    out = folder / "out.parquet"
    return Case(
        "csv → parquet",
        data.csv_rows,
        [
            Contender("DuckDB", _peer("duckdb_csv_to_parquet", str(data.csv), str(out))),
            Contender("windlass", f"{WINDLASS} {data.csv} {out}"),
            Contender("polars", _peer("polars_csv_to_parquet", str(data.csv), str(out))),
            Contender("pandas", _peer("pandas_csv_to_parquet", str(data.csv), str(out)), slow=True),
            Contender("dlt", _peer("dlt_csv_to_parquet", str(data.csv), str(out)), slow=True),
        ],
        _peer("count_parquet", str(out)),
        out,
    )


def _csv_to_postgres(data: Data) -> Case:
    psql, uri = shlex.join(data.server.psql("y")), data.server.uri("y")
    copy = f"\\copy wide FROM '{data.csv}' WITH (FORMAT csv, HEADER)"
    return Case(
        "csv → postgres",
        data.csv_rows,
        [
            Contender("psql \\copy", f"{psql} -c {shlex.quote(copy)}"),
            Contender("windlass", f"{WINDLASS} {data.csv} '{uri}?table=wide'"),
            Contender("ADBC from DuckDB", _peer("adbc_to_pg", str(data.csv), uri, "wide")),
            Contender(
                "Sling",
                _sling(None, f"--src-stream file://{data.csv}", uri, "--tgt-object public.wide"),
                slow=True,
            ),
        ],
        _count(data, "wide"),
    )


def _parquet_to_postgres(data: Data) -> Case:
    uri = data.server.uri("y")
    return Case(
        "parquet → postgres",
        data.wide,
        [
            Contender("ADBC", _peer("adbc_to_pg", str(data.parquet), uri, "wide")),
            Contender("windlass", f"{WINDLASS} {data.parquet} '{uri}?table=wide'"),
            Contender("asyncpg records", _peer("asyncpg_from_parquet", str(data.parquet), uri, "wide")),
        ],
        _count(data, "wide"),
    )


def _postgres_to_parquet(data: Data, folder: Path) -> Case:
    uri, out = data.server.uri("x"), folder / "wide-out.parquet"
    return Case(
        "postgres → parquet",
        data.wide,
        [
            Contender("ADBC", _peer("adbc_to_parquet", uri, "wide", str(out))),
            Contender("windlass", f"{WINDLASS} '{uri}?table=wide' {out}"),
            Contender("asyncpg records", _peer("asyncpg_to_parquet", uri, "wide", str(out))),
        ],
        _peer("count_parquet", str(out)),
        out,
    )


def _api_to_postgres(data: Data, project: Path) -> Case:
    uri = data.server.uri("y")
    (project / "pipelines").mkdir(parents=True)
    (project / "windlass.yaml").write_text(
        f"project: bench\nconnections: {{api: {{type: http, base_url: '{data.api}'}}, y: {{type: postgres}}}}\n"
    )
    (project / "pipelines" / "orders.yaml").write_text(
        "pipeline: orders\n"
        "tasks: {load: {copy: {from: {connection: api, path: /orders, records: data, paginate: "
        "{type: page_number, max_pages: 100000}}, to: {connection: y, table: orders}}}}\n"
    )
    windlass = f"{WINDLASS.removesuffix(' copy')} -C {project} exec orders load"
    return Case(
        "api → postgres",
        data.orders,
        [
            Contender("loop and psycopg COPY", _peer("api_to_pg", data.api, uri, "orders")),
            Contender("windlass", f"WINDLASS_CONN_Y='{uri}' {windlass}"),
            Contender("dlt rest_api", _peer("dlt_api_to_pg", data.api, uri, "orders"), slow=True),
        ],
        _count(data, "orders"),
    )


def _mariadb_to_postgres(data: Data, maria: Mariadb) -> Case:
    psql, client, uri = shlex.join(data.server.psql("y")), shlex.join(maria.client()), data.server.uri("y")
    pipe = f"{client} --execute='SELECT * FROM orders' | {psql} -c 'COPY my_orders FROM STDIN'"
    return Case(
        "mariadb → postgres",
        maria.rows,
        [
            Contender("mariadb | psql COPY", pipe),
            Contender("windlass", f"{WINDLASS} '{maria.uri}?table=orders' '{uri}?table=my_orders'"),
            Contender(
                "Sling",
                _sling_of_mysql(
                    maria.uri, "--src-stream bench.orders", f"{uri}?sslmode=disable", "public.my_orders"
                ),
                slow=True,
            ),
            Contender("dlt", _peer("dlt_mysql_to_pg", maria.uri, "orders", uri, "my_orders"), slow=True),
        ],
        _count(data, "my_orders"),
    )


def _csv_to_mariadb(maria: Mariadb) -> Case:
    client = shlex.join(maria.client())
    load = f"LOAD DATA LOCAL INFILE '{maria.csv}' INTO TABLE loaded FIELDS TERMINATED BY ',' IGNORE 1 LINES"
    return Case(
        "csv → mariadb",
        maria.rows,
        [
            Contender("LOAD DATA LOCAL", f'{client} --execute="{load}"'),
            Contender("windlass", f"{WINDLASS} {maria.csv} '{maria.uri}?table=loaded'"),
            Contender(
                "Sling",
                _sling_of_mysql(None, f"--src-stream file://{maria.csv}", maria.uri, "bench.loaded"),
                slow=True,
            ),
            Contender("dlt", _peer("dlt_csv_to_mysql", str(maria.csv), maria.uri, "loaded"), slow=True),
        ],
        f"{client} --execute='SELECT COUNT(*) FROM loaded'",
    )


def _mongodb_to_postgres(data: Data, mongo: Mongo) -> Case:
    uri = data.server.uri("y")
    return Case(
        "mongodb → postgres",
        mongo.rows,
        [
            Contender("loop and psycopg COPY", _peer("mongo_to_pg", mongo.uri, "orders", uri, "documents")),
            Contender("windlass", f"{WINDLASS} '{mongo.uri}?collection=orders' '{uri}?table=documents'"),
        ],
        _count(data, "documents"),
    )


def _s3_to_postgres(data: Data, objects: Objects) -> Case:
    psql, told = shlex.join(data.server.psql("y")), objects.variables
    get = f"{told} {_peer('s3_object', 'get', objects.bucket, 'wide.csv')}"
    source = f"s3://{objects.bucket}/wide.csv"
    return Case(
        "s3 → postgres",
        data.csv_rows,
        [
            Contender(
                "boto | psql COPY", f"{get} | {psql} -c 'COPY wide FROM STDIN WITH (FORMAT csv, HEADER)'"
            ),
            Contender("windlass", f"{told} {WINDLASS} {source} '{data.server.uri('y')}?table=wide'"),
        ],
        _count(data, "wide"),
    )


def _postgres_to_s3(data: Data, objects: Objects) -> Case:
    psql, told = shlex.join(data.server.psql("x")), objects.variables
    put = _peer("s3_object", "put", objects.bucket, "out.csv")
    target = f"s3://{objects.bucket}/out.csv"
    return Case(
        "postgres → s3",
        data.wide,
        [
            Contender(
                "psql COPY | boto",
                f"{psql} -c 'COPY wide TO STDOUT WITH (FORMAT csv, HEADER)' | {told} {put}",
            ),
            Contender("windlass", f"{told} {WINDLASS} '{data.server.uri('x')}?table=wide' {target}"),
        ],
        f"{told} {_peer('s3_object', 'count', objects.bucket, 'out.csv')}",
    )


def _sling_of_mysql(source: str | None, stream: str, target: str, into: str) -> str:
    conn = f"--src-conn '{source}' " if source else ""
    options = f"{stream} --tgt-conn '{target}' --tgt-object {into} --mode full-refresh"
    return f"{PYTHON} {PEERS / 'sling_run.py'} run {conn}{options}"


def _peer(script: str, *arguments: str) -> str:
    return f"{PYTHON} {PEERS / script}.py {shlex.join(arguments)}"


def _sling(source: str | None, stream: str, target: str, into: str) -> str:
    options = f"{stream} --tgt-conn '{target}?sslmode=disable' {into} --mode full-refresh"
    conn = f"--src-conn '{source}?sslmode=disable' " if source else ""
    return f"{PYTHON} {PEERS / 'sling_run.py'} run {conn}{options}"


def _count(data: Data, table: str) -> str:
    return f"{shlex.join(data.server.psql('y'))} -c 'SELECT count(*) FROM {table}'"
