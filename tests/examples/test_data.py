"""The data that come with the examples are ours, and say so."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from tests.conftest import ROOT

EXAMPLES = ROOT / "examples"


@pytest.mark.parametrize(
    "data", ["drugs/data", "taxi/data", "pg2pg/sql", "ensembl/recordings", "dashboard/recordings"]
)
def test_every_file_is_listed_with_its_origin_and_licence(data: str) -> None:
    about = (EXAMPLES / data / "README.md").read_text(encoding="utf-8")
    assert "written for windlass" in about
    assert "CC0 1.0" in about
    for file in (EXAMPLES / data).iterdir():
        assert file.name == "README.md" or f"`{file.name}`" in about


def test_the_recordings_are_what_their_script_writes(tmp_path: Path) -> None:
    project = EXAMPLES / "ensembl"
    for folder in ("recordings", "steps/extract"):
        (tmp_path / folder).mkdir(parents=True)
    shutil.copy(project / "recordings" / "invent.py", tmp_path / "recordings")
    subprocess.run([sys.executable, tmp_path / "recordings" / "invent.py"], check=True)
    written = [file.relative_to(tmp_path) for file in tmp_path.rglob("*") if file.is_file()]
    assert len(written) == 21  # of 19 variants, the pairs, and the script
    for file in written:
        assert (tmp_path / file).read_bytes() == (project / file).read_bytes()


def test_the_trips_are_what_their_generator_writes(tmp_path: Path) -> None:
    data = EXAMPLES / "taxi" / "data"
    shutil.copy(data / "generate.py", tmp_path)
    subprocess.run([sys.executable, tmp_path / "generate.py"], check=True)
    for written in tmp_path.glob("*.csv"):
        assert written.read_bytes() == (data / written.name).read_bytes()
    months = sorted(file.name for file in (data / "trip-data").iterdir())
    assert sorted(file.name for file in (tmp_path / "trip-data").iterdir()) == months
    for month in months:  # the bytes tell which version of the library wrote them
        assert pq.read_table(tmp_path / "trip-data" / month).equals(pq.read_table(data / "trip-data" / month))
    pipeline = yaml.safe_load((data.parent / "pipelines" / "taxi_csv.yaml").read_text(encoding="utf-8"))
    trips = (data / pipeline["params"]["file"]).read_bytes()
    assert pipeline["params"]["sha256"] == hashlib.sha256(trips).hexdigest()
