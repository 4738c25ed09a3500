"""A run has a folder of its own below `.windlass/runs`, whatever another scheduler calls it."""

from __future__ import annotations

from pathlib import Path

import pytest

from windlass.state_folder import StateFolder

AS_THEY_ARE = ["nightly-20250301T000000-1a2b3c", "scheduled__2025-03-01T00:00:00+00:00", "Übung 1", "a%2Fb"]
OTHERS = ["../../../etc", "a/b", "/abs", ".", "..", "r" * 300, "x\ny"]


@pytest.mark.parametrize("run_id", [*AS_THEY_ARE, *OTHERS])
def test_a_run_has_one_folder_of_its_own(tmp_path: Path, run_id: str) -> None:
    state = StateFolder.of(tmp_path)
    path = state.run(run_id).path
    path.mkdir()
    assert path.resolve().parent == state.runs.resolve()
    assert state.run(path.name).path == path  # whoever lists folders finds it by its name
    assert path.name == run_id or run_id not in AS_THEY_ARE


def test_runs_of_names_alike_have_folders_of_their_own(tmp_path: Path) -> None:
    state = StateFolder.of(tmp_path)
    folders = {state.run(f"{'r' * 200}{letter}{'r' * 100}").path for letter in "ab"}
    assert len(folders) == 2
