"""Copies in containers that are killed in the middle, with windlass or without: every row is there, once."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from tests.conftest import Output, plain_environment
from tests.faults.checker import query, until
from tests.warm import Warm
from windlass.connections import Address
from windlass.connectors.postgres.session import Session
from windlass.runtimes.docker.engine import Engine

ROWS = 10_000
PATIENCE = 180.0  # a machine that is busy starts no container sooner
# whoever reads it waits at row 5,000 for as long as somebody holds the lock
GATED = (
    """CREATE FUNCTION gate(n bigint) RETURNS bigint LANGUAGE plpgsql AS $$
       BEGIN
         IF n = 5000 THEN
           PERFORM pg_advisory_lock_shared(42);
           PERFORM pg_advisory_unlock_shared(42);
         END IF;
         RETURN n;
       END $$""",
    f"CREATE VIEW gated AS SELECT gate(n) AS id FROM generate_series(1, {ROWS}) AS n",
)
FILES = {
    "windlass.yaml": """
project: in-containers
connections: {pg: {type: postgres}}
images: {project: {files: of-this-test}}
runtimes: {default: docker}
""",
    "pipelines/p.yaml": """
pipeline: p
schedule: "@daily"
tasks:
  load:
    retries: 1
    retry_delay: 0s
    copy: {from: {connection: pg, table: gated}, to: {connection: pg, table: copied, mode: append}}
""",
}


@contextmanager
def gate(database: Address) -> Iterator[Callable[[int], None]]:
    """Holds whoever reads the view. Yields what waits until so many have come to it; those that were killed count, too."""
    waiting = """SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database AND datname = current_database()
                 WHERE locktype = 'advisory' AND mode = 'ShareLock' AND NOT granted"""

    def have_come(number: int) -> None:
        until(lambda: query(database.uri(), waiting)[0][0] >= number, f"{number} at the gate", PATIENCE)

    session = Session(database)
    try:
        session.execute("SELECT pg_advisory_lock(42)")
        yield have_come
    finally:
        session.close()


def test_rows_are_there_once_though_a_container_and_then_windlass_were_killed(
    warm: Warm,
    windlass: Callable[..., Output],
    project: Callable[..., Path],
    containers: Callable[[], list[str]],
    buildkit: Engine,
    database: Address,
) -> None:
    root = project({**FILES, "of-this-test": uuid4().hex})
    query(database.uri(), *GATED, "SELECT 1")
    (built,) = windlass("-C", root, "build", "--json").json["images"]
    command = ("windlass", "run", "p", "--logical-date", "2025-01-01", "--json")
    env = {**plain_environment(), "WINDLASS_CONN_PG": database.uri()}
    with gate(database) as have_come:
        killed = warm.start(*command, cwd=root, env=env)
        have_come(1)
        (first,) = containers()
        buildkit.client.kill(first)
        have_come(2)
        (second,) = containers()
        killed.send_signal(signal.SIGKILL)
        killed.wait(60)
        following = warm.start(*command, cwd=root, env=env)
        have_come(3)
        assert not {first, second} & {*containers()}
    done = following.wait(PATIENCE)
    assert done.returncode == 0, done.stderr
    counted = query(database.uri(), "SELECT count(*), count(DISTINCT id), min(id), max(id) FROM copied")
    assert [tuple(row) for row in counted] == [(ROWS, ROWS, 1, ROWS)]
    assert len(query(database.uri(), "SELECT FROM _windlass_loads")) == 1
    assert containers() == []
    buildkit.client.remove_image(built["image"], force=True)
