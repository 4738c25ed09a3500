"""Copies from and to object stores, by an engine: the rows of a copy without one, once, and nothing is left."""

from __future__ import annotations

import json
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from msgspec import structs

from tests.conftest import ROOT, plain_environment
from tests.connectors.s3_bucket import S3Bucket
from tests.connectors.store_kit import Bucket
from tests.spark.both import ENGINE, copy_of, job_of
from tests.spark.start import TYPES
from windlass.connections import Address
from windlass.connectors.rows import Counts
from windlass.connectors.workers import ThisProcess
from windlass.engine.copying import copy
from windlass.errors import FatalError
from windlass.plan.model import Copy

LINES = "".join(f'{i},{i}.25,"a, {i}\nnext"\n' for i in range(700)) + "x,1,bad\n1,2\n"
CSV = ("id,amount,note\n" + LINES).encode()


class Elsewhere(ThisProcess):
    """Does each piece twice, with what another process would get to see of the work."""

    def each(self, work: Callable[[int], str], count: int) -> Iterator[str]:
        for number in range(count):
            sent = pickle.dumps(work)
            pickle.loads(sent)(number)
            yield pickle.loads(sent)(number)


@pytest.fixture(params=["s3", "gcs", "azure"])
def bucket(request: pytest.FixtureRequest) -> Bucket:
    made: Bucket = request.getfixturevalue(request.param)()
    return made


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch, small_pieces: int) -> None:
    monkeypatch.setattr("windlass.engine.spread.spreading._workers", lambda job, engine: Elsewhere())


def _job(bucket: Bucket, what: Copy, root: Path, engine: Address | None = ENGINE, **more: Any) -> Any:
    job = job_of(what, root, engine, **more)
    job.addresses["lake"] = bucket.address
    return job


def _copy_of(bucket: Bucket, source: str, to: str, types: dict[str, str] | None = TYPES, **more: Any) -> Copy:
    """A copy whose ends are in the bucket, or on this machine where they begin with `./`."""
    what = copy_of(source, types, to={"path": to, **more.pop("keys", {})}, **more)
    ends: dict[str, Any] = {"source": what.source, "destination": what.destination}
    for name, end in ends.items():
        if not end.options["path"].startswith("./"):
            ends[name] = type(end)(connection="lake", type=bucket.address.type, options=end.options)
    return structs.replace(what, **ends)


def _rows(bucket: Bucket, prefix: str, folder: Path) -> list[str]:
    """The rows of all Parquet objects that are no leftovers, whoever reads them."""
    folder.mkdir(parents=True)
    for number, key in enumerate(sorted(bucket.names())):
        if key.startswith(prefix) and key.endswith(".parquet"):
            (folder / f"{number}.parquet").write_bytes(bucket.get(key))
    return sorted(map(repr, duckdb.execute(f"FROM read_parquet('{folder}/*.parquet')").fetchall()))


def _only_ours(bucket: Bucket, prefix: str) -> list[str]:
    return [key for key in bucket.names() if key.startswith(prefix) and "windlass" in key]


def _bad(root: Path) -> list[tuple[Any, ...]]:
    lines = (root / "quarantine.ndjson").read_text("utf-8").splitlines()
    names = ("source", "line", "offset", "reason", "raw")
    return sorted(tuple(json.loads(line).get(name) for name in names) for line in lines)


@pytest.mark.usefixtures("elsewhere")
def test_rows_are_those_of_a_copy_without_an_engine(bucket: Bucket, tmp_path: Path) -> None:
    """Large objects are cut, small ones go together; a try that is one too many brings nothing."""
    for number, data in enumerate((CSV, b"", CSV[:15] + b'9,1,"x"\n', CSV[:15] + b'8,1,"y"\n')):
        bucket.put(f"in/{number}.csv", data)
    counts: list[Counts] = []
    bad = []
    for name, engine in (("alone", None), ("spread", ENGINE)):
        root = tmp_path / name
        root.mkdir()
        outcome = copy(_job(bucket, _copy_of(bucket, "in/", f"{name}/"), root, engine))
        counts.append(outcome.counts)
        bad.append(_bad(root))
    assert [(c.read, c.written, c.quarantined) for c in counts] == [(704, 702, 2)] * 2
    assert bad[0] == bad[1]
    assert bad[0][0][0] == "0.csv"
    assert _rows(bucket, "alone/", tmp_path / "a") == _rows(bucket, "spread/", tmp_path / "b")
    assert len([key for key in bucket.names() if key.startswith("spread/part-")]) > 3
    assert _only_ours(bucket, "spread/") == ["spread/.windlass-manifest.json"]
    assert bucket.uploads() == 0


