"""A connector of somebody else's package: found by its name, like those of windlass, and named nowhere in it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.conftest import Output
from tests.plugins.conftest import HERE

Windlass = Callable[..., Output]
Project = Callable[[dict[str, str]], Path]

PIPELINE = (
    "pipeline: p\ntasks:\n  load: {copy: {from: {path: in.csv}, to: {connection: kept, mode: append}}}\n"
)
FILES = {
    "windlass.yaml": "project: test\nconnections: {kept: {type: feather}}\n",
    "pipelines/p.yaml": PIPELINE,
    "in.csv": "id,name\n1,Ada\n2,Grace\n",
}


def test_it_passes_the_conformance_suite_in_the_tests_of_its_own_package(
    tmp_path: Path, feather: dict[str, str]
) -> None:
    tests = Path(shutil.copy(HERE / "feather" / "test_feather.py", tmp_path))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", str(tests)]
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, **feather}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    passed, skipped = (int(re.findall(rf"(\d+) {word}", done.stdout)[-1]) for word in ("passed", "skipped"))
    assert passed > 40 > skipped, done.stdout


def test_it_is_an_end_of_a_copy_in_a_project(
    windlass: Windlass, project: Project, feather: dict[str, str]
) -> None:
    root = project(FILES)
    env = {**feather, "WINDLASS_CONN_KEPT": f"feather:///{root}/kept.feather"}
    assert windlass("-C", root, "validate", env=env).code == 0
    done = windlass("-C", root, "run", "p", "--json", env=env)
    assert (done.code, done.json["tasks"][0]["path"]) == (0, "arrow → feather"), done.stderr
    read = windlass("-C", root, "copy", env["WINDLASS_CONN_KEPT"], "out.csv", env=env)
    assert (read.code, (root / "out.csv").read_text()) == (0, FILES["in.csv"]), read.stderr
    assert "ok  connector feather: pyarrow " in windlass("-C", root, "doctor", env=env).stdout
    assert '"feather"' in windlass("schema", "project", env=env).stdout


def test_its_keys_are_checked_like_those_of_others(
    windlass: Windlass, project: Project, feather: dict[str, str]
) -> None:
    root = project({**FILES, "pipelines/p.yaml": PIPELINE.replace("mode:", "table: t, mod:")})
    done = windlass("-C", root, "validate", env=feather)
    assert done.code == 2
    assert "unknown key 'table'" in done.stderr + done.stdout
    assert "did you mean 'mode'?" in done.stderr + done.stdout


def test_without_its_package_it_is_a_type_that_nobody_knows(windlass: Windlass, project: Project) -> None:
    done = windlass("-C", project(FILES), "validate")
    assert done.code == 2
    assert "feather" in done.stderr + done.stdout
