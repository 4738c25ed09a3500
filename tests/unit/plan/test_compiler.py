"""From pipeline files to plans."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from tests.messages import plain
from windlass.errors import FatalError, SpecError, UsageError
from windlass.plan import model
from windlass.plan.codec import from_json, to_json
from windlass.plan.compiler import Scope, compile, compile_project
from windlass.plan.graph import Cycle, downstream, order, upstream
from windlass.spec import load_project

Project = Callable[..., Path]

PROJECT = """\
project: test
connections: {x: {type: postgres}, y: {type: postgres, dev: {init: [a.sql, b.sql]}}, web: {type: http}}
"""


def compiled(root: Path, name: str, **params: object) -> model.Plan:
    files = load_project(root)
    return compile(files.pipeline(name), params, Scope.of(files))


def pipeline(tasks: str, head: str = "") -> dict[str, str]:
    return {"windlass.yaml": PROJECT, "pipelines/p.yaml": f"pipeline: p\n{head}tasks:\n{tasks}"}


def test_what_a_template_names_is_needed_or_used_without_saying(project: Project) -> None:
    root = project(
        pipeline(
            "  last: {run: {command: [cat, '{{ tasks.first.path }}', '{{ services.api.url }}']}}\n"
            "  api: {service: {command: [serve]}}\n"
            "  first: {download: {connection: web, path: /a, to: a.csv}}\n"
        )
    )
    plan = compiled(root, "p")
    assert [task.name for task in plan.tasks] == ["api", "first", "last"]
    assert (plan.task("last").needs, plan.task("last").uses) == (("first",), ("api",))
    assert plan.connections == {"web": model.Connection(type="http", form="url")}


def test_bad_rows_do_not_go_where_their_load_would_wait_for_itself(project: Project) -> None:
    copy = "{copy: {from: {path: a.csv}, to: {connection: %s, table: t}, on_bad_row: quarantine, quarantine: %s}}"
    places = (("y", "{connection: y, table: t}"), ("lite", "{connection: lite, table: bad}"))
    tasks = "".join(f"  t{i}: {copy % place}\n" for i, place in enumerate(places))
    same = "{copy: {from: {path: a.csv}, to: {path: b.ndjson}, on_bad_row: quarantine, quarantine: {path: b.ndjson}}}"
    files = pipeline(f"{tasks}  t2: {same}\n")
    with pytest.raises(SpecError) as caught:
        compiled(
            project({**files, "windlass.yaml": f"{PROJECT.rstrip()[:-1]}, lite: {{type: sqlite}}}}\n"}), "p"
        )
    shown = plain(caught.value)
    assert shown.count("the rows in quarantine cannot go there: ") == 3
    for why in (
        "t is the table that",
        "has the file of 'lite' for itself",
        "b.ndjson is what the copy writes",
    ):
        assert why in shown


def test_defaults_hold_for_each_task_that_does_not_say_otherwise(project: Project) -> None:
    head = "defaults: {retries: 2, retry_delay: 10s, backoff: 3, timeout: 1h30m}\n"
    root = project(
        pipeline("  a: {sql: {statement: x}}\n  b: {retries: 0, timeout: 5s, sql: {statement: x}}\n", head)
    )
    plan = compiled(root, "p")
    assert plan.task("a").retry == model.Retry(retries=2, delay=10.0, backoff=3.0)
    assert plan.task("a").timeout == 5400.0
    assert (plan.task("b").retry.retries, plan.task("b").timeout) == (0, 5.0)


def test_waits_grow_by_the_backoff_up_to_an_hour() -> None:
    retry = model.Retry(retries=100, delay=30.0, backoff=2.0)
    assert [retry.delay_after(n) for n in (1, 2, 3, 8, 100)] == [30.0, 60.0, 120.0, 3600.0, 3600.0]


@pytest.mark.parametrize(
    ("default", "given", "meant"),
    [
        ("text", "5", "5"),
        ("'5'", "yes", "yes"),
        ("5", "7", 7),
        ("5", 7, 7),
        ("1.5", "2", 2.0),
        ("1.5", 2, 2.0),
        ("true", "false", False),
        ("null", "5", 5),
        ("null", "no", "no"),
    ],
)
def test_a_parameter_takes_the_type_of_its_default(
    default: str, given: object, meant: object, project: Project
) -> None:
    root = project(
        pipeline(
            "  a: {trigger: {pipeline: q, params: {v: '{{ params.v }}'}}}\n", f"params: {{v: {default}}}\n"
        )
        | {"pipelines/q.yaml": "pipeline: q\nparams: {v: null}\ntasks: {a: {run: {command: [date]}}}\n"}
    )
    action = compiled(root, "p", v=given).task("a").action
    assert isinstance(action, model.Trigger)
    assert (action.params["v"], type(action.params["v"])) == (meant, type(meant))


@pytest.mark.parametrize(
    ("default", "given", "message"),
    [
        ("5", "five", "expected a whole number, like its default 5, got 'five'"),
        ("5", "5.5", "expected a whole number"),
        ("5", True, "expected a whole number"),
        ("true", "yes", "expected true or false, like its default true, got 'yes'"),
        ("true", 1, "expected true or false"),
        ("1.5", "x", "expected a number"),
        ("1.5", ".nan", "expected a finite number"),
        ("text", 5, "expected text"),
        ("null", ["a"], "expected text, a number, or true or false"),
    ],
)
def test_a_parameter_of_another_type_is_refused(
    default: str, given: object, message: str, project: Project
) -> None:
    root = project(pipeline("  a: {run: {command: [date]}}\n", f"params: {{v: {default}}}\n"))
    with pytest.raises(UsageError, match=f"parameter 'v': {message}"):
        compiled(root, "p", v=given)


def test_an_unknown_parameter_or_pipeline_is_refused_with_a_near_name(project: Project) -> None:
    root = project(pipeline("  a: {run: {command: [date]}}\n", "params: {table: x}\n"))
    with pytest.raises(UsageError, match="no parameter 'tabel'") as caught:
        compiled(root, "p", tabel="y")
    assert caught.value.hint == "did you mean 'table'?"
    with pytest.raises(UsageError, match="no pipeline 'q'"):
        compiled(root, "q")


def test_a_sql_file_is_a_template_too_and_is_read_when_compiled(project: Project) -> None:
    files = pipeline("  a: {sql: {connection: x, file: sql/a.sql}}\n", "params: {t: orders}\n")
    plan = compiled(project(files | {"sql/a.sql": "SELECT '{{ ds }}' FROM {{ params.t }}"}), "p")
    action = plan.task("a").action
    assert isinstance(action, model.Sql)
    assert action.statement == "SELECT '{{ ds }}' FROM orders"


def test_pipelines_that_trigger_each_other_in_a_cycle_are_refused(project: Project) -> None:
    files = {
        f"pipelines/{a}.yaml": f"pipeline: {a}\ntasks: {{t: {{trigger: {{pipeline: {b}}}}}}}\n"
        for a, b in ("ab", "bc", "ca")
    }
    root = project(files)
    with pytest.raises(SpecError) as caught:
        compile_project(load_project(root))
    assert [plain(p).splitlines()[0] for p in caught.value.problems] == [
        "pipelines/a.yaml:2:33: triggers itself: a → b → c → a"  # and not once more for each of them
    ]
    with pytest.raises(
        SpecError, match=r"pipelines/b\.yaml:2:33: error\[W0209\]: triggers itself: b → c → a → b"
    ):
        compiled(root, "b")


def test_every_cycle_is_told(project: Project) -> None:
    tasks = "".join(
        f"  {a}: {{needs: {b}, run: {{command: [date]}}}}\n" for a, b in ("ab", "ba", "xx", "pq", "qp")
    )
    with pytest.raises(SpecError) as caught:
        compiled(project(pipeline(tasks)), "p")
    assert [problem.line for problem in caught.value.problems] == [3, 5, 6]


CHILD = {
    "pipelines/q.yaml": "pipeline: q\nparams: {n: 9, s: text, b: true, any: null}\ntasks: {a: {run: {command: [date]}}}\n"
}


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ("{n: 5, s: x, b: false, any: 1}", None),
        ("{n: '5', s: '{{ ds }}'}", None),
        ("{n: '{{ ds }}'}", None),  # known only when it runs
        ("{nope: 1}", "4:39: pipeline 'q' has no parameter 'nope'"),
        (
            "{n: abc}",
            "4:42: pipeline 'q', parameter 'n': expected a whole number, like its default 9, got 'abc'",
        ),
        ("{n: 1.5}", "4:42: pipeline 'q', parameter 'n': expected a whole number"),
        ("{s: 5}", "4:42: pipeline 'q', parameter 's': expected text, like its default 'text', got 5"),
        ("{s: '{{ params.n }}'}", "4:42: pipeline 'q', parameter 's': expected text"),
        ("{b: 1}", "4:42: pipeline 'q', parameter 'b': expected true or false"),
    ],
)
def test_what_a_trigger_gives_is_checked_against_the_other_pipeline(
    params: str, message: str | None, project: Project
) -> None:
    text = f"  a: {{trigger: {{pipeline: q, params: {params}}}}}\n"
    root = project(pipeline(text, "params: {n: 3}\n") | CHILD)
    if message is None:
        compiled(root, "p")
        return
    with pytest.raises(SpecError) as caught:
        compiled(root, "p")
    [problem] = caught.value.problems
    assert plain(problem).startswith(f"pipelines/p.yaml:{message}")


def test_a_cycle_through_a_template_is_found(project: Project) -> None:
    root = project(
        pipeline(
            "  a: {run: {command: ['{{ tasks.b.path }}']}}\n"
            "  b: {needs: a, download: {url: 'http://x', to: b}}\n"
        )
    )
    with pytest.raises(SpecError, match=r"in a cycle: (a → b → a|b → a → b)"):
        compiled(root, "p")


# --- the order -----------------------------------------------------------------------------------

graphs = st.integers(1, 12).flatmap(
    lambda n: st.fixed_dictionaries(
        {str(i): st.lists(st.integers(0, n - 1).map(str), max_size=3, unique=True) for i in range(n)}
    )
)


@given(graphs)
def test_each_task_comes_after_all_that_it_needs_or_there_is_a_cycle(needs: dict[str, list[str]]) -> None:
    try:
        names = order(needs)
    except Cycle as exc:
        cycle = exc.path
        event("there is a cycle")
    else:
        cycle = []
    assert all(after in needs[before] for before, after in pairwise(cycle))
    if cycle:
        assert cycle[0] == cycle[-1]
        return
    assert sorted(names) == sorted(needs)
    assert all(names.index(needed) < names.index(name) for name in needs for needed in needs[name])
    for name in needs:
        assert downstream(needs, name) == {other for other in needs if name in upstream(needs, other)}


# --- plans as JSON -------------------------------------------------------------------------------

text = st.text(max_size=8)
scalars = text | st.integers() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False)
some = st.none() | text
options = st.dictionaries(
    text,
    st.none() | scalars | st.lists(text, max_size=2) | st.dictionaries(text, scalars, max_size=2),
    max_size=3,
)
actions = st.one_of(
    st.builds(model.Sql, connection=some, statement=text),
    st.builds(model.RunCommand, connections=st.tuples(text, text)),
    st.builds(model.Service, connections=st.tuples(text)),
    st.builds(model.Download, url=some, to=text, headers=st.dictionaries(text, text, max_size=2)),
    st.builds(model.Trigger, pipeline=text, params=st.dictionaries(text, st.none() | scalars, max_size=3)),
    st.builds(
        model.Check,
        query=some,
        accepted=st.dictionaries(text, st.lists(scalars, max_size=3).map(tuple), max_size=2),
        rows=st.none() | st.builds(model.RowCount, exactly=st.none() | st.integers(0)),
    ),
    st.builds(
        model.Copy,
        source=st.builds(model.Source, connection=some, type=text, options=options),
        destination=st.builds(model.Destination, connection=some, options=options),
        max_bad_rows=st.none() | st.integers(0) | st.just("1%"),
        validate=st.builds(
            model.Validate,
            columns=st.dictionaries(
                text, st.builds(model.ColumnRules, min=st.none() | st.integers() | text), max_size=2
            ),
        ),
    ),
)
units = st.builds(
    model.Unit,
    own=st.booleans(),
    build=some,
    command=st.tuples(text, text),
    env=st.dictionaries(text, text, max_size=2),
    port=st.none() | st.integers(1, 65535),
    health=some,
)
plans = st.builds(
    model.Plan,
    project=text,
    pipeline=text,
    start=st.none() | st.datetimes(timezones=st.just(UTC)),
    params=st.dictionaries(text, st.none() | scalars, max_size=4),
    connections=st.dictionaries(text, st.builds(model.Connection, type=text), max_size=2),
    pools=st.dictionaries(text, st.integers(1), max_size=2),
    assets=st.tuples(text),
    tasks=st.lists(
        st.builds(
            model.Task,
            name=text,
            needs=st.tuples(text),
            action=actions,
            timeout=st.none() | st.floats(0, 9e9),
            group=some,
            pool=some,
            connections=st.tuples(text),
            outlets=st.tuples(text),
            output=some,
            paths=st.dictionaries(text, text, max_size=2),
            unit=st.none() | units,
        ),
        max_size=3,
    ).map(tuple),
)


def typed(value: Any) -> Any:
    """The value with its types, for in Python 1 == 1.0 == True."""
    if isinstance(value, dict):
        return {key: typed(item) for key, item in value.items()}
    return (type(value), value)


@given(plans)
@settings(max_examples=50)
def test_a_plan_survives_its_json(plan: model.Plan) -> None:
    again = from_json(to_json(plan))
    assert again == plan
    assert typed(again.params) == typed(plan.params)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("", "this is not a plan"),
        ("[]", "this is not a plan"),
        ("{}", "this is not a plan"),
        ('{"version": 99}', "has version 99, expected"),
        ('{"version": 1}', "has version 1, expected"),
        (f'{{"version": {model.PLAN_VERSION}, "project": 5}}', "this is not a plan"),
    ],
)
def test_what_is_no_plan_is_refused(document: str, message: str) -> None:
    with pytest.raises(FatalError, match=message):
        from_json(document)


def test_a_thousand_pipelines_compile(project: Project) -> None:
    text = Path(__file__).with_name("typical.yaml").read_text(encoding="utf-8")
    root = project(
        {"windlass.yaml": PROJECT}
        | {f"pipelines/p{i}.yaml": text.replace("pipeline: p", f"pipeline: p{i}") for i in range(1000)}
    )
    plans = compile_project(load_project(root))
    assert len(plans) == 1000
    assert {len(plan.tasks) for plan in plans.values()} == {6}


@pytest.mark.parametrize(
    ("asset", "why"),
    [
        ("airflow://x", "Airflow's own"),
        ("AIRFLOW:x", "Airflow's own"),
        ("' '", "it is empty"),
        ("x" * 1501, "more than 1,500 characters"),
        ("'http://[bad'", "Invalid IPv6 URL"),
    ],
)
def test_an_asset_that_airflow_would_refuse_is_refused(project: Project, asset: str, why: str) -> None:
    for key in ("inlets", "outlets"):
        files = pipeline(f"  a: {{{key}: [fine, {asset}], run: {{command: [echo]}}}}\n")
        with pytest.raises(SpecError, match="cannot be the name of an asset") as caught:
            compiled(project(files), "p")
        assert why in str(caught.value)


def test_a_task_that_uses_a_service_has_no_rule_of_its_own(project: Project) -> None:
    """Airflow lets no setup be followed by a task with another rule, and would refuse all DAGs for it."""
    uses = (
        "  s: {service: {command: [echo]}}\n  a: {%s trigger_rule: all_done, run: {command: [echo, '%s']}}\n"
    )
    for tasks in (uses % ("uses: s,", ""), uses % ("", "{{ services.s.url }}")):
        with pytest.raises(SpecError, match=r"p\.yaml:4:\d+: .*a task that uses a service \('s'\)"):
            compiled(project(pipeline(tasks)), "p")
    assert compiled(project(pipeline(uses % ("", ""))), "p").task("a").trigger_rule == "all_done"
