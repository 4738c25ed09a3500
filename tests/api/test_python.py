"""`windlass.copy`, `windlass.run` and `windlass.compile`, as Python users call them."""

from __future__ import annotations

import asyncio
import inspect
import json
import multiprocessing
import subprocess
import sys
from collections.abc import Callable
from dataclasses import FrozenInstanceError, fields
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

import windlass
from tests.conftest import ROOT
from windlass import errors
from windlass.connections import Address
from windlass.connectors.postgres.session import Session
from windlass.status import Status

PAGE = (ROOT / "docs" / "reference" / "python.md").read_text(encoding="utf-8")
PIPELINE = """\
pipeline: p
schedule: "@daily"
params: {n: 1}
tasks:
  first: {copy: {from: {path: "{{ params.n }}.csv"}, to: {path: "{{ ds }}.parquet"}, on_bad_row: quarantine,
                 select: {id: {type: integer}}}}
  second: {needs: first, run: {command: [sh, -c, "exit ${CODE:-0}"]}}
"""


@pytest.fixture
def root(project: Callable[..., Path]) -> Path:
    return project({"windlass.yaml": "project: p\n", "pipelines/p.yaml": PIPELINE, "1.csv": "id\n1\nx\n3\n"})


# --- what there is ----------------------------------------------------------------------------------


def test_everything_that_is_public_is_there_and_on_the_page() -> None:
    assert sorted(windlass.__all__, key=lambda name: (name.islower(), name)) == [
        *(
            "BackfillRunResult",
            "CopyResult",
            "FatalError",
            "Plan",
            "Problem",
            "QueryResult",
            "RetryableError",
            "RunResult",
            "SpecError",
            "Status",
        ),
        *(
            "TableCopyResult",
            "TaskRunResult",
            "UsageError",
            "WindlassError",
            "__version__",
            "backfill",
            "compile",
            "copy",
            "copy_tables",
            "query",
            "run",
        ),
    ]
    assert set(windlass.__all__) <= set(dir(windlass))
    for name in windlass.__all__:
        assert getattr(windlass, name) is not None
        assert name.startswith("__") or name in PAGE
    with pytest.raises(AttributeError, match="has no attribute 'move'"):
        windlass.move  # noqa: B018 - that is what is tested


def test_errors_are_the_classes_that_are_raised_everywhere() -> None:
    for name in ("FatalError", "Problem", "RetryableError", "SpecError", "UsageError", "WindlassError"):
        assert getattr(windlass, name) is getattr(errors, name)


@pytest.mark.parametrize(
    "function",
    [windlass.backfill, windlass.copy, windlass.copy_tables, windlass.query, windlass.run, windlass.compile],
)
def test_the_page_has_every_argument(function: Callable[..., Any]) -> None:
    for name in inspect.signature(function).parameters:
        assert f"`{name}`" in PAGE or f"{name}" in ("source", "destination"), name


@pytest.mark.parametrize(
    "result",
    [
        windlass.CopyResult,
        windlass.QueryResult,
        windlass.TableCopyResult,
        windlass.RunResult,
        windlass.TaskRunResult,
    ],
)
def test_the_page_has_every_field(result: Any) -> None:
    assert [field.name for field in fields(result) if f"`{field.name}`" not in PAGE] == []


def test_the_import_costs_nothing() -> None:
    program = "import sys; before = set(sys.modules); import windlass; print(*(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert {name for name in done.stdout.split() if name.startswith("windlass")} == {"windlass"}


# --- copy -------------------------------------------------------------------------------------------


