"""Packages that extend windlass, installed where only the test finds them."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

import pytest

HERE = Path(__file__).parent

collect_ignore = ["feather"]  # it has tests of its own, which want it installed


def install(package: Path, site: Path) -> None:
    """Put a package and its metadata into a folder of modules, as an installer does."""
    project = tomllib.loads((package / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    name, version = project["name"].replace("-", "_"), project["version"]
    shutil.copytree(package / name, site / name, ignore=shutil.ignore_patterns("__pycache__"))
    metadata = site / f"{name}-{version}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {version}\n"
    )
    lines = []
    for group, entries in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{key} = {value}" for key, value in entries.items())]
    (metadata / "entry_points.txt").write_text("\n".join(lines) + "\n")


@pytest.fixture
def acme(tmp_path: Path) -> dict[str, str]:
    """The environment in which the package `acme-windlass` is installed."""
    site = tmp_path / "site"
    site.mkdir()
    install(HERE / "acme", site)
    return {"PYTHONPATH": str(site)}


@pytest.fixture
def feather(tmp_path: Path) -> dict[str, str]:
    """The environment in which the package `windlass-feather` is installed."""
    site = tmp_path / "site"
    site.mkdir()
    install(HERE / "feather", site)
    return {"PYTHONPATH": str(site)}
