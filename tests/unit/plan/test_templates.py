"""Templates: evaluated as far as possible when compiled, the rest when a task runs."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass.plan.templates import Names, TemplateError, Uses, evaluate, render, variables

NAMES = Names(
    {"table": "orders", "day": 5, "none": None, "items": "all"},
    frozenset({"web", "my-api"}),
    frozenset({"load", "get"}),
)
MOMENT = datetime(2021, 10, 2, tzinfo=UTC)
KNOWN = variables(
    run_id="r1",
    logical_date=MOMENT,
    interval=(MOMENT, datetime(2021, 10, 3, tzinfo=UTC)),
    params=NAMES.params,
    services={"web": {"url": "http://127.0.0.1:1", "host": "127.0.0.1", "port": 1}},
    tasks={"load": {"path": "out.csv"}, "get": {"path": "in.csv"}},
)


def meaning(text: str) -> object:
    """What a text of a pipeline file is in the end, when a task uses it."""
    value = evaluate(text, NAMES, Uses())
    return render(value, KNOWN) if isinstance(value, str) else value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{{ params.table }}", "orders"),
        ("{{ params['day'] }}", 5),
        ("{{ params.none }}", None),
        ("{{ params.table }}_{{ ds }}", "orders_2021-10-02"),
        ("{{ ts }} {{ run_id }}", "2021-10-02T00:00:00+00:00 r1"),
        ("{{ logical_date.strftime('%Y/%m') }}", "2021/10"),
        ("{{ data_interval_end - data_interval_start }}", "1 day, 0:00:00"),
        ("{{ services.web.url }}/{{ tasks.load.path }}", "http://127.0.0.1:1/out.csv"),
        ("{{ params.items }} {{ params.items }}{{ tasks.get.path }}", "all allin.csv"),
        ("{% if params.day > 4 %}late{% endif %}", "late"),
        ("{% raw %}{{ ds }}{% endraw %}", "{{ ds }}"),
        ("{{ [1, 2] }} {{ 'x' * 3 }}", "[1, 2] xxx"),
        ("no template, but } and {", "no template, but } and {"),
        ("a\n{{ params.table }}\n", "a\norders\n"),
    ],
)
def test_a_template_means_what_airflow_would_make_of_it(text: str, value: object) -> None:
    assert meaning(text) == value


PIECES = [
    "{",
    "}",
    "%",
    "#",
    "{{",
    "}}",
    "{%",
    "%}",
    "{#",
    "endraw",
    " ",
    "ds",
    "\r\n",
    "'",
    '"',
    "\\",
    "é😀",
]


@given(st.lists(st.sampled_from(PIECES)).map("".join))
def test_the_value_of_a_parameter_is_never_a_template(value: str) -> None:
    names = Names({"x": value}, frozenset(), frozenset())
    for text, whole in (
        ("{{ params.x }}", value),
        ("{{ params.x }}{{ ds }}", f"{value}2021-10-02"),
        ("{ ds {{ params.x }}{ {{ params.x }}{{ ds }}}}", f"{{ ds {value}{{ {value}2021-10-02}}}}"),
    ):
        assert render(str(evaluate(text, names, Uses())), KNOWN) == whole


def test_what_a_template_names_is_noted() -> None:
    uses = Uses()
    evaluate("{{ services['my-api'].port }} {{ tasks.load.path }}", NAMES, uses)
    assert (uses.services, uses.tasks) == ({"my-api"}, {"load"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{ dss }}", "unknown template name 'dss'"),
        ("{{ execution_date }}", "unknown template name 'execution_date'"),
        ("{{ ti.xcom_pull() }}", "unknown template name 'ti'"),
        ("{{ range(3) }}", "unknown template name 'range'"),
        ("{{ lipsum() }}", "unknown template name 'lipsum'"),
        ("{{ params.tabel }}", "unknown parameter 'tabel'"),
        ("{{ params[ds] }}", "needs a constant name"),
        ("{{ services.wbe.url }}", "unknown service 'wbe'"),
        ("{{ services.web }}", "a service has url, host, port"),
        ("{{ services.web.path }}", "not 'path'"),
        ("{{ services }}", "needs a name and an attribute"),
        ("{{ tasks.loda.path }}", "unknown task 'loda'"),
        ("{{ tasks.load.rows }}", "a task has path, not 'rows'"),
        ("{{ logical_date.yeah }}", "logical_date has no attribute 'yeah'"),
        ("{{ ds | upp }}", "No filter named 'upp'"),
        ("{{ params.table", "not a valid template"),
        ("{% if %}", "not a valid template"),
        ("{{ ''.__class__.__mro__ }}", "unsafe"),
        ("{{ params.table.__init__.__globals__ }}", "unsafe"),
        ("{{ 'x' * 10**6 * 9 }}", "too long"),
        ("{{ 9 ** 999999999 }}", "too large"),
        ("{{ 1 / 0 }}", "division by zero"),
        ("{{ params.table + 1 }}", "can only concatenate str"),
    ],
)
def test_what_makes_no_sense_is_found_when_compiled(text: str, message: str) -> None:
    with pytest.raises(TemplateError, match=message):
        evaluate(text, NAMES, Uses())


def test_a_near_name_is_suggested() -> None:
    for text, hint in (
        ("{{ dss }}", "ds"),
        ("{{ params.tabel }}", "table"),
        ("{{ tasks.loda.path }}", "load"),
    ):
        with pytest.raises(TemplateError) as caught:
            evaluate(text, NAMES, Uses())
        assert caught.value.hint == f"did you mean {hint!r}?"
