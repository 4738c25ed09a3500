"""Steps that print very much, in odd shapes, or onto a disk that is full: no run hangs, grows or breaks by it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Output, missing

Run = Callable[..., dict[str, Any]]
MB = 1 << 20


def log_of(result: dict[str, Any], task: str) -> Path:
    file: Path = result["root"] / ".windlass/runs" / result["run"] / "logs" / f"{task}.1.jsonl"
    return file


def test_of_very_much_output_the_beginning_and_the_end_are_kept(
    run: Run, windlass: Callable[..., Output]
) -> None:
    many = "for i in range(150_000): print('line', i, 'of a step that says much')"
    long = "import sys; [sys.stdout.write('x' * 1_000_000) for _ in range(30)]; print('\\nafter')"
    bar = "import sys; [sys.stdout.write(f'\\r{i}%') for i in range(101)]; print('\\nafter', flush=True)"
    result = run(
        "tasks:\n"
        "  many: {run: {command: [python3, many.py]}}\n"
        "  long: {run: {command: [python3, long.py]}}\n"
        "  bar: {run: {command: [python3, bar.py]}}\n",
        files={"many.py": many, "long.py": long, "bar.py": bar},
    )
    assert (result["code"], {task["status"] for task in result["tasks"].values()}) == (0, {"success"})
    logged = [json.loads(line) for line in log_of(result, "many").read_text().splitlines()]
    said = [record["message"] for record in logged if record["event"] == "output"]
    (note,) = (record for record in logged if record["event"] == "left_out")
    assert (said[0], said[-1]) == ("line 0 of a step that says much", "line 149999 of a step that says much")
    assert len(said) + note["lines"] == 150_000
    assert log_of(result, "many").stat().st_size < 17 * MB
    assert [file.name for file in log_of(result, "many").parent.glob("many*")] == ["many.1.jsonl"]
    long_line, after = [
        json.loads(line)["message"] for line in log_of(result, "long").read_text().splitlines()
    ]
    assert (long_line[-26:], after) == (" … (29,934,464 more bytes)", "after")
    bars = [json.loads(line)["message"] for line in log_of(result, "bar").read_text().splitlines()]
    assert bars == ["100%", "after"]
    shown = windlass("-C", result["root"], "logs", result["run"], "many").stdout
    assert shown.count("\n") == len(logged)
    assert windlass("-C", result["root"], "report").code == 0


def test_what_exec_prints_has_no_line_without_end(
    windlass: Callable[..., Output], project: Callable[..., Path]
) -> None:
    long = (
        "import sys; [sys.stdout.write('x' * 1_000_000) for _ in range(30)]; print('\\n\\r1%\\r2%\\nafter')"
    )
    text = "pipeline: p\ntasks: {a: {run: {command: [sh, -c, python3 long.py]}}}\n"
    done = windlass("-C", project({"pipelines/p.yaml": text, "long.py": long}), "exec", "p", "a")
    first, *others = done.stdout.splitlines()
    assert done.code == 0
    assert (len(first) < 70_000, first[-26:]) == (True, " … (29,934,464 more bytes)")
    assert others[:2] == ["2%", "after"]


@pytest.fixture
def small_disk() -> Iterator[Callable[[Path], None]]:
    """Mounts a disk of 1 MB on a folder."""
    if os.geteuid() != 0:
        missing("the right to mount a small disk")
    mounted: list[Path] = []

    def mount(folder: Path) -> None:
        folder.mkdir(parents=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", folder], check=True)
        mounted.append(folder)

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_full_disk_under_the_state_is_told_and_may_be_tried_again(
    small_disk: Callable[[Path], None], windlass: Callable[..., Output], project: Callable[..., Path]
) -> None:
    prints = "for i in range(20_000): print('a line that fills a disk', i)"
    text = "pipeline: p\ntasks: {a: {run: {command: [python3, prints.py]}}, b: {needs: a, run: {command: [echo, b]}}}\n"
    root = project({"pipelines/p.yaml": text, "prints.py": prints})
    small_disk(root / ".windlass")
    done = windlass("-C", root, "run", "p")
    assert "Traceback" not in done.stderr
    assert "log_incomplete" in done.stderr
    assert done.code == 3, done.stderr
    assert "free some space" in done.stderr


def test_a_state_that_is_removed_meanwhile_is_told(
    windlass: Callable[..., Output], project: Callable[..., Path]
) -> None:
    text = "pipeline: p\ntasks: {a: {run: {command: [rm, -rf, .windlass]}}, b: {needs: a, run: {command: [echo, b]}}}\n"
    root = project({"pipelines/p.yaml": text})
    done = windlass("-C", root, "run", "p")
    assert done.code == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert "error[W0614]" in done.stderr
    assert ".windlass is gone" in done.stderr


def test_a_state_that_cannot_be_read_says_what_to_do(
    windlass: Callable[..., Output], project: Callable[..., Path]
) -> None:
    root = project({"pipelines/p.yaml": "pipeline: p\ntasks: {a: {run: {command: ['true']}}}\n"})
    (root / ".windlass").mkdir()
    (root / ".windlass/state.db").write_text("no database" * 1000)
    for command in (["run", "p"], ["runs"]):
        done = windlass("-C", root, *command)
        assert (done.code, "error[W0614]" in done.stderr, "remove " in done.stderr) == (1, True, True)
    (root / ".windlass/state.db").unlink()
    assert windlass("-C", root, "run", "p").code == 0
    for kind in ("a file", "a link that leads nowhere"):
        state = root / ".windlass"
        shutil.rmtree(state) if state.is_dir() else state.unlink()
        state.touch() if kind == "a file" else state.symlink_to("nowhere")
        done = windlass("-C", root, "run", "p")
        assert (done.code, "Traceback" in done.stderr) == (1, False)
        assert "error[W0614]" in done.stderr
        assert f"{state} is not a folder" in done.stderr
