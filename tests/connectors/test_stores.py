"""Copies from and to real stores: what is asked of them, beyond what the suite of all connectors asks."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.conftest import Output
from tests.connectors.store_kit import Bucket
from windlass.connectors.stores.where import store_at
from windlass.errors import FatalError, RetryableError
from windlass.storage.objects import ChangedError
from windlass.testing import Copier, destination_of, source_of

STORES = ["s3", "gcs", "azure"]


@pytest.fixture(params=STORES)
def bucket(request: pytest.FixtureRequest, copier: Copier) -> Bucket:
    made: Bucket = request.getfixturevalue(request.param)()
    copier.addresses["lake"] = made.address
    return made


def ids(copier: Copier, path: str, **options: object) -> list[int]:
    """The ids of the rows that a copy finds there."""
    copier(source_of(connection="lake", path=path, **options), destination_of(path="found.ndjson"))
    lines = (copier.folder / "found.ndjson").read_text().splitlines()
    return sorted(json.loads(line)["id"] for line in lines)


def test_a_store_keeps_what_it_promises(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Conditions, uploads that are aborted, versions that are pinned, ranges: what exactly-once is built on."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    store = store_at(bucket.address, "lake", "x").store
    file = tmp_path / "file"
    file.write_bytes(b"0123456789")
    assert store.look("a/b") is None
    assert store.get("a/b") is None
    store.put("a/b", b"one", None)
    found = store.get("a/b")
    assert found is not None
    for version in (None, "1"):
        with pytest.raises(ChangedError):
            store.put("a/b", b"two", version)
    store.put("a/b", b"two", found[1])
    with pytest.raises(ChangedError):
        store.put("a/b", b"three", found[1])

    pinned = store.look("a/b")
    assert pinned is not None
    upload = store.begin_upload("a/b", "me", file)
    brought = store.upload("a/b", upload, file)
    assert [o.key for o in store.list("")] == ["a/b"]
    store.finish_upload("a/b", upload, brought, pinned.version)
    written = store.look("a/b")
    assert written is not None
    assert (written.load, written.size) == ("me", 10)
    assert b"".join(store.read(written, 3, 6)) == b"345"
    with pytest.raises(ChangedError):
        b"".join(store.read(pinned))

    aborted = store.begin_upload("a/c", "me", file)
    brought = store.upload("a/c", aborted, file)
    store.abort_upload("a/c", aborted)
    store.abort_upload("a/c", aborted)
    with pytest.raises(RetryableError):  # of moto a 500, where Amazon's says NoSuchUpload
        store.finish_upload("a/c", aborted, brought, None)
    assert bucket.uploads() == 0
    store.put_file("d/ü &+.csv", file, "me")
    assert [o.key for o in store.list("d/")] == ["d/ü &+.csv"]
    store.delete(["a/b", "d/ü &+.csv", "not-there"])
    assert bucket.names() == []


def test_one_object_a_prefix_or_a_pattern_is_read_in_any_format(bucket: Bucket, copier: Copier) -> None:
    bucket.put("raw/a.csv", b"id,n\n1,x\n")
    bucket.put("raw/b.csv.gz", gzip.compress(b"id,n\n2,y\n"))
    bucket.put("raw/_hidden.csv", b"no rows")
    bucket.put("raw/deep/c.csv", b"id,n\n3,z\n")
    bucket.put("raw/empty.csv", b"")
    bucket.put("other/d.ndjson", b'{"id": 4}\n')
    for day in (1, 2):
        table = pa.BufferOutputStream()
        pq.write_table(pa.table({"id": [10 * day]}), table)
        bucket.put(f"days/day={day}/x.parquet", table.getvalue().to_pybytes())
    assert ids(copier, "raw/a.csv") == [1]
    assert ids(copier, "raw/") == [1, 2, 3]
    assert ids(copier, "raw/[ab].csv*") == [1, 2]
    assert ids(copier, "raw/**/[a-c].csv") == [1, 3]
    assert ids(copier, "other/d.ndjson") == [4]
    assert ids(copier, "days/") == [10, 20]
    assert '"day":' in (copier.folder / "found.ndjson").read_text()
    for path, said in {
        "raw/aa.csv": "there is no object '.*raw/aa.csv'",
        "none/": "has no objects",
        "none/*.csv": "no object matches",
        "s3://elsewhere/x.csv": "is not a path in a bucket",
    }.items():
        with pytest.raises(FatalError, match=said):
            ids(copier, path)


def test_a_bad_row_is_known_by_its_object_and_line(bucket: Bucket, copier: Copier) -> None:
    bucket.put("raw/a.csv", b"id,n\n1,1\n")
    bucket.put("raw/b.csv", b"id,n\n2,2\nx,3\n")
    copier(
        source_of(connection="lake", path="raw/*.csv", columns={"id": "bigint"}),
        destination_of(connection="lake", path="out/x.csv"),
        on_bad_row="quarantine",
    )
    assert [(row["source"], row["line"]) for row in copier.quarantined] == [("b.csv", 3)]


def test_an_object_that_changes_while_it_is_read_is_no_mix(bucket: Bucket, copier: Copier) -> None:
    store = store_at(bucket.address, "lake", "x").store
    bucket.put("a.csv", b"id\n1\n" * 1000)
    found = store.look("a.csv")
    assert found is not None
    bucket.put("a.csv", b"id\n2\n" * 1000)
    with pytest.raises(ChangedError):
        list(store.read(found))


def test_rows_below_a_prefix_are_replaced_and_added_to(bucket: Bucket, copier: Copier) -> None:
    def load(run_key: str, *numbers: int, mode: str = "append") -> None:
        (copier.folder / "in.ndjson").write_text("".join(f'{{"id": {n}, "d": {n % 2}}}\n' for n in numbers))
        copier(
            source_of(path="in.ndjson"),
            destination_of(connection="lake", path="out/", mode=mode, partition_by=("d",)),
            run_key=run_key,
        )

    bucket.put("out-of-it/theirs", b"x")
    load("a", 1, 2)
    load("b", 3)
    load("b", 3)
    assert ids(copier, "out/") == [1, 2, 3]
    load("c", 4, 5, mode="replace")
    assert ids(copier, "out/") == [4, 5]
    data = [key for key in bucket.names() if "manifest" not in key]
    assert len(data) == 3, data
    assert "out-of-it/theirs" in data
    manifest = json.loads(bucket.get("out/.windlass-manifest.json"))
    assert {f"out/{name}" for name in manifest["files"]} == set(data) - {"out-of-it/theirs"}
    assert "starts" not in manifest
    assert "retired" not in manifest
    bucket.put("out/theirs.parquet", b"x")
    with pytest.raises(FatalError, match="has objects that windlass did not write: theirs"):
        load("d", 6, mode="replace")
    assert bucket.get("out/theirs.parquet") == b"x"


def test_a_large_object_goes_in_parts_both_ways(bucket: Bucket, copier: Copier) -> None:
    data = os.urandom(17 << 20)
    store, file = store_at(bucket.address, "lake", "x").store, copier.folder / "large"
    file.write_bytes(data)
    upload = store.begin_upload("large", "me", file)
    store.finish_upload("large", upload, store.upload("large", upload, file), None)
    store.put_file("large-2", file, "me")
    for key in ("large", "large-2"):
        found = store.look(key)
        assert found is not None
        assert b"".join(store.read(found)) == data


@pytest.mark.parametrize(
    "key",
    [
        *(
            "a b.csv",
            "a+b.csv",
            "a%20b.csv",
            "ü/日本 é.csv",
            "a//b.csv",
            "a?b#c.csv",
            "a&b=c.csv",
            "a*[b].csv",
            "a'\".csv",
        ),
        *(
            "a/../b.csv",
            "./c.csv",
            "%2e%2e/x.csv",
            "a\\b.csv",
            f"d/{'x' * 240}.csv",
            "e\u0301.csv",
            "~a:b@c.csv",
        ),
    ],
)
def test_a_key_is_just_that_or_is_refused(key: str, bucket: Bucket, copier: Copier) -> None:
    (copier.folder / "in.csv").write_text("id\n7\n")
    try:
        copier(source_of(path="in.csv"), destination_of(connection="lake", path=key, format="csv"))
    except FatalError as exc:
        assert "cannot be the name of a blob" in exc.message  # noqa: PT017 - of one store
        assert bucket.names() == []
        return
    assert key in bucket.names()
    assert ids(copier, key, format="csv") == [7]


def test_a_bucket_that_is_not_there_is_named(bucket: Bucket) -> None:
    gone = replace(bucket.address, host="no-such-bucket")
    with pytest.raises(FatalError, match="no-such-bucket"):
        list(store_at(gone, "lake", "x").store.list(""))


def test_a_path_needs_no_connection(
    s3: Callable[[], Bucket], copier: Copier, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = s3()
    monkeypatch.setenv("AWS_ENDPOINT_URL", bucket.address.options["endpoint"])
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "from-the-environment")
    name = bucket.address.host
    bucket.put("a.csv", b"id\n1\n")
    copier(source_of(path=f"s3://{name}/a.csv"), destination_of(path=f"s3://{name}/out/"))
    assert [key for key in bucket.names() if key.endswith(".parquet")]


def test_a_connection_is_tried_by_a_look_into_its_bucket(
    bucket: Bucket, tmp_path: Path, windlass: Callable[..., Output]
) -> None:
    (tmp_path / "windlass.yaml").write_text(
        f"project: t\nconnections: {{lake: {{type: {bucket.address.type}}}}}\n"
    )
    for key, said in {"": "nothing is in it", "raw/ä.csv": "the first object is raw/ä.csv"}.items():
        if key:
            bucket.put(key, b"x")
        environment = {"WINDLASS_CONN_LAKE": bucket.address.uri()}
        done = windlass("connections", "test", cwd=tmp_path, env=environment)
        assert done.stdout == f"lake: connected, {said}\n", done
    gone = replace(bucket.address, host="no-such-bucket").uri()
    done = windlass("connections", "test", cwd=tmp_path, env={"WINDLASS_CONN_LAKE": gone})
    assert done.code == 1
    assert "no-such-bucket" in done.stdout


def test_a_folder_stands_in_for_a_bucket(tmp_path: Path, windlass: Callable[..., Output]) -> None:
    files = {
        "windlass.yaml": "project: t\nconnections: {lake: {type: gcs, dev: {objects: data}}}\n",
        "data/raw/a.csv": "id\n1\n2\n",
        "pipelines/p.yaml": "pipeline: p\ntasks:\n  a:\n    copy:\n"
        "      from: {connection: lake, path: 'raw/*.csv'}\n"
        "      to: {connection: lake, path: 'out/{{ params.name }}.csv'}\n"
        "  b:\n    needs: [a]\n    copy:\n"
        "      from: {connection: lake, path: out/}\n"
        "      to: {path: found.csv}\nparams: {name: x}\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    done = windlass("run", "p", "--json", cwd=tmp_path)
    assert done.code == 0, done
    assert (tmp_path / "found.csv").read_text() == "id\n1\n2\n"
    assert json.loads(done.stdout)["dev_services"] == {"lake": "gcs"}