def test_a_copy_says_what_it_did(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,name\n1,Ada\nx,Grace\n")
    result = windlass.copy(
        tmp_path / "a.csv", "out.ndjson", select=["id:integer", "who=name"], on_bad_row="quarantine",
        folder=tmp_path,
    )  # fmt: skip
    assert (result.rows_read, result.rows_written, result.rows_quarantined) == (2, 1, 1)
    assert (tmp_path / "out.ndjson").read_text() == '{"id":1,"who":"Ada"}\n'
    assert result.quarantine == tmp_path / "a.csv.quarantine.ndjson"
    assert json.loads(result.quarantine.read_text())["run"] == result.run_id
    assert "a.csv:3: column 'id': 'x' does not fit" in result.bad_rows[0]
    with pytest.raises(FrozenInstanceError):
        result.path = "other"  # type: ignore[misc]


def test_a_merge_counts_and_takes_one_key_as_text(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,n\n1,1\n2,2\n")
    (tmp_path / "b.csv").write_text("id,n\n2,3\n3,3\n")
    address = f"sqlite:///{tmp_path}/x.db?table=t"
    seen: list[int] = []
    windlass.copy(tmp_path / "a.csv", address, progress=lambda rows, _: seen.append(rows))
    assert sum(seen) == 2
    merged = windlass.copy(tmp_path / "b.csv", address, mode="merge", key="id")
    assert (merged.inserted, merged.updated, merged.unchanged) == (1, 1, 0)


@pytest.mark.parametrize("kind", ["sqlite", "duckdb"])
@pytest.mark.parametrize("name", ["rows", "windlass_stage", "files", "select", "a b", "t'x"])
def test_a_table_may_be_called_as_ours_are(tmp_path: Path, kind: str, name: str) -> None:
    (tmp_path / "a.csv").write_text("id\n1\n")
    address = f"{kind}:///{tmp_path}/x.db?table={quote(name)}"
    for mode in ("append", "replace"):
        windlass.copy(tmp_path / "a.csv", address, mode=mode)
    assert windlass.query(address).rows == ((1,),)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mode": "upsert"}, "`mode` 'upsert': expected one of append, replace, merge"),
        ({"mode": "merge"}, "`mode` merge needs `key`"),
        ({"on_bad_row": "skip"}, "`on_bad_row` 'skip': expected one of fail, quarantine"),
        ({"quarantine": "q.ndjson"}, "`quarantine` needs `on_bad_row` quarantine"),
        ({"max_bad_rows": "many"}, "`max_bad_rows` 'many': expected a number, or a share"),
        ({"delimiter": "ab"}, "`delimiter` 'ab': expected one character"),
        ({"parts": 0}, "`parts` 0: expected a number from 1 to 64"),
        ({"memory": "lots"}, "`memory` 'lots': expected a size"),
    ],
)
def test_arguments_that_make_no_sense_are_usage_errors(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(windlass.UsageError) as raised:
        windlass.copy("a.csv", "b.csv", **arguments)
    assert raised.value.message.startswith(message)


def test_what_cannot_be_copied_is_fatal_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(windlass.FatalError, match="gone"):
        windlass.copy("gone.csv", "out.csv", folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


# --- run and compile ----------------------------------------------------------------------------------


def test_a_run_says_what_became_of_each_task(root: Path) -> None:
    run = windlass.run(root / "pipelines", logical_date=date(2025, 3, 2), params={"n": 1})
    assert (run.pipeline, run.status, run.logical_date) == ("p", "success", datetime(2025, 3, 2, tzinfo=UTC))
    first, second = run.tasks.values()
    assert (first.rows_read, first.rows_written, first.rows_quarantined) == (3, 2, 1)
    assert first.quarantine is not None
    assert json.loads(first.quarantine.read_text())["run"] == run.run_id
    assert (second.task, second.kind, second.attempts, second.rows_read) == ("second", "run", 1, None)
    assert run.report is not None
    assert run.report.exists()
    assert (root / "2025-03-02.parquet").exists()


def test_a_run_that_fails_raises_by_its_recovery_or_says_so_and_can_be_resumed(root: Path) -> None:
    with pytest.raises(windlass.FatalError, match=r"first: .*2\.csv"):
        windlass.run(root, "p", params={"n": 2}, logical_date="2025-03-02")
    failed = windlass.run(root, "p", params={"n": 2}, check=False)
    assert (failed.status, [task.task for task in failed.failed]) == (Status.FAILED, ["first"])
    assert failed.tasks["second"].status == "upstream_failed"
    assert (failed.failed[0].code, failed.retryable) == ("W0405", False)
    again = windlass.run(root, resume=failed.run_id, params={"n": 1})
    assert (again.run_id, again.status) == (failed.run_id, "success")
    with pytest.raises(windlass.UsageError, match="`resume`: the run has its logical date"):
        windlass.run(root, resume=failed.run_id, logical_date="2025-03-02")


def test_a_project_is_compiled_or_all_that_is_wrong_with_it_is_told(root: Path) -> None:
    plan = windlass.compile(root)["p"]
    assert isinstance(plan, windlass.Plan)
    assert [task.name for task in plan.tasks] == ["first", "second"]
    (root / "pipelines" / "p.yaml").write_text("pipeline: p\ntask: {}\n")
    with pytest.raises(windlass.SpecError) as raised:
        windlass.compile(root)
    problem = raised.value.problems[0]
    assert (problem.file, problem.line, problem.hint) == ("pipelines/p.yaml", 2, "did you mean 'tasks'?")
    with pytest.raises(windlass.UsageError, match="no folder"):
        windlass.compile(root / "gone")


# --- where it is called -------------------------------------------------------------------------------


@pytest.fixture
def orders(database: Address) -> str:
    """The address of a database with a table."""
    session = Session(database)
    session.execute("CREATE TABLE orders AS SELECT generate_series(1, 5) AS id")
    session.close()
    return database.uri()


def test_it_can_be_called_where_an_event_loop_runs(orders: str, tmp_path: Path, root: Path) -> None:
    async def cell() -> tuple[int, str]:
        copied = windlass.copy(_table(orders), tmp_path / "out.csv")
        return copied.rows_written, windlass.run(root).status

    assert asyncio.run(cell()) == (5, "success")


def _table(address: str) -> str:
    return f"{address}{'&' if '?' in address else '?'}table=orders"


def _copied(address: str, to: str) -> int:
    return windlass.copy(_table(address), to).rows_written


def test_a_process_that_was_forked_may_copy_as_its_parent_did(orders: str, tmp_path: Path) -> None:
    assert _copied(orders, str(tmp_path / "here.csv")) == 5
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply_async(_copied, (orders, str(tmp_path / "there.csv"))).get(60) == 5


def test_records_go_to_logging_without_secrets(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(
        "import logging, windlass\n"
        "logging.basicConfig(level='INFO', format='%(name)s %(levelname)s %(message)s')\n"
        "windlass.logs.add_secret('hunter22')\n"
        "windlass.logs.warning('odd', what='hunter22 is a password')\n"
    )
    program = "import windlass.logs; exec(open('a.py').read())"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stderr == "windlass WARNING odd what=*** is a password\n"
