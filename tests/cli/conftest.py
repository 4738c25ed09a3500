"""One project that has run once, for every test that only looks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def hello(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `windlass init` makes, after one run of it: a Postgres dev service, a copy, a check."""
    root = tmp_path_factory.mktemp("cli") / "shop"
    for arguments in (["init", str(root)], ["-C", str(root), "run", "hello", "--json"]):
        done = subprocess.run(
            [sys.executable, "-m", "windlass", *arguments], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    (root / "result.json").write_text(done.stdout, encoding="utf-8")
    return root


@pytest.fixture(scope="session")
def result(hello: Path) -> Any:
    """What `windlass run --json` printed in that project."""
    return json.loads((hello / "result.json").read_text(encoding="utf-8"))
