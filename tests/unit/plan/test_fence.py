"""Where the parameters of a run may lead a path, and where not."""

from __future__ import annotations

import pytest

from windlass.errors import UsageError
from windlass.plan.fence import require_fenced
from windlass.plan.model import Check, Copy, Destination, Download, Param, QuarantineTo, Source, Task

FILE = "{{ params.file }}"
OTHER: dict[str, Param] = {"file": "default.csv", "dir": "/srv/in", "n": 1}


def task_of(path: str) -> list[Task]:
    """A task for each place where a path can stand."""
    plain, table = {"path": "x.csv"}, Destination(connection="w", options={"table": "t"})
    actions = (
        Copy(source=Source(options={"path": path}), destination=table),
        Copy(source=Source(options=plain), destination=Destination(options={"path": path})),
        Copy(source=Source(options=plain), destination=table, quarantine=QuarantineTo(path=path)),
        Download(to=path),
        Check(path=path),
    )
    later = Task(name="t", action=Check(path="{{ tasks.a.path }}"), paths={"a": path})
    return [*(Task(name="t", action=action) for action in actions), later]


@pytest.mark.parametrize(
    ("path", "params"),
    [
        (FILE, {"file": "in/deep/a.csv"}),
        (FILE, {"file": "in/../a.csv"}),
        (f"../shared/{FILE}", {"file": "a.csv"}),
        (f"/srv/in/{FILE}", {"file": "deep/a.csv"}),
        ("/srv/{{ params.dir }}/{{ ds }}.csv", {"dir": "other"}),
        ("{{ params.dir }}/a.csv", {"dir": "/srv/in/deep"}),
        ("https://example.org/data/{{ params.file }}", {"file": "b.csv"}),
        ("/anywhere/{{ ds }}.csv", {"file": "/etc/passwd"}),
        ("{{ params.n }}.csv", {"n": 2}),
    ],
)
def test_parameters_choose_among_the_files_of_the_workspace_or_of_the_pipelines_own_folder(
    path: str, params: dict[str, str | int]
) -> None:
    for task in task_of(path):
        require_fenced(task, OTHER, {**OTHER, **params})


@pytest.mark.parametrize(
    ("path", "params"),
    [
        (FILE, {"file": "/etc/passwd"}),
        (FILE, {"file": "../other/a.csv"}),
        (FILE, {"file": "in/../../a.csv"}),
        (FILE, {"file": "file:///etc/passwd"}),
        (FILE, {"file": "https://example.org/a.csv"}),
        (f"in/{FILE}", {"file": "../../a.csv"}),
        (f"/srv/in/{FILE}", {"file": "../out/a.csv"}),
        (f"/srv/in/{FILE}", {"file": "../in-between/a.csv"}),
        ("{{ params.dir }}/a.csv", {"dir": "/srv"}),
        ("https://example.org/data/{{ params.file }}", {"file": "../../other.example.org/a.csv"}),
    ],
)
def test_parameters_lead_nowhere_else(path: str, params: dict[str, str]) -> None:
    for task in task_of(path):
        with pytest.raises(UsageError, match="the parameters lead to"):
            require_fenced(task, OTHER, {**OTHER, **params})
