"""A project as an earlier commit has it, and its images: its files are checked out beside, and read like any others."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from windlass.errors import FatalError, SpecError, UsageError
from windlass.images.image import images_of
from windlass.images.inputs import Inputs, Reader
from windlass.images.lock import Lock
from windlass.plan.compiler import compile_project
from windlass.processes.environment import inherited
from windlass.spec import load_project

__all__ = ["images_since", "labels_of_commit", "project_since"]


def images_since(project: Path, since: str, platforms: Sequence[str]) -> dict[str, Inputs]:
    """The images that the project had where this commit and that one part; none where it was not there, or not valid.
    Raises UsageError where git cannot tell.
    """
    with project_since(project, since) as earlier:
        return _images(earlier, platforms)


@contextmanager
def project_since(project: Path, since: str) -> Iterator[Path]:
    """The folder of the project as it was where this commit and that one part; not there where it was not then.
    Raises UsageError where git cannot tell.
    """
    top = Path(_git(project, "rev-parse", "--show-toplevel"))
    commit = _git(
        project, "merge-base", _git(project, "rev-parse", "--verify", f"{since}^{{commit}}"), "HEAD"
    )
    inside = project.resolve().relative_to(top.resolve())
    with tempfile.TemporaryDirectory(prefix="windlass-since-") as name:
        tree = Path(name) / "tree"
        index = {"GIT_INDEX_FILE": str(Path(name) / "index")}
        _git(top, "read-tree", commit, more=index)
        paths = _git(top, "ls-files", "-z", "--", str(inside), more=index)
        _git(top, "checkout-index", "-z", "--stdin", f"--prefix={tree}/", given=paths, more=index)
        yield tree / inside


def labels_of_commit(project: Path) -> dict[str, str]:
    """What an image says of the commit that it was built from; nothing outside a repository."""
    try:
        labels = {"org.opencontainers.image.revision": _git(project, "rev-parse", "HEAD")}
        source = _git(project, "config", "--get", "remote.origin.url")
    except UsageError:
        return {}
    return {**labels, "org.opencontainers.image.source": _without_login(source)}


def _images(project: Path, platforms: Sequence[str]) -> dict[str, Inputs]:
    if not project.is_dir():
        return {}
    try:
        files = load_project(project)
        plans = compile_project(files)
        reader = Reader(project, files.spec.images, Lock.of(project).bases)
    except (SpecError, UsageError, FatalError):
        return {}
    found: dict[str, Inputs] = {}
    for one in images_of(plans, files):
        with suppress(FatalError):  # it could not be built then
            found |= {one.name: reader.of(one.image, platforms)} if one.image.is_known else {}
    return found


def _git(folder: Path, *arguments: str, given: str = "", more: Mapping[str, str] = {}) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            env={**inherited(os.environ), **more},
            input=given,
            capture_output=True,
            text=True,
            check=False,
            errors="surrogateescape",
        )
    except FileNotFoundError as exc:
        raise UsageError("git is not installed, and only git knows what has changed since a commit") from exc
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["it does not say why"]
        raise UsageError(
            f"git cannot tell what has changed: {said[-1]}", hint="name a commit, a branch or a tag"
        )
    return done.stdout.removesuffix("\n")


def _without_login(url: str) -> str:
    scheme, slashes, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{slashes}{host.rpartition('@')[2]}{slash}{path}" if slashes else url
