"""A runtime of somebody else's package: found by its name, and named nowhere in windlass."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.conftest import Output

Windlass = Callable[..., Output]
Project = Callable[[dict[str, str]], Path]

PIPELINE = (
    "pipeline: p\n"
    "tasks:\n"
    "  load: {sql: {connection: pg, statement: SELECT 1}}\n"
    "  step: {needs: load, run: {build: steps/a, command: [python, 'a.py', '{{ ds }}']}}\n"
    "  next: {needs: step, trigger: {pipeline: q}}\n"
)
FILES = {
    "windlass.yaml": "project: test\nconnections: {pg: {type: postgres}}\n",
    "pipelines/p.yaml": PIPELINE,
    "pipelines/q.yaml": "pipeline: q\ntasks: {a: {run: {command: [date]}}}\n",
}


def test_a_runtime_of_another_package_executes_a_run_and_those_that_it_triggers(
    windlass: Windlass, project: Project, acme: dict[str, str]
) -> None:
    root = project(FILES)
    env = {**acme, "WINDLASS_CONN_PG": "postgresql://me@127.0.0.1:1/db"}
    options = ("--runtime", "rehearsal", "--logical-date", "2025-03-01", "--json")
    done = windlass("-C", root, "run", "p", *options, env=env)
    assert (done.code, {task["status"] for task in done.json["tasks"]}) == (0, {"success"})
    said = [record["message"] for record in map(json.loads, done.stderr.splitlines()) if "message" in record]
    assert said == [
        "would start windlass exec p load of the project on 2025-03-01T00:00:00+00:00",
        "would start python a.py 2025-03-01 of steps/a on 2025-03-01T00:00:00+00:00",
        "would start date of the project on 2025-03-01T00:00:00+00:00",
    ]


def test_a_runtime_that_is_not_there_is_told_with_those_that_are(
    windlass: Windlass, project: Project, acme: dict[str, str]
) -> None:
    """Before anything is started; where a file has it, with its place. One that is there may stand anywhere."""
    root = project(FILES)
    done = windlass("-C", root, "run", "p", "--runtime", "rehearsel", env=acme)
    assert (done.code, done.stdout) == (2, "")
    assert "there is no runtime 'rehearsel'" in done.stderr
    assert "did you mean 'rehearsal'?" in done.stderr

    def everywhere(name: str) -> Output:
        project(
            {
                "windlass.yaml": FILES["windlass.yaml"] + f"runtimes: {{default: {name}}}\n",
                "pipelines/p.yaml": PIPELINE + f"defaults: {{runtime: {name}}}\n",
                "pipelines/q.yaml": f"pipeline: q\ntasks: {{a: {{run: {{command: [date], runtime: {name}}}}}}}\n",
            }
        )
        return windlass("-C", root, "validate", "--json", env=acme)

    assert everywhere("rehearsal").json["valid"] is True
    told = {(p["file"], p["code"], p["hint"]) for p in everywhere("rehearsel").json["problems"]}
    files = ("pipelines/p.yaml", "pipelines/q.yaml", "windlass.yaml")
    assert told == {(file, "W0106", "did you mean 'rehearsal'?") for file in files}
