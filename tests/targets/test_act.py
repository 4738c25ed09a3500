"""The workflow for GitHub, run by act: what comes with a runner of GitHub's, an image of the project stands in for."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Output
from tests.targets.test_ci import FILES, git
from windlass.runtimes.docker.engine import Engine

pytestmark = pytest.mark.skipif(not shutil.which("act"), reason="act is not there")

IMAGE = "windlass-test-runner"
DOCKERFILE = """
FROM {image}
USER root
ENTRYPOINT []
RUN python -m ensurepip && ln -s pip3 /venv/bin/pip
RUN apt-get update -qq && apt-get install -qq -y --no-install-recommends git
"""
SETUP_PYTHON = """
name: setup-python
description: the image has Python
inputs: {python-version: {description: which}, cache: {description: what}}
runs: {using: composite, steps: [{run: python --version, shell: bash}]}
"""
WITH_AN_IMAGE = {
    "windlass.yaml": "project: runner\nimages: {project: true}\n",
    "pipelines/p.yaml": 'pipeline: p\ntasks: {a: {sql: {statement: "SELECT 1"}}}\n',
}


@pytest.fixture
def image(engine: Engine, windlass: Callable[..., Output], project: Callable[..., Path]) -> str:
    """An image with windlass, pip and git."""
    root = project(WITH_AN_IMAGE, "runner")
    built = windlass("-C", root, "build", "--json")
    assert built.code == 0, built.stderr
    dockerfile = DOCKERFILE.format(image=built.json["images"][0]["image"])
    done = subprocess.run(
        ["docker", "build", "--quiet", f"--tag={IMAGE}", "-"],
        check=False, input=dockerfile, capture_output=True, text=True, timeout=500,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return IMAGE


def test_a_pull_request_is_checked(
    image: str, windlass: Callable[..., Output], project: Callable[..., Path], tmp_path: Path
) -> None:
    project(FILES, "all")
    repository = tmp_path / "all/repository"
    options = ("--directory", "etl", "--install", "windlass", "--out", repository)
    assert windlass("-C", repository / "etl", "export", "ci", "--provider", "github", *options).code == 0
    git(repository, "init")
    git(repository, "add", "-A")
    git(repository, "commit", "-m", "one")
    git(repository, "update-ref", "refs/remotes/origin/main", "HEAD")
    (repository / "etl/pipelines/b.yaml").write_text("pipeline: b\ntasks: {x: {run: {command: [date]}}}\n")
    git(repository, "add", "-A")
    git(repository, "commit", "-m", "two")
    code, said = act(repository, tmp_path, image)
    assert code == 0, said
    assert "Success - Main Say what the change does" in said
    (repository / "etl/pipelines/b.yaml").write_text("pipeline: b\ntasks: {x: {runs: {command: [date]}}}\n")
    code, said = act(repository, tmp_path, image)
    assert code == 1
    assert "Failure - Main Check the files" in said
    assert "unknown key 'runs'" in said


def act(repository: Path, folder: Path, image: str) -> tuple[int, str]:
    """Have a pull request run. The exit code, and what was said."""
    action, event = folder / "setup-python", folder / "event.json"
    action.mkdir(exist_ok=True)
    (action / "action.yml").write_text(SETUP_PYTHON)
    event.write_text(json.dumps({"pull_request": {"base": {"ref": "main"}, "head": {"ref": "change"}}}))
    command = [
        "act",
        "pull_request",
        f"--eventpath={event}",
        "--pull=false",
        f"--platform=ubuntu-latest={image}",
    ]
    command += [f"--local-repository=actions/setup-python@v5={action}", "--container-options=--user root"]
    done = subprocess.run(command, check=False, cwd=repository, capture_output=True, text=True, timeout=300)
    return done.returncode, done.stdout + done.stderr
