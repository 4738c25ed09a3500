"""What windlass keeps of a project is for its owner only, whatever the umask and whoever runs it."""

from __future__ import annotations

import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

PROJECT = {
    "windlass.yaml": "project: test\nconnections: {lite: {type: sqlite}, pg: {type: postgres}}\n",
    "pipelines/p.yaml": """
pipeline: p
tasks:
  says: {run: {command: [echo, hello]}}
  load: {copy: {from: {path: in.csv, columns: {id: bigint}}, to: {connection: lite, table: t}, on_bad_row: quarantine}}
  too: {copy: {from: {path: in.csv}, to: {connection: pg, table: t}}}
""",
    "in.csv": "id\n1\nx\n",
}


@pytest.mark.parametrize("umask", [0, 0o022, 0o077])
def test_nobody_else_can_look_into_the_state(umask: int, project: Callable[..., Path]) -> None:
    root = project(PROJECT)
    command = [sys.executable, "-m", "windlass", "-C", str(root), "run", "p"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, umask=umask)
    assert done.returncode == 0, done.stderr
    seen = [file for file in files_that_others_reach(root / ".windlass") if "envs" not in file.parts]
    assert [file.name for file in seen if not is_of_postgres(file)] == []


def test_a_state_folder_of_before_is_closed(
    project: Callable[..., Path], windlass: Callable[..., object]
) -> None:
    root = project(PROJECT)
    (root / ".windlass/runs").mkdir(parents=True)
    (root / ".windlass/state.db").touch(0o644)
    for folder in (root / ".windlass", root / ".windlass/runs"):
        folder.chmod(0o755)
    windlass("-C", root, "runs")
    assert files_that_others_reach(root / ".windlass") == []


def test_a_group_that_was_let_in_stays_in(
    project: Callable[..., Path], windlass: Callable[..., object]
) -> None:
    root = project(PROJECT)
    (root / ".windlass").mkdir()
    (root / ".windlass").chmod(0o2775)
    windlass("-C", root, "runs")
    assert stat.S_IMODE((root / ".windlass").stat().st_mode) & 0o2770 == 0o2770


def files_that_others_reach(folder: Path) -> list[Path]:
    """The files below a folder that any user of the machine may read who knows their names."""
    if not folder.stat().st_mode & stat.S_IXOTH:
        return []
    found: list[Path] = []
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            found += files_that_others_reach(path)
        elif path.stat().st_mode & stat.S_IROTH and path.stat().st_size and path.name != ".gitignore":
            found.append(path)
    return found


def is_of_postgres(file: Path) -> bool:
    """Whether it tells only that there is a server, to whom may see that anyway."""
    return file.parent.name == "pg" and file.name in ("port", "users.lock", "alive.lock", "initialised")
