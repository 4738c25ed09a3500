"""When pipelines and tasks run, as Airflow has it: assets, pools, groups, trigger rules."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.messages import plain
from windlass.errors import SpecError
from windlass.plan import model
from windlass.plan.compiler import Scope, compile, compile_project
from windlass.spec import load_project

Project = Callable[..., Path]

PROJECT = """\
project: test
connections: {x: {type: postgres}, y: {type: postgres}, m: {type: mongodb}, i: {type: influxdb}}
pools: {big: 2, small: 1}
"""


def compiled(project: Project, **pipelines: str) -> dict[str, model.Plan]:
    files = {f"pipelines/{name}.yaml": f"pipeline: {name}\n{text}" for name, text in pipelines.items()}
    return compile_project(load_project(project({"windlass.yaml": PROJECT, **files})))


def problems(project: Project, **pipelines: str) -> str:
    with pytest.raises(SpecError) as caught:
        compiled(project, **pipelines)
    return plain(caught.value)


def test_what_a_scheduler_needs_to_know_is_in_the_plan(project: Project) -> None:
    head = "tags: [sales, daily]\ncatchup: true\nstart: 2025-01-01\nschedule: '@daily'\n"
    task = "{group: load.raw, trigger_rule: all_done, run: {command: [date]}}"
    plan = compiled(
        project, p=f"{head}tasks: {{a: {task}, b: {{trigger: {{pipeline: q, wait: false}}}}}}\n", q=WRITES
    )["p"]
    assert (plan.tags, plan.catchup, plan.assets) == (("sales", "daily"), True, ())
    assert (plan.task("a").group, plan.task("a").trigger_rule) == ("load.raw", "all_done")
    assert plan.task("b").action == model.Trigger(pipeline="q", wait=False)


# --- pools ---------------------------------------------------------------------------------------


def test_a_task_has_the_pool_of_the_defaults_unless_it_names_one_and_a_service_has_none(
    project: Project,
) -> None:
    run = "run: {command: [date]}"
    tasks = f"{{a: {{{run}}}, b: {{pool: small, {run}}}, c: {{service: {{command: [serve]}}}}}}"
    plan = compiled(project, p=f"defaults: {{pool: big}}\ntasks: {tasks}\n")["p"]
    assert [plan.task(name).pool for name in "abc"] == ["big", "small", None]
    assert plan.pools == {"big": 2, "small": 1}


def test_an_unknown_pool_is_refused_with_a_near_name(project: Project) -> None:
    tasks = "tasks:\n  a: {run: {command: [date]}}\n  b: {pool: smali, run: {command: [date]}}\n  c: {run: {command: [date]}}\n"
    shown = problems(project, p=f"defaults: {{pool: gib}}\n{tasks}")
    assert shown.count("unknown pool 'gib'") == 1
    assert "p.yaml:5:13: unknown pool 'smali'" in shown
    assert "did you mean 'small'?" in shown


def test_a_group_does_not_have_the_name_of_a_task(project: Project) -> None:
    tasks = "tasks: {load: {run: {command: [date]}}, a: {group: load.raw, run: {command: [date]}}}\n"
    assert "the group 'load' has the name of a task" in problems(project, p=tasks)


# --- assets --------------------------------------------------------------------------------------

WRITES = "tasks: {load: {copy: {from: {path: a.csv}, to: {connection: y, table: public.orders}}}}\n"


@pytest.mark.parametrize(
    ("task", "inlets", "outlets"),
    [
        ("{copy: {from: {connection: x, table: t}, to: {path: out/}}}", ["x.t"], ["out/"]),
        ("{copy: {from: {connection: x, query: SELECT 1}, to: {connection: y, table: s.t}}}", [], ["y.s.t"]),
        ("{copy: {from: {path: 'in/*.csv'}, to: {path: '{{ ds }}/{{ params.a }}.csv'}}}", ["in/*.csv"], ["*/o.csv"]),
        ("{copy: {from: {path: '{{ tasks.get.path }}'}, to: {path: b.csv}}}", ["*.zip"], ["b.csv"]),
        ("{copy: {from: {path: '{{ params.odd }}'}, to: {path: '{{ params.odd }}/{{ ts }}'}}}", ["{{x}}"], ["{{x}}/*"]),
        ("{copy: {from: {path: a}, to: {path: '{{ ds if ds else 1 }}'}}}", ["a"], ["*"]),
        ("{check: {connection: x, table: t, rows: 1}}", ["x.t"], []),
        ("{copy: {from: {connection: m, collection: c}, to: {connection: i, measurement: n, mode: append}}}", ["m.c"], ["i.n"]),
        ("{check: {path: a.csv, rows: 1}}", ["a.csv"], []),
        ("{sql: {statement: x}, inlets: x.t, outlets: ['y.{{ params.a }}', y.u]}", ["x.t"], ["y.o", "y.u"]),
        ("{copy: {from: {path: a}, to: {path: b.csv}}, inlets: [a, c], outlets: c}", ["a", "c"], ["b.csv", "c"]),
        ("{run: {command: [date]}}", [], []),
    ],
)  # fmt: skip
def test_a_task_reads_and_writes_assets(
    task: str, inlets: list[str], outlets: list[str], project: Project
) -> None:
    head = "params: {a: o, odd: '{{x}}'}\n"
    get = "{download: {url: 'http://x', to: '{{ ds }}.zip'}}"
    plan = compiled(project, p=f"{head}tasks:\n  get: {get}\n  t: {task}\n")["p"]
    assert (plan.task("get").inlets, plan.task("get").outlets) == ((), ("*.zip",))
    assert (list(plan.task("t").inlets), list(plan.task("t").outlets)) == (inlets, outlets)


def test_a_pipeline_is_scheduled_by_what_another_writes(project: Project) -> None:
    plan = compiled(
        project, p=WRITES, q="schedule: {assets: y.public.orders}\ntasks: {a: {run: {command: [date]}}}\n"
    )["q"]
    assert (plan.schedule, plan.assets) == ("none", ("y.public.orders",))


def test_an_asset_that_nobody_writes_is_refused_with_a_near_name(project: Project) -> None:
    reads = "schedule: {assets: [y.public.order]}\ntasks: {a: {run: {command: [date]}}}\n"
    shown = problems(project, p=WRITES, q=reads)
    assert "pipelines/q.yaml:2:21: no task of the project writes 'y.public.order'" in shown
    assert "did you mean 'y.public.orders'?" in shown


@pytest.mark.parametrize(
    "writes",
    [
        WRITES.replace("connection: y", "connection: z"),
        WRITES.replace("connection: y", "cnnection: y"),
        WRITES.replace("copy:", "cpy:"),
    ],
)
def test_of_an_asset_nothing_is_said_that_a_task_may_write_which_is_wrong(
    project: Project, writes: str
) -> None:
    reads = "schedule: {assets: [y.public.orders]}\ntasks: {a: {run: {command: [date]}}}\n"
    shown = problems(project, p=writes, q=reads)
    assert shown.count("pipelines/") == 1
    assert "no task of the project writes" not in shown
    shown = problems(project, p=writes, q=reads.replace("orders", "others"))
    assert shown.count("pipelines/") == 2
    assert "no task of the project writes 'y.public.others'" in shown


def test_of_assets_nothing_is_said_while_a_file_cannot_be_read(project: Project) -> None:
    reads = "schedule: {assets: [y.public.order]}\ntasks: {a: {run: {command: [date]}}}\n"
    assert "no task of the project writes" not in problems(project, p="]", q=reads)


def test_assets_are_known_when_one_pipeline_is_compiled(project: Project) -> None:
    reads = "pipeline: q\nschedule: {assets: [y.u]}\ntasks: {a: {run: {command: [date]}}}\n"
    files = load_project(
        project(
            {
                "windlass.yaml": PROJECT,
                "pipelines/p.yaml": f"pipeline: p\n{WRITES}",
                "pipelines/q.yaml": reads,
            }
        )
    )
    with pytest.raises(SpecError, match=r"no task of the project writes 'y\.u'"):
        compile(files.pipeline("q"), {}, Scope.of(files))


def test_catchup_needs_a_start(project: Project) -> None:
    task = "tasks: {a: {run: {command: [date]}}}\n"
    shown = problems(project, p=f"schedule: '@daily'\ncatchup: true\n{task}")
    assert "pipelines/p.yaml:3:10: `catchup` makes up for what was missed since `start`" in shown
    wrong = problems(project, p=f"schedule: '@daily'\ncatchup: true\nstart: soon\n{task}")
    assert wrong.count("pipelines/") == 1  # what is wrong with it is no reason to say that it is not there
