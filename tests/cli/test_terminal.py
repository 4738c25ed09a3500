"""On a terminal: colours, progress, completion."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Project = Callable[..., Path]

TWO = """\
pipeline: two
description: Two tasks
tasks:
  first: {run: {command: [echo, from the first]}}
  second: {needs: first, run: {command: [echo, from the second]}}
"""


def on_a_terminal(root: Path, *arguments: str, status: int = 0, **variables: str) -> str:
    """What a terminal shows of a command that ends with this status."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "windlass", *arguments],
        cwd=root,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "120", **variables},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 65536):
            shown += chunk
    except OSError:  # Linux's way to say that nobody has the other end
        pass
    os.close(ours)
    assert process.wait() == status, shown.decode()
    return shown.decode()


def test_a_run_shows_its_tasks_their_output_and_a_table(project: Project) -> None:
    shown = on_a_terminal(project({"pipelines/two.yaml": TWO}), "run", "two")
    for part in ("from the first", "from the second", "\x1b[32m", "pipeline  task"):
        assert part in shown
    assert '"event"' not in shown


def test_no_color_means_no_color(project: Project) -> None:
    shown = on_a_terminal(project({"pipelines/two.yaml": TWO}), "run", "two", NO_COLOR="1")
    assert "from the first" in shown
    assert not [code for code in ("\x1b[3", "\x1b[1;3", "\x1b[9") if f"{code}2m" in shown]


@pytest.fixture(scope="module")
def completing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("completion")
    (root / "pipelines").mkdir()
    (root / "windlass.yaml").write_text("project: p\nconnections: {shop: {type: sqlite}}\n")
    (root / "pipelines/two.yaml").write_text(TWO)
    (root / "pipelines/other.yaml").write_text(TWO.replace(" two", " other").replace("first", "begin"))
    return root


WORDS = [
    (["va"], {"validate"}),
    (["run", ""], {"two", "other"}),
    (["run", "two", "--task", ""], {"first", "second"}),
    (["run", "--json", "other", "--from", "b"], {"begin"}),
    (["run", "two", "--lo"], {"--logical-date"}),
    (["exec", "two", "f"], {"first"}),
    (["connections", "test", ""], {"shop"}),
    (["graph", "--format", "m"], {"mermaid"}),
]


@pytest.mark.parametrize(("words", "expected"), WORDS, ids=lambda value: " ".join(sorted(value)))
def test_bash_completes(words: list[str], expected: set[str], completing: Path) -> None:
    script = """\
eval "$(windlass completion bash)"
COMP_WORDS=(windlass "$@"); COMP_CWORD=$#
_windlass_completion windlass
printf '%s\\n' "${COMPREPLY[@]}"
"""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script, "bash", *words],
        cwd=completing,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(done.stdout.split()) == expected


@pytest.mark.parametrize(
    ("shell", "variables"),
    [
        ("zsh", {"COMP_WORDS": "windlass run t", "COMP_CWORD": "2"}),
        ("fish", {"COMP_WORDS": "windlass run t", "COMP_CWORD": "t"}),
    ],
)
def test_the_other_shells_get_names_and_what_they_mean(
    shell: str, variables: dict[str, str], completing: Path
) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; sys.argv[0] = 'windlass'; from windlass.cli.main import main; main()",
        ],
        cwd=completing,
        env={**os.environ, "_WINDLASS_COMPLETE": f"{shell}_complete", **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "two" in done.stdout
    assert "Two tasks" in done.stdout


HOSTILE = """\
pipeline: hostile
tasks:
  prints: {run: {command: [sh, -c, 'cat hostile.txt']}}
  tells: {run: {command: [cat, hostile.ndjson]}}
  load:
    copy:
      from: {path: hostile.csv, columns: {id: bigint}}
      to: {path: out.ndjson}
      on_bad_row: quarantine
"""
REFUSED = """\
pipeline: refused
schedule: "@daily"
start: 2026-01-01
tasks:
  load: {copy: {from: {path: hostile.csv, columns: {id: bigint}}, to: {path: "refused.ndjson"}}}
"""
CODES = "\x1b]0;pwned title\x07\x1b[2J\x1b[5;5Hred\x1b]8;;http://evil\x07link\x1bc \x9b2J\x9d0;eight bits\x9c \u202e"


def test_what_strangers_say_cannot_take_hold_of_the_terminal(project: Project) -> None:
    """Codes of a step, of its records and of rows; the terminal still gets our colours and moves of the cursor."""
    told = {"event": CODES, CODES: CODES, "message": CODES}
    files = {
        "pipelines/hostile.yaml": HOSTILE,
        "hostile.txt": CODES,
        "hostile.ndjson": json.dumps(told) + "\n",
        "hostile.csv": f"id\n{CODES}\n",
        "columns.csv": f"id{CODES},x\n1{CODES},2\n",
        "pipelines/refused.yaml": REFUSED,
    }
    root = project(files)
    shown = on_a_terminal(root, "run", "hostile")
    run = re.findall(r"hostile-\w+-\w+", shown)[0]
    shown += on_a_terminal(root, "logs", run)
    shown += on_a_terminal(root, "quarantine", "show", run, "load")
    shown += on_a_terminal(root, "quarantine", "list")
    shown += on_a_terminal(root, "exec", "hostile", "prints")
    shown += on_a_terminal(root, "query", "columns.csv")
    for kind in ("csv", "json", "markdown"):
        shown += on_a_terminal(root, "query", "columns.csv", "--format", kind)
    shown += on_a_terminal(root, "copy", CODES, "missing/out.csv", status=1)
    shown += on_a_terminal(
        root, "backfill", "refused", "--from", "2026-01-01", "--to", "2026-01-01", status=1
    )
    assert shown.count("redlink") >= 15
    for code in ("\x1b]", "\x1b[2J", "\x1b[5;5H", "\x1bc", "\x9b", "\x9d", "\u202e"):
        assert code not in shown
