"""A MariaDB server beside, where the machine has one: a table of its own as a source, an empty one as a target.

`orders`, 2 million rows: bigint, decimal, datetime, text, boolean, double; and the same as a CSV file.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from windlass.ports import free_port

__all__ = ["POSTGRES_TABLE", "Mariadb", "running_mariadb"]

_TABLE = """
    id BIGINT PRIMARY KEY, amount DECIMAL(12,2), at_time DATETIME(6), note VARCHAR(100), flag BOOLEAN, score DOUBLE
"""
_ROWS = """
    SELECT seq, seq * 1.37, TIMESTAMP '2021-01-01 00:00:00' + INTERVAL seq SECOND, CONCAT(MD5(seq), ' text ', seq), seq % 2,
    SQRT(seq) FROM seq_1_to_{rows}
"""
POSTGRES_TABLE = (
    "CREATE TABLE my_orders (id bigint PRIMARY KEY, amount numeric(12,2), at_time timestamp, note text, flag boolean, "
    "score double precision)"
)


@dataclass(frozen=True)
class Mariadb:
    """A running server, its rows, and the same as a file."""

    port: int
    rows: int
    csv: Path

    @property
    def uri(self) -> str:
        return f"mysql://root@127.0.0.1:{self.port}/bench"

    def client(self) -> list[str]:
        where = ["--host=127.0.0.1", f"--port={self.port}", "--user=root"]
        return [
            "mariadb",
            "--no-defaults",
            *where,
            "--local-infile=1",
            "--quick",
            "--batch",
            "--skip-column-names",
            "bench",
        ]

    def sql(self, sql: str) -> str:
        """Run SQL; what the client prints."""
        command = [*self.client(), f"--execute={sql}"]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def reset(self) -> None:
        """An empty target, as it is before every measurement."""
        self.sql(
            f"DROP TABLE IF EXISTS loaded, _windlass_loads, _windlass_turns, _dlt_loads, _dlt_version, "
            f"_dlt_pipeline_state; CREATE TABLE loaded ({_TABLE}) CHARACTER SET utf8mb4"
        )


@contextmanager
def running_mariadb(folder: Path, rows: int) -> Iterator[Mariadb | None]:
    """A new server in a folder, for the length of the block; None where there is no program for it."""
    program = shutil.which("mariadbd")
    if program is None or shutil.which("mariadb") is None:
        yield None
        return
    port, data = free_port(), folder / "data"
    data.mkdir(parents=True)
    become = [sys.executable, "-m", "windlass.connectors.mysql.dev_program", program, str(data), str(port)]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(become, stdout=log, stderr=log)
    try:
        _wait(port)
        server = Mariadb(port, rows, folder / "orders.csv")
        subprocess.run([*server.client()[:-1], "--execute=CREATE DATABASE bench"], check=True)
        server.sql(
            "SET GLOBAL innodb_buffer_pool_size = 512 << 20; SET GLOBAL innodb_flush_log_at_trx_commit = 1"
        )
        server.sql(
            f"CREATE TABLE orders ({_TABLE}) CHARACTER SET utf8mb4; INSERT INTO orders {_ROWS.format(rows=rows)}"
        )
        _write_csv(server)
        server.reset()
        yield server
    finally:
        process.terminate()
        process.wait()


def _write_csv(server: Mariadb) -> None:
    with server.csv.open("w") as file:
        file.write("id,amount,at_time,note,flag,score\n")
        file.flush()
        row = "CONCAT_WS(',', id, amount, at_time, note, flag, score)"
        subprocess.run([*server.client(), f"--execute=SELECT {row} FROM orders"], check=True, stdout=file)


def _wait(port: int) -> None:
    for _ in range(300):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("the server of MariaDB does not answer")
