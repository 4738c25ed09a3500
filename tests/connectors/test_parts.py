"""A copy whose parts are loads of their own: every row in exactly one of them, whatever happens meanwhile."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from tests.conftest import Output
from tests.connectors.database import Database
from windlass import failpoints
from windlass.connectors.source import Part
from windlass.engine import Job, Outcome
from windlass.engine.copying import copy
from windlass.engine.quarantine import read_quarantine
from windlass.engine.splitting import split
from windlass.errors import FatalError, WindlassError
from windlass.plan.model import Destination, Partition
from windlass.testing import Copier, destination_of, source_of

APPEND = destination_of(connection="y", table="t", mode="append")
MERGE = destination_of(connection="y", table="t", mode="merge", key=("id",))
ROWS = (
    "CREATE TABLE t (id int, name text); INSERT INTO t SELECT i, 'n' || i FROM generate_series(1, 1000) AS i"
)


@pytest.fixture
def pair(make_postgres: Callable[[str], Database], copier: Copier) -> tuple[Database, Database]:
    """A source with 1,000 rows, and an empty target."""
    source, target = make_postgres(ROWS), make_postgres("")
    copier.addresses |= {"x": source.address, "y": target.address}
    return source, target


@pytest.fixture
def job(copier: Copier) -> Callable[..., Job]:
    """The copy of `x.t`, which is to be split."""

    def make(destination: Destination = APPEND, by: str = "id", key: str = "k", **options: Any) -> Job:
        partition = Partition(by=by, parts=4)
        source = source_of(connection="x", table="t")
        return copier.job(source, destination, key, partition=partition, **options)

    return make


def load(job: Job, part: Part) -> Outcome:
    """One part, as its task loads it."""
    copied = structs.replace(job.copy, partition=None)
    return copy(replace(job, copy=copied, part=part, identity=replace(job.identity, part=part.name)))


def at_once(job: Job, parts: list[Part]) -> list[WindlassError]:
    """Load all parts at the same time. Returns what went wrong."""
    errors = []

    def work(part: Part) -> None:
        try:
            load(job, part)
        except WindlassError as exc:
            errors.append(exc)

    threads = [threading.Thread(target=work, args=(part,)) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def ids(database: Database) -> list[int | None]:
    return [row[0] for row in database.rows("SELECT id FROM t ORDER BY id NULLS FIRST, name")]


@pytest.mark.parametrize("destination", [APPEND, MERGE], ids=lambda d: d.mode)
def test_parts_that_are_loaded_at_once_make_up_the_table_even_where_there_was_none(
    destination: Destination, pair: tuple[Database, Database], job: Callable[..., Job]
) -> None:
    source, target = pair
    parts = split(job(destination))
    assert [part.name for part in parts] == ["1/4", "2/4", "3/4", "4/4"]
    assert at_once(job(destination), parts) == []
    assert target.rows("SELECT * FROM t ORDER BY id") == source.rows("SELECT * FROM t ORDER BY id")
    loads = target.rows("SELECT part, rows_written FROM _windlass_loads WHERE task = 'copy' ORDER BY part")
    assert [part for part, _ in loads] == ["1/4", "2/4", "3/4", "4/4"]
    assert [rows for _, rows in loads] == [250, 250, 250, 250]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("smallint", "i"),
        ("bigint", "i * 9000000000000000"),
        ("numeric(12,3)", "i / 7.0"),
        ("real", "i / 7.0"),
        ("double precision", "CASE i WHEN 9 THEN 'nan' ELSE i / 7.0 END"),
        ("date", "date '2020-01-01' + i"),
        ("timestamp", "timestamp '2020-01-01' + i * interval '61 seconds'"),
        ("timestamptz", "timestamptz '2020-01-01 +2' + i * interval '61 seconds'"),
    ],
)
def test_every_row_is_in_one_part_whatever_the_type_of_the_column(
    kind: str, value: str, pair: tuple[Database, Database], job: Callable[..., Job]
) -> None:
    source, target = pair
    source.run(
        f"DROP TABLE t; CREATE TABLE t AS SELECT i AS id, 'n' AS name, ({value})::{kind} AS k "
        "FROM generate_series(-500, 500) AS i; INSERT INTO t VALUES (501, 'none', NULL), (502, 'none', NULL)"
    )
    assert at_once(job(by="k"), split(job(by="k"))) == []
    assert ids(target) == ids(source)


def test_rows_that_arrive_between_the_parts_are_in_exactly_one(
    pair: tuple[Database, Database], job: Callable[..., Job]
) -> None:
    source, target = pair
    for part in split(job()):
        source.run("INSERT INTO t VALUES (NULL, 'later'), (-7, 'later'), (999, 'later'), (100000, 'later')")
        load(job(), part)
    arrived = target.rows("SELECT id, count(*) FROM t WHERE name = 'later' GROUP BY id ORDER BY id")
    # the first part saw the first round of its rows, the last part all rounds of its own
    assert arrived == [(-7, 1), (999, 4), (100000, 4), (None, 1)]


def test_a_part_that_was_killed_and_is_tried_again_adds_nothing_twice(
    pair: tuple[Database, Database], job: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = pair
    first, second, *_ = parts = split(job())
    load(job(), first)
    assert load(job(), first).skipped

    def lost(name: str) -> None:
        if name == "after-commit":
            raise ConnectionError(name)

    monkeypatch.setattr(failpoints, "reach", lost)
    with pytest.raises(ConnectionError):
        load(job(), second)
    monkeypatch.undo()
    assert at_once(job(), parts) == []
    assert ids(target) == ids(source)


def test_the_same_run_gets_the_same_parts_although_rows_have_arrived(
    pair: tuple[Database, Database], job: Callable[..., Job]
) -> None:
    source, target = pair
    parts = split(job())
    assert at_once(job(), parts[:3]) == []
    source.run("INSERT INTO t SELECT i, 'later' FROM generate_series(1001, 9000) AS i")
    assert split(job()) == parts
    assert split(job(key="another")) != parts
    assert at_once(job(), split(job())) == []
    assert ids(target) == ids(source)


def test_a_part_with_other_bounds_is_refused(
    pair: tuple[Database, Database], job: Callable[..., Job]
) -> None:
    _, target = pair
    first, second, *_ = split(job())
    load(job(), first)
    for other in (replace(first, high="999"), replace(second, high="999")):
        with pytest.raises(FatalError, match=r"another input|not one of the parts"):
            load(job(), other)
    assert ids(target) == list(range(1, 251))


def test_a_run_is_loaded_whole_or_in_parts_and_never_both(
    pair: tuple[Database, Database], job: Callable[..., Job]
) -> None:
    source, target = pair
    load(job(), split(job())[2])
    with pytest.raises(FatalError, match="already loaded in 4 parts"):
        copy(job())
    copy(job(key="whole"))
    assert split(job(key="whole")) == [Part()]
    assert load(job(key="whole"), Part()).skipped
    assert len(ids(target)) == len(ids(source)) + 250


def test_a_table_without_rows_is_one_part(pair: tuple[Database, Database], job: Callable[..., Job]) -> None:
    source, target = pair
    source.run("DELETE FROM t")
    assert split(job()) == [Part()]
    load(job(), Part())
    source.run("INSERT INTO t VALUES (1, 'later')")
    assert split(job()) == [Part()]
    assert load(job(), Part()).skipped
    assert ids(target) == []


def test_an_older_writer_of_a_part_is_fenced_and_those_of_other_parts_are_not(
    pair: tuple[Database, Database], job: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = pair
    first, second, *rest = split(job(MERGE))
    target.run("CREATE TABLE t (id int PRIMARY KEY, name text)")
    main, reached, go_on = threading.current_thread(), threading.Event(), threading.Event()

    def pause(name: str) -> None:
        if name == "before-ledger" and threading.current_thread() is not main:
            reached.set()
            assert go_on.wait(60)

    monkeypatch.setattr(failpoints, "reach", pause)
    errors: list[WindlassError] = []
    older = threading.Thread(target=lambda: errors.extend(_failure(lambda: load(job(MERGE), first))))
    older.start()
    assert reached.wait(60)
    for part in (second, *rest):
        load(job(MERGE), part)
    load(job(MERGE), first)
    go_on.set()
    older.join()
    assert [type(error).__name__ for error in errors] == ["FencedError"]
    assert ids(target) == ids(source)


def _failure(work: Callable[[], object]) -> list[WindlassError]:
    try:
        work()
    except WindlassError as exc:
        return [exc]
    return []


def test_a_merge_in_parts_changes_what_differs_and_keeps_the_rest(
    pair: tuple[Database, Database], job: Callable[..., Job]
) -> None:
    source, target = pair
    target.run(
        "CREATE TABLE t (id int PRIMARY KEY, name text); INSERT INTO t VALUES (5, 'old'), (600, 'old'), (-1, 'kept')"
    )
    for _ in range(2):
        assert at_once(job(MERGE), split(job(MERGE))) == []
    assert target.rows("SELECT * FROM t WHERE id > 0 ORDER BY id") == source.rows(
        "SELECT * FROM t ORDER BY id"
    )
    assert target.rows("SELECT name FROM t WHERE id = -1") == [("kept",)]


def test_each_part_has_a_quarantine_of_its_own(
    pair: tuple[Database, Database], job: Callable[..., Job], copier: Copier
) -> None:
    source, target = pair
    source.run("UPDATE t SET name = 'much too long' WHERE id IN (10, 20, 900)")
    target.run("CREATE TABLE t (id int, name varchar(6))")
    asked = job(on_bad_row="quarantine")
    quarantined = {}
    for part in split(asked):
        file = copier.folder / f"{part.name.replace('/', '-')}.ndjson"
        load(replace(asked, quarantine_file=file), part)
        rows: list[Any] = list(read_quarantine(file)) if file.exists() else []
        quarantined[part.name] = [row["record"]["id"] for row in rows]
    assert quarantined == {"1/4": [10, 20], "2/4": [], "3/4": [], "4/4": [900]}
    assert len(ids(target)) == 997


def test_sequences_go_on_past_the_highest_value_of_all_parts(
    pair: tuple[Database, Database], job: Callable[..., Job]
) -> None:
    _, target = pair
    target.run("CREATE TABLE t (id serial, name text)")
    assert at_once(job(), list(reversed(split(job())))) == []
    target.run("INSERT INTO t (name) VALUES ('next')")
    assert target.value("SELECT id FROM t WHERE name = 'next'") == 1001


# --- from the command line, as a scheduler does it ---------------------------------------------------

PIPELINE = """
pipeline: p
tasks:
  load:
    copy:
      from: {connection: x, table: t}
      to: {connection: y, table: t, mode: append}
      partition: {by: id, parts: 4}
      on_bad_row: quarantine
      quarantine: {connection: y, table: bad_rows}
  whole:
    copy:
      from: {connection: x, table: t}
      to: {connection: y, table: t, mode: replace}
      partition: {by: id, parts: 4}
