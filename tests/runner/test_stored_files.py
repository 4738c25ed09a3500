"""Files that tasks put into a store: downloads, and rows in quarantine; in the folder of a laptop, and on real servers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Output
from tests.connectors.store_kit import Bucket
from tests.runner.file_server import CONTENT, SHA256, Server

Windlass = Callable[..., Output]


@pytest.fixture(params=["s3", "gcs", "azure"])
def bucket(request: pytest.FixtureRequest) -> Bucket:
    made: Bucket = request.getfixturevalue(request.param)()
    return made


class Project:
    """A project with a connection `lake` to a bucket, and one pipeline."""

    def __init__(self, root: Path, bucket: Bucket, windlass: Windlass) -> None:
        self.root, self._windlass = root, windlass
        self.environment = {"WINDLASS_CONN_LAKE": bucket.address.uri()}
        (root / "pipelines").mkdir()
        connections = {"lake": {"type": bucket.address.type}}
        (root / "windlass.yaml").write_text(json.dumps({"project": "t", "connections": connections}))

    def run(self, tasks: dict[str, Any], *words: str) -> dict[str, Any]:
        (self.root / "pipelines/p.yaml").write_text(json.dumps({"pipeline": "p", "tasks": tasks}))
        done = self._windlass("run", "p", "--json", *words, cwd=self.root, env=self.environment)
        document = json.loads(done.stdout)
        return {"code": done.code, "log": done.stderr} | {t["task"]: t for t in document["tasks"]}


@pytest.fixture
def project(tmp_path: Path, bucket: Bucket, windlass: Windlass) -> Project:
    return Project(tmp_path, bucket, windlass)


def test_a_download_goes_into_the_bucket_whole_and_once(
    project: Project, bucket: Bucket, server: Server
) -> None:
    server.breaks_off_after = [300_000]
    download = {"url": server.url, "to": {"connection": "lake", "path": "raw/file"}, "sha256": SHA256}
    task = {"a": {"retries": 1, "retry_delay": "1ms", "download": download}}
    found = project.run(task)
    assert (found["code"], found["a"]["bytes"], found["a"]["path"]) == (0, len(CONTENT), "http (resumed)"), (
        found
    )
    assert bucket.get("raw/file") == CONTENT
    assert project.run(task)["a"]["path"] == "already-there"
    del download["sha256"]
    assert '"unchanged"' in project.run(task)["log"]
    server.etag, server.content = '"two"', b"another"
    assert project.run(task)["code"] == 0
    assert bucket.get("raw/file") == b"another"
    assert sorted(bucket.names()) == ["raw/.file.windlass.json", "raw/file"]
    assert bucket.uploads() == 0


def test_a_wrong_checksum_leaves_the_bucket_as_it_was(
    project: Project, bucket: Bucket, server: Server
) -> None:
    bucket.put("raw/file", b"before")
    to = {"connection": "lake", "path": "raw/file"}
    found = project.run({"a": {"download": {"url": server.url, "to": to, "sha256": "a" * 64}}})
    assert (found["code"], bucket.names()) == (1, ["raw/file"])
    assert f"the SHA-256 is {hashlib.sha256(CONTENT).hexdigest()}" in found["a"]["error"]
    assert bucket.get("raw/file") == b"before"


def test_rows_in_quarantine_of_several_copies_wait_in_one_object(project: Project, bucket: Bucket) -> None:
    def copies(**bad: str) -> dict[str, Any]:
        for name, value in bad.items():
            bucket.put(f"raw/{name}.csv", f"id\n1\n{value}\n".encode())
        return {
            name: {
                "copy": {
                    "from": {"connection": "lake", "path": f"raw/{name}.csv", "columns": {"id": "bigint"}},
                    "to": {"path": f"{name}.ndjson"},
                    "select": {"id": {"type": "bigint"}},
                    "on_bad_row": "quarantine",
                    "quarantine": {"connection": "lake", "path": "bad/rows.ndjson"},
                }
            }
            for name in bad
        }

    def waiting() -> dict[str, str]:
        rows = map(json.loads, bucket.get("bad/rows.ndjson").splitlines())
        return {row["task"]: row["value"] for row in rows}

    found = project.run(copies(a="x", b="y", c="z"))
    assert found["code"] == 0, found
    assert waiting() == {"a": "x", "b": "y", "c": "z"}
    assert project.run(copies(b="other"))["code"] == 0
    assert waiting() == {"a": "x", "b": "other", "c": "z"}
    bucket.put("bad/rows.ndjson", b"of somebody else\n")
    found = project.run(copies(b="again"))
    assert (found["code"], bucket.get("bad/rows.ndjson")) == (1, b"of somebody else\n")
    assert "is there already, and is not a quarantine file" in found["b"]["error"]


def test_sql_reads_and_writes_objects(project: Project, bucket: Bucket) -> None:
    for number in (1, 2):
        bucket.put(f"raw/{number}.csv", f"id,n\n{number},x\n".encode())
    statement = (
        "COPY (SELECT * FROM 'bucket://raw/*.csv') TO 'bucket://out/all.parquet';"
        "COPY (SELECT sum(id) AS s FROM 'bucket://out/all.parquet') TO 'bucket://out/sum.csv';"
        "SELECT s FROM 'bucket://out/sum.csv'"
    )
    found = project.run({"a": {"sql": {"connection": "lake", "statement": statement}}})
    assert found["code"] == 0, found
    assert bucket.get("out/sum.csv") == b"s\n3\n"
    for wrong in ("SELECT 1 / 'x'", "SELECT * FROM 'bucket://none/*.csv'"):
        text = f"COPY (SELECT 1 AS n) TO 'bucket://out/half.csv'; {wrong}"
        assert project.run({"a": {"sql": {"connection": "lake", "statement": text}}})["code"] == 1
    assert sorted(bucket.names()) == ["out/all.parquet", "out/sum.csv", "raw/1.csv", "raw/2.csv"]
    check = {"connection": "lake", "query": "SELECT * FROM 'bucket://raw/*.csv'", "unique": "id", "rows": 2}
    assert project.run({"a": {"check": check}})["code"] == 0
    read = {"from": {"connection": "lake", "path": "raw/*.csv"}, "unique": "id", "rows": 2}
    assert project.run({"a": {"check": read}})["code"] == 0


def test_addresses_of_objects_stand_where_paths_do(project: Project, bucket: Bucket, server: Server) -> None:
    project.environment = bucket.environment()
    address = {"s3": "s3", "gcs": "gs", "azure": "az"}[bucket.address.type] + f"://{bucket.name}"
    bucket.put("raw/1.csv", b"id\n1\nx\n")
    copy = {
        "from": {"path": f"{address}/raw/*.csv", "columns": {"id": "bigint"}},
        "to": {"path": "out.csv"},
        "on_bad_row": "quarantine",
        "quarantine": {"path": f"{address}/bad.ndjson"},
    }
    sql = {"statement": f"COPY (SELECT count(*) AS n FROM '{address}/raw/*.csv') TO '{address}/n.csv'"}
    tasks = {
        "copy": {"copy": copy},
        "sql": {"sql": sql},
        "download": {"download": {"url": server.url, "to": f"{address}/file"}},
        "check": {"needs": ["download"], "check": {"path": f"{address}/raw/1.csv", "rows": 2}},
    }
    found = project.run(tasks)
    assert found["code"] == 0, found
    assert json.loads(bucket.get("bad.ndjson"))["value"] == "x"
    assert (bucket.get("n.csv"), bucket.get("file")) == (b"n\n2\n", CONTENT)


@pytest.mark.parametrize(
    ("to", "said"),
    [
        ({"connection": "lake", "path": "raw/"}, "is the key of one object"),
        ({"connection": "lake", "path": "s3://other/x"}, "leave the bucket out"),
        ("s3://lake/raw/", "is the key of one object"),
        ({"connection": "warehouse", "path": "x"}, "has no bucket that files are put into"),
    ],
)
def test_what_is_no_object_is_refused_before_anything_runs(
    to: object, said: str, tmp_path: Path, windlass: Windlass
) -> None:
    connections = {"lake": {"type": "s3"}, "warehouse": {"type": "postgres"}}
    (tmp_path / "windlass.yaml").write_text(json.dumps({"project": "t", "connections": connections}))
    (tmp_path / "pipelines").mkdir()
    copy = {
        "from": {"path": "a.csv"},
        "to": {"path": "b.csv"},
        "on_bad_row": "quarantine",
        "quarantine": to if isinstance(to, dict) else {"path": to},
    }
    tasks = {"a": {"download": {"url": "http://localhost/x", "to": to}}, "b": {"copy": copy}}
    (tmp_path / "pipelines/p.yaml").write_text(json.dumps({"pipeline": "p", "tasks": tasks}))
    done = windlass("validate", cwd=tmp_path)
    assert done.code != 0
    assert (done.stdout + done.stderr).count(said) == 2, done


def test_rows_in_quarantine_do_not_wait_in_what_the_copy_writes(tmp_path: Path, windlass: Windlass) -> None:
    (tmp_path / "windlass.yaml").write_text(
        json.dumps({"project": "t", "connections": {"lake": {"type": "s3"}}})
    )
    (tmp_path / "pipelines").mkdir()
    for number, (written, path) in enumerate([("out/", "out/bad.ndjson"), ("x.ndjson", "x.ndjson")]):
        copy = {
            "from": {"path": "a.csv"},
            "to": {"connection": "lake", "path": written},
            "on_bad_row": "quarantine",
            "quarantine": {"connection": "lake", "path": path},
        }
        name = f"p{number}"
        text = json.dumps({"pipeline": name, "tasks": {"a": {"copy": copy}}})
        (tmp_path / f"pipelines/{name}.yaml").write_text(text)
    done = windlass("validate", cwd=tmp_path)
    assert (done.stdout + done.stderr).count("the rows in quarantine cannot go there") == 2, done


def test_downloads_at_once_leave_one_of_them_whole(project: Project, bucket: Bucket, server: Server) -> None:
    to = {"connection": "lake", "path": "raw/file"}
    tasks = {name: {"download": {"url": f"{server.url}?{name}", "to": to}} for name in ("a", "b", "c")}
    found = project.run(tasks)
    assert found["code"] == 0, found
    assert bucket.get("raw/file") == CONTENT
    assert bucket.uploads() == 0
