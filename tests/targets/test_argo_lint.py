"""Argo's own linter takes the workflows that are written."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parent / "golden" / "argo"


@pytest.mark.skipif(not shutil.which("argo"), reason="argo is not there")
def test_argo_takes_the_workflows() -> None:
    kinds = "--kinds=workflows,workflowtemplates,cronworkflows"
    command = ["argo", "lint", "--offline", "--no-color", kinds, str(GOLDEN)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert (done.returncode, "no linting errors found" in done.stdout) == (0, True), done.stdout + done.stderr
