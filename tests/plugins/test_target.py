"""A target of somebody else's package: a command with the options that it declares, and files put in place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Output

Windlass = Callable[..., Output]
Project = Callable[[dict[str, str]], Path]

FILES = {
    "windlass.yaml": "project: test\nconnections: {pg: {type: postgres}}\npools: {few: 2}\n",
    "pipelines/p.yaml": "pipeline: p\nschedule: '0 6 * * *'\n"
    "tasks: {a: {pool: few, sql: {connection: pg, statement: SELECT 1}}}\n",
    "pipelines/q.yaml": "pipeline: q\ntasks: {a: {run: {command: [date]}}}\n",
}


@pytest.fixture
def export(windlass: Windlass, project: Project, acme: dict[str, str]) -> Callable[..., Output]:
    """Export the project to `crontab`, with these options."""
    root = project(FILES)

    def call(*options: str) -> Output:
        return windlass("-C", root, "export", "crontab", "--out", root.parent / "out", *options, env=acme)

    return call


def test_a_target_of_another_package_is_a_command(export: Callable[..., Output], tmp_path: Path) -> None:
    done = export("--user", "etl", "--quiet")
    assert (done.code, done.stderr) == (0, "")
    out = tmp_path / "out"
    assert done.stdout == (
        f"wrote {out} with p, q\n  cron needs connection pg (postgres)\n  cron needs pool few (2 slots)\n"
    )
    line = f"0 6 * * * etl windlass -C {tmp_path / 'project'} run p >/dev/null 2>&1\n"
    assert (out / "crontab").read_text() == f"SHELL=/bin/sh\n{line}"
    assert (out / "pipelines" / "q.txt").read_text() == "1 tasks\n"


def test_its_options_are_those_that_it_declares(export: Callable[..., Output]) -> None:
    told = export("--help").stdout
    for text in (
        "Write a crontab: every pipeline",
        "Whom the pipelines run as.",
        "[sh|bash]",
        "[default: sh]",
        "--quiet",
    ):
        assert text in told
    assert "missing option '--user'" in export().stderr
    assert "'zsh' is not one of 'sh', 'bash'" in export("--user", "etl", "--shell", "zsh").stderr


def test_only_what_changes_is_written_and_nothing_else_is_touched(
    export: Callable[..., Output], tmp_path: Path
) -> None:
    export("--user", "etl")
    out = tmp_path / "out"
    (out / "pipelines" / "foreign.txt").write_text("mine")
    before = {file: file.stat().st_mtime_ns for file in out.rglob("*") if file.is_file()}
    export("--user", "other")
    after = {file: file.stat().st_mtime_ns for file in out.rglob("*") if file.is_file()}
    assert {file.name for file in after if before[file] != after[file]} == {"crontab"}
    assert before.keys() == after.keys()


def test_a_target_that_is_not_there_is_told_with_those_that_are(
    windlass: Windlass, project: Project, acme: dict[str, str]
) -> None:
    root = project(FILES)
    done = windlass("-C", root, "export", "airflwo", env=acme)
    assert (done.code, "there is no target 'airflwo'" in done.stderr) == (2, True)
    assert "did you mean 'airflow'?" in done.stderr
    words = windlass("export", "--help", env=acme).stdout.split()
    listed = " ".join(words)  # the longest name of a target decides how wide the columns are
    assert "airflow Write a loader and a plan: every pipeline of the project as" in listed
    assert "crontab Write a crontab: every pipeline that has a schedule." in listed


def test_a_target_of_another_package_is_rehearsed_as_it_says(
    windlass: Windlass, project: Project, acme: dict[str, str]
) -> None:
    root = project(FILES)
    done = windlass("-C", root, "run", "p", "--as", "crontab", "--json", env=acme)
    assert (done.code, [task["task"] for task in done.json["tasks"]]) == (0, ["a"]), done.stderr
    assert "cron | 0 6 * * * me windlass" in done.stderr
    done = windlass("-C", root, "run", "p", "--as", "ci", env=acme)
    assert (done.code, "an export to ci cannot be rehearsed" in done.stderr) == (2, True)
    assert "argo, kubernetes, crontab" in done.stderr
    done = windlass("-C", root, "run", "p", "--as", "crontab", "--task", "a", "--force", env=acme)
    assert (done.code, "--as takes no --task or --force" in done.stderr) == (2, True), done.stderr


def test_a_defect_of_another_package_is_not_called_one_of_windlass(export: Callable[..., Output]) -> None:
    done = export("--user", "nobody")
    assert "AttributeError" in done.stderr
    assert "this is a defect of the package acme-windlass" in done.stderr
