"""What is wrong with the targets that a project names is told beside all else that is wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from windlass.api.planning import validate
from windlass.errors import SpecError

Project = Callable[..., Path]


def test_targets_are_told_with_pipelines(project: Project) -> None:
    root = project(
        {
            "windlass.yaml": "project: p\ntargets: {cron: {unknown: x}, crn: {}}\n",
            "pipelines/a.yaml": "pipeline: a\ntasks: {t: {run: {command: [date]}, needs: [gone]}}\n",
        }
    )
    with pytest.raises(SpecError) as caught:
        validate(root)
    assert [problem.file for problem in caught.value.problems] == [
        "pipelines/a.yaml",
        "windlass.yaml",
        "windlass.yaml",
    ]
    for told in ("needs unknown task 'gone'", "no option 'unknown'", "did you mean 'cron'?"):
        assert told in str(caught.value)
