"""Workflows of CI: what they run, run as a runner would, on a repository of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from windlass.errors import UsageError
from windlass.spec import load_project
from windlass.targets.ci.target import TARGET, CiOptions
from windlass.targets.exporting import compiled

Project = Callable[..., Path]

FILES = {
    "repository/etl/windlass.yaml": "project: shop\nimages: {registry: ghcr.io/acme, platforms: [linux/amd64, linux/arm64]}\n",
    "repository/etl/pipelines/a.yaml": 'pipeline: a\nschedule: "@daily"\ntasks: {x: {run: {command: [date]}}}\n',
    "repository/README.md": "",
}


def rendered(root: Path, **options: Any) -> dict[str, Any]:
    [text] = TARGET.render(compiled(load_project(root)), CiOptions(directory="etl", **options)).values()
    document: dict[str, Any] = yaml.safe_load(text)
    return document


def git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=main")
    command = ["git", "-C", str(folder), *who, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(project: Project, tmp_path: Path) -> Path:
    """A clone whose origin has one commit, and programs: our windlass, and a `gh` that notes what it is told."""
    project({"windlass.yaml": "", **FILES}, "all")
    clone, origin, programs = tmp_path / "all/repository", tmp_path / "origin.git", tmp_path / "programs"
    git(tmp_path, "init", "--bare", str(origin))
    git(clone, "init")
    git(clone, "remote", "add", "origin", str(origin))
    git(clone, "add", "-A")
    git(clone, "commit", "-m", "one")
    git(clone, "push", "origin", "HEAD:main")
    git(clone, "fetch", "origin")
    programs.mkdir()
    own = {"windlass": f'exec {sys.executable} -m windlass "$@"', "python": f'exec {sys.executable} "$@"'}
    for name, text in {**own, "gh": f'echo "$@" >> {tmp_path}/gh; [ "$2" != view ]'}.items():
        (programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (programs / name).chmod(0o755)
    return clone


@pytest.mark.skipif(not shutil.which("actionlint"), reason="actionlint is not there")
@pytest.mark.parametrize("exports", ["", "argo, cron --project-path /srv/shop"])
@pytest.mark.parametrize(
    "files", [FILES, {k: v.replace("images: {", "targets: {argo: {}} # ") for k, v in FILES.items()}]
)
def test_github_takes_the_workflow(project: Project, exports: str, files: dict[str, str]) -> None:
    root = project({name.removeprefix("repository/etl/"): text for name, text in files.items()})
    options = CiOptions(directory="etl", exports=exports)
    [text] = TARGET.render(compiled(load_project(root)), options).values()
    # what it runs is run by the tests below, and is no business of other checkers that happen to be there
    command = ["actionlint", "-shellcheck=", "-pyflakes=", "-no-color", "-"]
    done = subprocess.run(command, check=False, input=text, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def run_steps(repository: Path, steps: list[dict[str, Any]], **environment: str) -> None:
    """The commands of steps, one after the other, as GitHub runs them: bash -e, with pipefail."""
    path = f"{repository.parents[1] / 'programs'}:{os.environ['PATH']}"
    for step in steps:
        if "run" in step and step.get("name") != "Install windlass":
            command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
            environ = {**os.environ, "PATH": path, **environment}
            done = subprocess.run(
                command, check=False, cwd=repository / "etl", env=environ, capture_output=True, text=True
            )
            assert done.returncode == 0, (step["run"], done.stderr)


def test_a_change_is_checked_and_told(repository: Path, tmp_path: Path) -> None:
    steps = rendered(repository / "etl")["jobs"]["check"]["steps"]
    (repository / "etl/pipelines/b.yaml").write_text("pipeline: b\ntasks: {x: {run: {command: [date]}}}\n")
    run_steps(repository, steps, GITHUB_BASE_REF="main", GITHUB_STEP_SUMMARY=str(tmp_path / "summary"))
    assert "### `b`: added" in (tmp_path / "summary").read_text()


def test_what_was_exported_becomes_a_pull_request_once(repository: Path, tmp_path: Path) -> None:
    steps = rendered(repository / "etl", exports="cron --project-path /srv/shop")["jobs"]["deploy"]["steps"]
    (repository / "README.md").write_text("somebody's own change")
    run_steps(repository, steps)
    assert (
        git(repository, "diff", "--name-only", "origin/main", "origin/windlass/exports") == "etl/cron/crontab"
    )
    assert (
        git(tmp_path / "origin.git", "log", "-1", "--format=%s", "windlass/exports")
        == "Deploy the pipelines of shop"
    )
    assert "pr create --fill --base main --head windlass/exports" in (tmp_path / "gh").read_text()
    run_steps(repository, steps)  # nothing has changed
    assert git(tmp_path / "origin.git", "rev-list", "--count", "windlass/exports") == "2"


def test_what_an_export_has_removed_is_removed_by_the_pull_request(repository: Path) -> None:
    options = "kubernetes --out ../deployed"
    (repository / "etl/windlass.yaml").write_text("project: shop\n")
    (repository / "etl/pipelines/b.yaml").write_text(
        "pipeline: b\ntasks: {x: {sql: {statement: SELECT 1}}}\n"
    )
    (repository / "etl/pipelines/a.yaml").write_text(
        "pipeline: a\ntasks: {x: {sql: {statement: SELECT 1}}}\n"
    )
    steps = rendered(repository / "etl", exports=options)["jobs"]["deploy"]["steps"]
    run_steps(repository, [step for step in steps if step.get("name") == "Export to kubernetes"])
    git(repository, "add", "-A")
    git(repository, "commit", "-m", "two")
    git(repository, "push", "origin", "HEAD:main")
    (repository / "etl/pipelines/b.yaml").unlink()
    git(repository, "commit", "-a", "-m", "three")
    git(repository, "push", "origin", "HEAD:main")
    git(repository, "fetch", "origin")
    run_steps(repository, steps)
    changed = git(repository, "diff", "--name-status", "origin/main", "origin/windlass/exports")
    assert changed.splitlines() == [
        "M\tdeployed/kubernetes/kustomization.yaml",
        "D\tdeployed/kubernetes/shop-b.yaml",
    ]


def test_each_provider_says_the_same_and_no_secret_is_an_argument(project: Project) -> None:
    step = {"steps/x/requirements.txt": "", "steps/x/main.py": "", "tests/a.yaml": ""}
    files = {name.removeprefix("repository/etl/"): text for name, text in FILES.items()}
    files["pipelines/a.yaml"] = files["pipelines/a.yaml"].replace(
        "[date]", "[python, main.py], build: steps/x"
    )
    root = project({**files, **step})
    for provider in ("github", "gitlab", "cloudbuild"):
        text = yaml.safe_dump(rendered(root, provider=provider, exports="cron"), width=10_000)
        for command in ("validate", "test --junit", "build --push", "export cron"):
            assert f"windlass {command}" in text, provider
        assert "arm64" in text or "qemu" in text or "binfmt" in text
        assert "PASSWORD@" not in text
        assert "TOKEN@" not in text


def test_an_export_with_secrets_is_for_no_repository(project: Project) -> None:
    root = project({"pipelines/a.yaml": FILES["repository/etl/pipelines/a.yaml"]})
    with pytest.raises(UsageError, match="compose has secrets"):
        rendered(root, exports="cron, compose --workers 3")
