"""What it takes to compile a pipeline grows with the number of its tasks, not with its square."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import pytest

from tests.targets.exported import export_to_airflow
from windlass.errors import SpecError
from windlass.plan.compiler import compile_project, noting
from windlass.spec import ProjectFiles, load_project

Project = Callable[..., Path]

PROJECT = "project: test\nconnections: {x: {type: postgres}}\n"
_FEW, _FACTOR = 100, 4
_TOLERANCE = 1.2
_TIMES_OF_A_TEMPLATE = 6


def uses_path(name: str) -> str:
    return f"{{run: {{command: '{{{{ tasks.{name}.path }}}}'}}}}"


def task(shape: str, i: int, n: int) -> str:
    """The task number `i` of `n` in a pipeline of that shape."""
    run = "run: {command: a}"
    return {
        "flat": f"{{{run}}}",
        "chain": f"{{needs: [{f't{i - 1}' if i else ''}], {run}}}",
        "cycle": f"{{needs: [t{(i - 1) % n}], {run}}}",
        "services": f"{{uses: [t{i + 1}], {run}}}" if i % 2 == 0 else "{service: {command: a}}",
        "paths": uses_path(f"t{i + 1}") if i % 2 == 0 else f"{{download: {{url: 'http://x', to: 'f{i}'}}}}",
        "unknown tasks": f"{{needs: [x{i}], {run}}}",
        "unknown pools": f"{{pool: x, {run}}}",
        "unknown connections": f"{{sql: {{connection: c{i}, statement: a}}}}",
        "unknown paths": uses_path(f"x{i}"),
        "triggers": "{trigger: {pipeline: q}}",
        "trigger cycle": "{trigger: {pipeline: p}}",
        "templates": f"{{run: {{command: '{{{{ params.a }}}} {{{{ ds }}}} {i}'}}}}",
        "all of one": f"{{needs: [{'t0' if i else ''}], {run}}}",
    }[shape]


SHAPES = (
    "flat", "chain", "cycle", "services", "paths", "unknown tasks", "unknown pools", "unknown connections",
    "unknown paths", "triggers", "trigger cycle", "templates", "all of one",
)  # fmt: skip


def calls_of(function: Callable[[], object]) -> int:
    """How many functions are called while this one runs; a generator that goes on counts as one, too."""
    count = 0

    def profile(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(profile)
    try:
        function()
    except SpecError:
        pass
    finally:
        sys.setprofile(None)
    return count


def files_of(project: Project, shape: str, n: int) -> ProjectFiles:
    tasks = "".join(f"  t{i}: {task(shape, i, n)}\n" for i in range(n))
    other = "pipeline: q\ntasks: {a: {run: {command: a}}}\n"
    root = project(
        {"windlass.yaml": PROJECT, "pipelines/p.yaml": f"pipeline: p\nparams: {{a: b}}\ntasks:\n{tasks}", "pipelines/q.yaml": other},
        f"{shape}-{n}",
    )  # fmt: skip
    return load_project(root)


@pytest.mark.parametrize("shape", SHAPES)
def test_compiling_takes_steps_in_proportion_to_the_tasks(
    shape: str, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(noting, "_PATIENCE", 2_000)
    few, many = files_of(project, shape, _FEW), files_of(project, shape, _FEW * _FACTOR)
    steps = calls_of(lambda: compile_project(few))
    assert calls_of(lambda: compile_project(many)) < steps * _FACTOR * _TOLERANCE


def test_exporting_takes_steps_in_proportion_to_the_tasks(project: Project, tmp_path: Path) -> None:
    few = files_of(project, "chain", _FEW).root
    many = files_of(project, "chain", _FEW * _FACTOR).root
    export_to_airflow(few, tmp_path)  # what only the first one takes: imports
    steps = calls_of(lambda: export_to_airflow(few, tmp_path))
    assert calls_of(lambda: export_to_airflow(many, tmp_path)) < steps * _FACTOR * _TOLERANCE


def test_a_long_cycle_is_told_in_a_line_that_can_be_read(project: Project) -> None:
    with pytest.raises(SpecError) as caught:
        compile_project(files_of(project, "cycle", 400))
    (problem,) = caught.value.problems
    assert len(problem.message) < 200
    assert "389 more" in problem.message


def test_an_expression_is_analysed_once_in_however_many_texts_it_stands(project: Project) -> None:
    flat, templates = (files_of(project, shape, _FEW * _FACTOR) for shape in ("flat", "templates"))
    steps = calls_of(lambda: compile_project(flat))
    assert calls_of(lambda: compile_project(templates)) < steps * _TIMES_OF_A_TEMPLATE


def test_what_many_templates_take_together_is_bounded(project: Project) -> None:
    run = "{run: {command: \"{{ ('a' * 1999999)|length }}\"}}"
    doubled = "{{ tasks.d%d.path }}{{ tasks.d%d.path }}"
    tasks = {f"t{i}": run for i in range(60)}
    paths = {f"d{i}": doubled % (i - 1, i - 1) if i else "a" for i in range(200)}
    tasks |= {name: f"{{download: {{url: 'http://x', to: '{path}'}}}}" for name, path in paths.items()}
    text = "".join(f"  {name}: {task}\n" for name, task in tasks.items())
    root = project({"windlass.yaml": PROJECT, "pipelines/p.yaml": f"pipeline: p\ntasks:\n{text}"}, "bounded")
    with pytest.raises(SpecError) as caught:
        compile_project(load_project(root))
    messages = [problem.message for problem in caught.value.problems]
    assert any("with what was evaluated before" in message for message in messages)
    assert "the path of 'd101' is made of those of more than 100 other tasks" in messages
