"""What a workflow does: commands that are the same wherever they run."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["BRANCH_OF_EXPORTS", "REPORT", "Work"]

REPORT = "windlass-tests.xml"
"""Where the results of tests are, as JUnit has them."""

BRANCH_OF_EXPORTS = "windlass/exports"
"""The branch of the pull request with what was exported."""

_WRITTEN = "import json, sys; print(*json.load(sys.stdin)['written'], sep=chr(10))"


@dataclass(frozen=True, kw_only=True)
class Work:
    """What there is to do for a project."""

    project: str
    branch: str
    """The one that is deployed."""

    directory: str
    """The project's folder in the repository."""

    requirement: str
    """windlass, as pip takes it."""

    has_tests: bool
    registry: str | None
    """The host of the registry that images are pushed to; None where there are no images."""

    platforms: tuple[str, ...]
    exports: tuple[tuple[str, ...], ...]
    """What follows `windlass export`."""

    @property
    def install(self) -> str:
        return f"python -m pip install --quiet {shlex.quote(self.requirement)}"

    def checks(self) -> Iterator[tuple[str, str]]:
        """What has to hold before anything is merged: a title and a command each."""
        yield "Check the files", "windlass validate"
        if self.has_tests:
            yield "Test the pipelines", f"windlass test --junit {REPORT}"

    def deployment(self) -> Iterator[tuple[str, str]]:
        """What is done with the branch that is deployed."""
        if self.registry is not None:
            yield "Build and push the images that have changed", "windlass build --push"
        for words in self.exports:
            yield f"Export to {words[0]}", f"windlass export {shlex.join(words)}"

    def changed_files(self) -> Iterator[str]:
        """Commands that stage what the deployment has written and removed, and nothing else."""
        if self.registry is not None:
            yield "git add windlass.lock"
        for words in self.exports:
            written = f'windlass export {shlex.join(words)} --json | python -c "{_WRITTEN}"'
            yield f"{written} | git add --pathspec-from-file=-"
        if self.exports:
            yield "git ls-files --deleted -z :/ | xargs -0 -r git rm --quiet --cached --"

    @property
    def commit(self) -> str:
        """Commits what is staged, as nobody in particular."""
        who = "-c user.name=windlass -c user.email=windlass@users.noreply.github.com"
        return f"git {who} commit --quiet --message {shlex.quote(f'Deploy the pipelines of {self.project}')}"
