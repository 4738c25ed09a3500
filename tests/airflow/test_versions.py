"""The versions of Airflow that the loader is for: older ones give the same DAGs, and what is too old is told.

Each older one is in a virtual environment of its own, made once in `.cache`.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, missing
from tests.targets.exported import export_to_airflow

UV = Path(sys.executable).with_name("uv")
OLDER = ("3.1", "3.2")


def python_of(version: str) -> Path:
    """The Python of a virtual environment with the latest Airflow of that version."""
    place = ROOT / ".cache" / f"airflow-{version}-{sys.version_info.major}.{sys.version_info.minor}"
    place.parent.mkdir(exist_ok=True)
    with place.with_name(f"{place.name}.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if not (place / "whole").exists():
            shutil.rmtree(place, ignore_errors=True)
            packages = [f"apache-airflow=={version}.*", "apache-airflow-providers-standard"]
            for command in (
                ["venv", "--quiet", "--python", sys.executable, str(place)],
                ["pip", "install", "--quiet", "--python", str(place / "bin/python"), *packages],
            ):
                if subprocess.run([UV, *command], check=False).returncode:
                    missing(f"a registry with Airflow {version}")
            (place / "whole").touch()
    return place / "bin" / "python"


@pytest.fixture(scope="session")
def dags(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The export of a project with everything in it."""
    root = tmp_path_factory.mktemp("versions")
    (root / "pipelines").mkdir()
    for name in ("everything", "follow"):
        shutil.copy(ROOT / "tests/targets" / f"{name}.yaml", root / "pipelines")
    shutil.copy(ROOT / "tests/targets/windlass.yaml", root)
    export_to_airflow(root, root / "out")
    return root / "out" / "dags"


def asked(python: Path, home: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "WINDLASS_"))}
    environment |= {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        "PYTHONWARNINGS": "ignore",
    }
    return subprocess.run(
        [python, *map(str, arguments)], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("version", OLDER)
def test_an_older_airflow_has_the_same_dags(version: str, dags: Path, tmp_path: Path) -> None:
    described = []
    for python in (Path(sys.executable), python_of(version)):
        done = asked(python, tmp_path / python.parts[-3], "-m", "tests.airflow.inside", "describe", dags)
        assert done.returncode == 0, done.stderr
        described.append(json.loads(done.stdout.rpartition("\n")[2]))
    new, old = described
    assert old["errors"] == new["errors"] == {}
    assert {*old["dags"]} == {*new["dags"]} == {"everything", "follow"}
    for name in new["dags"]:
        for key in (
            "params",
            "timetable",
            "summary",
            "zone",
            "start",
            "catchup",
            "max_active_runs",
            "doc",
            "tags",
        ):
            assert old["dags"][name][key] == new["dags"][name][key], key
        assert {*old["dags"][name]["tasks"]} == {*new["dags"][name]["tasks"]}


def test_an_airflow_that_is_too_old_is_told(dags: Path, tmp_path: Path) -> None:
    (tmp_path / "airflow/sdk").mkdir(parents=True)
    (tmp_path / "airflow/__init__.py").write_text('__version__ = "3.0.6"')
    (tmp_path / "airflow/sdk/__init__.py").write_text("DAG = object")
    code = f"import runpy, sys; sys.path.insert(0, {str(tmp_path)!r}); runpy.run_path({str(dags / 'windlass_dags.py')!r})"
    done = asked(Path(sys.executable), tmp_path, "-c", code)
    assert done.returncode == 1
    assert (
        "ImportError: the pipelines of windlass need Airflow 3.1 or newer, and this is 3.0.6" in done.stderr
    )