@pytest.mark.usefixtures("elsewhere")
def test_one_end_may_be_a_folder_of_all_machines(bucket: Bucket, tmp_path: Path) -> None:
    bucket.put("in/a.csv", CSV)
    there = copy(_job(bucket, _copy_of(bucket, "in/a.csv", "./here/"), tmp_path))
    (tmp_path / "b.csv").write_bytes(CSV)
    back = copy(_job(bucket, _copy_of(bucket, "./b.csv", "out/", on_bad_row="quarantine"), tmp_path))
    assert (there.counts.written, back.counts.written) == (700, 700)
    here = duckdb.execute(f"FROM read_parquet('{tmp_path}/here/*.parquet')").fetchall()
    assert sorted(map(repr, here)) == _rows(bucket, "out/", tmp_path / "r")


@pytest.mark.usefixtures("elsewhere")
def test_of_a_parquet_object_only_some_row_groups_are_brought(bucket: Bucket, tmp_path: Path) -> None:
    file = tmp_path / "in.parquet"
    nested = "[i, NULL] AS l, {'a': i, 'b': ['é']} AS s, 'x' || i AS t, i::DECIMAL(20,4) / 3 AS d"
    duckdb.sql(f"COPY (SELECT i, {nested} FROM range(9000) r(i)) TO '{file}' (ROW_GROUP_SIZE 2048)")
    bucket.put("in.parquet", file.read_bytes())
    outcome = copy(_job(bucket, _copy_of(bucket, "in.parquet", "out/", None), tmp_path))
    assert outcome.counts.written == 9000
    expected = sorted(map(repr, duckdb.execute(f"FROM read_parquet('{file}')").fetchall()))
    assert _rows(bucket, "out/", tmp_path / "r") == expected
    assert len([key for key in bucket.names() if key.startswith("out/part-")]) > 2


@pytest.mark.usefixtures("elsewhere")
def test_an_append_counts_once_and_a_replace_removes_what_was(bucket: Bucket, tmp_path: Path) -> None:
    bucket.put("in.csv", CSV[:15] + b"1,1,x\n" * 700)
    more = _copy_of(bucket, "in.csv", "out/", keys={"mode": "append", "partition_by": ["id"]})
    done = [copy(_job(bucket, more, tmp_path, run_key=key)) for key in ("monday", "monday", "tuesday")]
    assert [one.skipped for one in done] == [False, True, False]
    assert len(_rows(bucket, "out/", tmp_path / "r")) == 1400
    anew = _copy_of(bucket, "in.csv", "out/", keys={"partition_by": ["id"]})
    copy(_job(bucket, anew, tmp_path, run_key="wednesday"))
    assert len(_rows(bucket, "out/", tmp_path / "s")) == 700


@pytest.mark.usefixtures("elsewhere")
def test_an_object_that_is_written_meanwhile_is_no_mix(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.put("in.csv", CSV)

    class Late(Elsewhere):
        def each(self, work: Callable[[int], str], count: int) -> Iterator[str]:
            told = super().each(work, count)
            yield next(told)
            bucket.put("in.csv", CSV.replace(b"25", b"75"))
            yield from told

    monkeypatch.setattr("windlass.engine.spread.spreading._workers", lambda job, engine: Late())
    with pytest.raises(Exception, match=r"not (as it was|there) any more"):
        copy(_job(bucket, _copy_of(bucket, "in.csv", "out/"), tmp_path))
    assert [key for key in bucket.names() if key.startswith("out/part-")] == []
    assert bucket.uploads() == 0


@pytest.mark.usefixtures("elsewhere")
def test_objects_that_are_all_empty_are_no_rows(bucket: Bucket, tmp_path: Path) -> None:
    bucket.put("in/a.csv", b"")
    with pytest.raises(FatalError, match="are empty"):
        copy(_job(bucket, _copy_of(bucket, "in/", "out/"), tmp_path))


@pytest.mark.parametrize(
    ("place", "is_there"),
    [("mid-copy", False), ("after-ledger", False), ("before-commit", False), ("after-commit", True)],
)
def test_a_killed_process_leaves_the_old_state_or_the_new(
    place: str, is_there: bool, spark: Address, s3: Callable[[], S3Bucket], tmp_path: Path
) -> None:
    """On a cluster, which brings files by itself: what the first start has left, the second gives up."""
    bucket = s3()
    bucket.put("in.csv", CSV)
    killed = _start(tmp_path, spark, bucket, {"WINDLASS_FAILPOINT": f"{place}:kill"})
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    manifest = json.loads(bucket.get("out/.windlass-manifest.json"))
    assert bool(manifest["loads"]) is is_there
    again = _start(tmp_path, spark, bucket, {})
    assert (again.returncode, again.stdout) == (0, "700\n"), again.stderr
    assert len(_rows(bucket, "out/", tmp_path / "r")) == 700
    assert _only_ours(bucket, "out/") == ["out/.windlass-manifest.json"]
    assert bucket.uploads() == 0


def _start(
    folder: Path, spark: Address, bucket: Bucket, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.spark.start", str(folder), spark.uri(), bucket.address.uri()]
    environment = {**plain_environment(), **environment}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