"""


@pytest.fixture
def exec_task(
    pair: tuple[Database, Database], windlass: Callable[..., Output], project: Callable[..., Path]
) -> Callable[..., Output]:
    """Executes a task of a pipeline, in the run `r`."""
    source, target = pair
    root = project(
        {
            "windlass.yaml": "project: p\nconnections: {x: {type: postgres}, y: {type: postgres}}\n",
            "pipelines/p.yaml": PIPELINE,
        }
    )
    env = {"WINDLASS_CONN_X": source.address.uri(), "WINDLASS_CONN_Y": target.address.uri()}

    def call(task: str, *options: str, **environment: str) -> Output:
        told = {**env, "WINDLASS_RUN_ID": "r", **environment}
        return windlass("-C", root, "exec", "p", task, *options, env=told)

    return call


def test_a_scheduler_lists_the_parts_and_starts_a_task_for_each(
    pair: tuple[Database, Database], exec_task: Callable[..., Output]
) -> None:
    source, target = pair
    source.run(
        "UPDATE t SET name = 'much too long' WHERE id IN (10, 20, 900); INSERT INTO t VALUES (20, 'much too long')"
    )
    target.run("CREATE TABLE t (id int, name varchar(6))")
    listed = json.loads(exec_task("load", "--parts").stdout.splitlines()[-1])
    assert listed["event"] == "result"
    parts = listed["detail"]["parts"]
    assert parts[1] == {"part": "2/4", "by": "id", "from": "251", "to": "501"}
    with ThreadPoolExecutor() as pool:
        done = list(pool.map(lambda part: exec_task("load", "--part", json.dumps(part)), parts))
    assert [output.code for output in done] == [0, 0, 0, 0]
    results = [json.loads(output.stdout.splitlines()[-1]) for output in done]
    assert [(r["rows_written"], r["rows_quarantined"]) for r in results] == [
        (248, 3),
        (250, 0),
        (250, 0),
        (249, 1),
    ]
    files = [Path(r["detail"]["quarantine"]).name for r in results if "quarantine" in r["detail"]]
    assert files == ["load.1-of-4.ndjson", "load.4-of-4.ndjson"]
    bad = target.rows("SELECT (record ->> 'id')::int FROM bad_rows ORDER BY 1")
    assert bad == [(10,), (20,), (20,), (900,)]


def test_parts_are_listed_in_a_file_and_found_in_the_environment(
    pair: tuple[Database, Database], exec_task: Callable[..., Output], tmp_path: Path
) -> None:
    file = tmp_path / "list.json"
    for _ in range(2):  # a step that is tried again lists the same
        assert exec_task("load", f"--parts={file}").code == 0
        parts = json.loads(file.read_text())
    assert [part["part"] for part in parts] == ["1/4", "2/4", "3/4", "4/4"]
    for part in (*parts, parts[0]):  # one that is tried again loads nothing twice
        done = exec_task("load", WINDLASS_PART=json.dumps(part))
        assert done.code == 0, done.stdout
    _, target = pair
    assert target.rows("SELECT count(*), count(DISTINCT id) FROM t") == [(1000, 1000)]


@pytest.mark.parametrize(
    ("task", "options", "says"),
    [
        ("whole", ["--parts"], "the parts of 'whole' cannot be loads of their own"),
        ("whole", ["--part", '{"part": "1/4", "by": "id", "from": null, "to": "5"}'], "cannot be loads of their own"),
        ("load", ["--part", "4"], "this is not a part"),
        ("load", ["--part", '{"part": "1/4", "by": "id", "from": 1, "to": 2}'], "this is not a part"),
        ("load", ["--part", '{"part": "1/4", "by": "id", "from": null, "to": "5"}'], "not one of the parts of run key"),
        ("load", ["--parts", "--part", "{}"], "exclude each other"),
    ],
)  # fmt: skip
def test_what_is_no_part_is_refused(
    task: str, options: list[str], says: str, exec_task: Callable[..., Output]
) -> None:
    done = exec_task(task, *options)
    assert done.code in (1, 2)
    assert says in done.stdout + done.stderr
