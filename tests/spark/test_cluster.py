"""Copies and SQL on a cluster with two workers, on which machines and processes die."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tarfile
import venv
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from tests.conftest import ROOT, Output, plain_environment
from tests.spark.both import copy_of, job_of, require_same, rows_in
from tests.spark.start import TYPES
from windlass.connections import Address
from windlass.connectors.spark.database import SparkDatabase
from windlass.connectors.spark.workers import SparkWorkers
from windlass.engine.copying import copy
from windlass.engine.job import Job
from windlass.errors import FatalError, RetryableError

PIPELINE = """
pipeline: p
tasks:
  t:
    copy:
      engine: cluster
      from: {path: in/}
      to: {path: out/, mode: append}
      select: {id: {type: bigint}, amount: {type: "numeric(12,2)"}, note: {type: text}}
      on_bad_row: quarantine
"""
LINES = "".join(f'{i},{i}.25,"a, {i}\nnext"\n' for i in range(1500)) + "x,1,bad\n1,2\n"


def _input(root: Path) -> None:
    (root / "in.csv").write_text("id,amount,note\n" + LINES)


@pytest.mark.usefixtures("small_pieces")
def test_a_file_is_spread_over_both_machines_with_the_same_rows(
    tmp_path: Path, spark: Address, caplog: pytest.LogCaptureFixture
) -> None:
    _input(tmp_path)
    with caplog.at_level("INFO", "windlass"):
        counts = require_same(copy_of("in.csv", TYPES), tmp_path, spark)
    assert (counts.read, counts.written, counts.quarantined) == (1502, 1500, 2)
    assert "spread_done machines=2" in caplog.messages


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


class _KillsOne(SparkWorkers):
    """Kills the executor that did the first piece, once that was told: others are under way."""

    def each(self, work: Callable[[int], str], count: int) -> Iterator[str]:
        is_first = True
        for text in super().each(work, count):
            found = json.loads(text).get("machine")
            if found and is_first:
                is_first = False
                os.kill(_parent(int(found.rpartition(":")[2])), signal.SIGKILL)
            yield text


@pytest.mark.usefixtures("small_pieces")
def test_a_machine_that_is_lost_loses_no_row(
    tmp_path: Path, spark: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    _input(tmp_path)
    monkeypatch.setattr("windlass.connectors.spark.workers.SparkWorkers", _KillsOne)
    require_same(copy_of("in.csv", TYPES), tmp_path, spark)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv", "out", "quarantine.ndjson"]


@pytest.mark.parametrize(
    ("place", "is_there"), [("mid-copy", False), ("before-commit", False), ("after-commit", True)]
)
def test_a_killed_process_leaves_the_old_state_or_the_new(
    tmp_path: Path, spark: Address, place: str, is_there: bool
) -> None:
    """`mid-copy` is behind the first piece, while the cluster is at the others: the second start stops that."""
    _input(tmp_path)
    killed = _start(tmp_path, spark, {"WINDLASS_FAILPOINT": f"{place}:kill"})
    assert killed.returncode == -signal.SIGKILL
    assert (tmp_path / "out").exists() is is_there
    again = _start(tmp_path, spark, {})
    assert (again.returncode, again.stdout) == (0, "1500\n"), again.stderr
    assert len(rows_in(tmp_path / "out")) == len(TYPES) + 1500
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv", "out", "quarantine.ndjson"]


def _start(folder: Path, spark: Address, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.spark.start", str(folder), spark.uri()]
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**plain_environment(), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_python_without_windlass_is_told_apart(tmp_path: Path, spark: Address) -> None:
    _input(tmp_path)
    with pytest.raises(FatalError, match=r"the Python of its machines has no windlass\n  hint: install"):
        copy(job_of(copy_of("in.csv", TYPES), tmp_path, replace(spark, settings={})))
    assert not (tmp_path / "out").exists()


def test_an_archive_brings_a_python_to_the_machines(tmp_path: Path, spark: Address) -> None:
    """One that has the packages of this one: their own is without windlass, as the test before shows."""
    _input(tmp_path)
    python = tmp_path / "python"
    venv.create(python, symlinks=True)
    [packages] = python.glob("lib/*/site-packages")
    (packages / "these.pth").write_text("\n".join(path for path in sys.path if path))
    with tarfile.open(tmp_path / "python.tar.gz", "w:gz") as archive:
        archive.add(python, ".")
    settings = {"python": "environment/bin/python", "environment": f"{tmp_path}/python.tar.gz"}
    what = job_of(copy_of("in.csv", TYPES), tmp_path, replace(spark, settings=settings))
    assert copy(what).counts.written == 1500


def test_nothing_listens(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = Address("spark", "127.0.0.1", taken.getsockname()[1])
        with pytest.raises(RetryableError, match="cannot be reached"):
            SparkDatabase(address)
    with pytest.raises(FatalError, match=r"takes no path\n  hint: write what Spark puts behind"):
        SparkDatabase(replace(address, database=";use_ssl=true"))


def test_sql_is_exact_and_strict(spark: Address) -> None:
    with closing(SparkDatabase(spark)) as database:
        found = database.query("SELECT CAST('1234567890.0123456789' AS DECIMAL(38,10)) AS d, 'it''s' AS s")
        assert found.columns == ("d", "s")
        assert found.rows[0][0] == Decimal("1234567890.0123456789")
        quoted = f"SELECT 1 AS {database.identifier('a`b')}, {database.literal(chr(39) + chr(92))} AS q"
        assert database.query(quoted).rows == ((1, "'\\"),)
        zone = "SELECT current_timezone(), try_add(1, 1)"
        assert database.query(zone).rows == (("UTC", 2),)
        with pytest.raises(FatalError, match="CAST_INVALID_INPUT"):
            database.query("SELECT CAST('x' AS INT)")
        with pytest.raises(FatalError, match="Spark has no transactions, and these are 2 statements"):
            database.execute("SELECT 1; SELECT 2")
        both = "CREATE OR REPLACE TEMP VIEW v AS SELECT 1 AS `A`; -- ;\nSELECT `A` FROM v"
        assert database.execute(both, transaction=False).rows == ((1,),)
        assert "v" in database.tables()
        with pytest.raises(FatalError, match="`a`"):
            database.query("SELECT a FROM v")


def test_a_session_can_be_had_again(spark: Address, tmp_path: Path) -> None:
    """The same load a second time: its session was closed, and its id cannot be had again."""
    _input(tmp_path)
    job: Job = job_of(copy_of("in.csv", TYPES), tmp_path, spark)
    assert copy(job).counts.written == copy(job).counts.written == 1500


def test_without_a_cluster_the_process_stands_in(tmp_path: Path, windlass: Callable[..., Output]) -> None:
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "in").mkdir()
    (tmp_path / "windlass.yaml").write_text("project: p\nconnections: {cluster: {type: spark}}\n")
    (tmp_path / "pipelines" / "p.yaml").write_text(PIPELINE)
    (tmp_path / "in" / "a.csv").write_text("id,amount,note\n" + LINES)
    done = windlass("run", "p", "--json")
    assert done.code == 0, done.stderr
    assert [task["rows_written"] for task in done.json["tasks"]] == [1500]
    assert len(rows_in(tmp_path / "out")) == len(TYPES) + 1500
    (tmp_path / "pipelines" / "q.yaml").write_text(
        "pipeline: q\ntasks: {t: {sql: {connection: cluster, statement: SELECT 1}}}\n"
    )
    refused = windlass("run", "q")
    assert refused.code == 1
    assert "nothing here stands in for the SQL of Spark" in refused.stderr
    assert "start-connect-server.sh" in refused.stderr
