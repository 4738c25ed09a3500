"""`windlass copy` of many tables at once: each whole or not at all, and what failed is told at the end."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Output
from windlass.connections import Address
from windlass.connectors.postgres.session import Session

Windlass = Callable[..., Output]

TABLES = """
CREATE TABLE orders AS SELECT generate_series(1, 1000) AS id;
CREATE TABLE customers AS SELECT 1 AS id, 'Ada' AS name;
CREATE TABLE tmp_1 (x int);
CREATE SCHEMA sales; CREATE TABLE sales.targets AS SELECT 2025 AS year;
"""


def run(address: Address, sql: str) -> list[tuple[object, ...]]:
    session = Session(address)
    try:
        if sql.startswith("SELECT"):
            return [tuple(row) for row in session.fetch(sql)]
        session.execute(sql)
        return []
    finally:
        session.close()


@pytest.fixture
def ends(
    make_database: Callable[[], Address], project: Callable[..., Path]
) -> tuple[Address, Address, dict[str, str]]:
    """Two databases, the first with tables, and the variables that make them connections of a project."""
    source, target = make_database(), make_database()
    run(source, TABLES)
    project({"windlass.yaml": "project: p\nconnections: {x: {type: postgres}, y: {type: postgres}}\n"})
    return source, target, {"WINDLASS_CONN_X": source.uri(), "WINDLASS_CONN_Y": target.uri()}


def test_all_tables_that_match_are_copied_by_their_names(
    windlass: Windlass, ends: tuple[Address, Address, dict[str, str]], tmp_path: Path
) -> None:
    _, target, env = ends
    done = windlass(
        "copy", "x:public.*", "y:", "--exclude", "tmp_*", "--json", cwd=tmp_path / "project", env=env
    )
    assert done.code == 0, done
    tables = done.json["tables"]
    assert [(t["table"], t["status"], t["rows_written"]) for t in tables] == [
        ("customers", "success", 1),
        ("orders", "success", 1000),
    ]
    assert run(target, "SELECT count(*), sum(id) FROM orders") == [(1000, 500500)]
    again = windlass("copy", "x:public.*", "y:", "--exclude", "tmp_*", cwd=tmp_path / "project", env=env)
    assert again.stdout.splitlines()[-1].startswith("2 tables, 1,001 rows in ")
    assert run(target, "SELECT count(*) FROM orders") == [(1000,)]


def test_one_that_fails_is_told_and_the_others_are_copied(
    windlass: Windlass, ends: tuple[Address, Address, dict[str, str]], tmp_path: Path
) -> None:
    _, target, env = ends
    run(target, "CREATE SCHEMA staging; CREATE TABLE staging.orders (other int NOT NULL)")
    done = windlass("copy", "x:*", "y:staging.*", cwd=tmp_path / "project", env=env)
    assert done.code == 1, done
    lines = done.stdout.splitlines()
    assert [line.split()[:2] for line in lines[1:5]] == [
        ["customers", "success"],
        ["orders", "failed"],
        ["sales.targets", "success"],
        ["tmp_1", "success"],
    ]
    assert "\norders: error[W" in done.stdout
    assert lines[-1].startswith("3 of 4 tables, 2 rows in ")
    assert run(target, "SELECT year FROM staging.targets") == [(2025,)]


def test_tables_become_files_of_a_folder(
    windlass: Windlass, ends: tuple[Address, Address, dict[str, str]], tmp_path: Path
) -> None:
    source, _, _ = ends
    done = windlass("copy", f"{source.uri()}?table=sales.*", "out/", "--format", "ndjson")
    assert done.code == 0, done
    assert [path.name for path in (tmp_path / "out").glob("[!.]*")] == ["sales.targets.ndjson"]
    assert json.loads((tmp_path / "out" / "sales.targets.ndjson").read_text()) == {"year": 2025}


WRONG = {
    ("x:none_*", "y:"): "no table matches 'none_*'",
    ("x:*", "y:orders"): "many tables cannot be copied to y:orders",
    ("x:*", "out.csv"): "many tables cannot be copied to out.csv",
    ("x:orders", "y:orders", "--exclude", "a"): "--exclude and --parallel are for many tables",
}


@pytest.mark.parametrize("arguments", WRONG)
def test_what_makes_no_sense_begins_nothing(
    windlass: Windlass,
    ends: tuple[Address, Address, dict[str, str]],
    tmp_path: Path,
    arguments: tuple[str, ...],
) -> None:
    _, target, env = ends
    done = windlass("copy", *arguments, cwd=tmp_path / "project", env=env)
    assert done.code in (1, 2)
    assert WRONG[arguments] in done.stderr
    assert run(target, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == []
