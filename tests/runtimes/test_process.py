"""What a step finds around it when it runs as a local process."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Output

Windlass = Callable[..., Output]
Project = Callable[[dict[str, str]], Path]

COPY = """
pipeline: p
tasks:
  copy:
    run: {command: [windlass, copy, in.csv, out.parquet]}
"""
OWN = """
pipeline: p
tasks:
  own:
    run: {build: steps/own, command: [windlass]}
"""


@pytest.mark.parametrize("path", ["/usr/bin:/bin", ""])
def test_a_step_can_call_windlass(windlass: Windlass, project: Project, path: str) -> None:
    root = project({"pipelines/p.yaml": COPY, "in.csv": "id\n1\n"})
    done = windlass("-C", root, "run", "p", env={"PATH": path})
    assert done.code == 0, done.stderr
    assert (root / "out.parquet").exists()


def test_a_program_of_the_machine_is_found_before_windlass(windlass: Windlass, project: Project) -> None:
    root = project(
        {"pipelines/p.yaml": OWN, "steps/own/ours": "", "bin/windlass": "#!/bin/sh\necho the other one\n"}
    )
    (root / "bin" / "windlass").chmod(0o755)
    done = windlass("-C", root, "run", "p", env={"PATH": f"{root}/bin:/usr/bin:/bin"})
    assert done.code == 0, done.stderr
    said = [json.loads(line).get("message") for line in done.stderr.splitlines()]
    assert "the other one" in said
