"""The scripts of commands, run by a real shell."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from windlass.entries import Entry
from windlass.plan.instances import to_text
from windlass.spec import load_project
from windlass.targets.exporting import compiled
from windlass.tasks.scripts import write_scripts


@pytest.fixture
def script(project: Callable[..., Path], tmp_path: Path) -> Callable[[str], Path]:
    """The script of a command that a shell would run."""

    def make(text: str) -> Path:
        pipeline = f"pipeline: p\ntasks: {{a: {{run: {{command: [sh, -c, {text!r}], env: {{TEXT: it is 'so'}}}}}}}}\n"
        plan = compiled(load_project(project({"pipelines/p.yaml": pipeline}))).plans["p"]
        (written,) = write_scripts(plan, tmp_path, tmp_path, {"WINDLASS_RUN_ID": "r"})
        return written

    return make


def ended(script: Path, *entrypoint: str) -> tuple[int, str]:
    done = subprocess.run(
        ["sh", script, *entrypoint], check=False, capture_output=True, text=True, timeout=60
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize("code", [0, 3, 143])
def test_the_exit_code_is_that_of_the_command(script: Callable[[str], Path], code: int) -> None:
    assert ended(script(f'echo "$TEXT $WINDLASS_RUN_ID"; exit {code}')) == (code, "it is 'so' r\n")


def test_an_entrypoint_stands_in_front_of_the_command(script: Callable[[str], Path]) -> None:
    assert ended(script("echo $A"), "env", "A=b c") == (0, "b c\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("echo ready; exec sleep 1000", 143),
        ("trap 'exit 5' TERM; echo ready; while :; do sleep 0.01; done", 5),
    ],
)
def test_a_command_that_is_to_end_is_told_and_has_the_last_word(
    script: Callable[[str], Path], text: str, expected: int
) -> None:
    command: Sequence[str | Path] = ["sh", script(text)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "ready\n"
        running.terminate()
        assert running.wait(60) == expected


def test_the_script_of_a_task_of_each_entry_is_about_the_one_in_the_environment(
    project: Callable[..., Path], tmp_path: Path
) -> None:
    pipeline = """\
pipeline: p
tasks:
  list: {run: {command: [ls]}}
  load:
    for_each: {of: list, path: a.csv, name: "{{ each.city }}"}
    run: {command: [echo, "{{ each.city }} {{ run_id }}"], env: {LAT: "{{ each.lat }}"}}
"""
    plan = compiled(load_project(project({"pipelines/p.yaml": pipeline}))).plans["p"]
    entry = to_text(Entry({"city": "$(New) 'York", "lat": 40.7}, "x", "a.csv:2"))
    environ = {"WINDLASS_RUN_ID": "r", "WINDLASS_ENTRY": entry}
    (written,) = write_scripts(plan, tmp_path, tmp_path, environ, ["load"])
    assert written.name == "load.sh"
    assert ended(written) == (0, "$(New) 'York r\n")
    assert "export LAT=40.7" in written.read_text()
