"""Templates: evaluated as far as possible when compiled, the rest when a task runs."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass.errors import FatalError
from windlass.templates import Names, TemplateError, Uses, evaluate, render, variables

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
    paths={"load": "out.csv", "get": "in.csv"},
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
        ("{{ 'late' if params.day > 4 else 'early' }}", "late"),
        ("{{ '{{ ds }}' }}", "{{ ds }}"),
        (
            "a=(1 2); echo ${#a[@]} ${s%#} {% if x %} {# y #} {{ ds }}",
            "a=(1 2); echo ${#a[@]} ${s%#} {% if x %} {# y #} 2021-10-02",
        ),
        ("{% for x in y %}${#", "{% for x in y %}${#"),
        ("a\r\n{{ ds }}\r\nb\rc", "a\r\n2021-10-02\r\nb\rc"),
        ("a  {{- ds -}}  b", "a2021-10-02b"),
        ("{{ {'a': {'b': 1}}['a']['b'] }}", 1),
        ("{{ '}}' }}{{ ds }}", "}}2021-10-02"),
        (
            "{{ '%s-%04d' % (ds, params.day) }} {{ '%s 20250101' | format(ds) }}",
            "2021-10-02-0005 2021-10-02 20250101",
        ),
        ("{{ params.table | upper | replace('O', '0') | center(8) }}", " 0RDERS "),
        (
            "{{ ds.replace('-', '/') }} {{ ', '.join(['a', 'b']) }} {{ ['a', 'b'] | join('+') }}",
            "2021/10/02 a, b a+b",
        ),
        ("{{ [1, 2] }} {{ 'x' * 3 }}", "[1, 2] xxx"),
        (
            """{{ '{{"a": {0:05}}}'.format(7) }} {{ '%% 9999999999 %(a)5d'|format(a=7) }} {{ 5 is divisibleby 5 }}""",
            '{"a": 00007} % 9999999999     7 True',
        ),
        ("{{ ['a', 'b']|map('upper')|join('-') }} {{ [1, 2]|sum(start=4) }}", "A-B 7"),
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


BOMBS = """
('a'*999999)|wordwrap(1)|length
5|round(-1000000000)
'x'|center(10**9)|length
'x'.center(10**9)|length
'x'.ljust(1000000000)|length
'x'.zfill(1000000000)|length
'a\tb'.expandtabs(1000000000)|length
('%1000000000s' % 'x')|length
('%*s' % (1000000000, 'x'))|length
('%.1000000000f' % 1.0)|length
('%1000000000s'|format('x'))|length
'{:>1000000000}'.format(1)|length
'{:>{}}'.format(1, 1000000000)|length
'x'|indent(10**9)|length
('a\n'*100000)|indent(100000)|length
('a'*1000000)|replace('a','b'*1000000)
('a'*1000000).replace('a','b'*1000000)
('a'*1000000)|replace('','b'*1000)
(['a']*1000000)|join('b'*1000)
('b'*1000).join(['a']*1000000)
'x' * 10**6 * 9
[1] * 10**9
[[1] * 1000] * 10**6
'x'|list|map('center', 10**9)|list
(['x'] * 10000)|map('center', 100000)|join
params.big ~ params.big
9 ** 999999999
(999 ** 999) ** 999
'a'.encode()
params.table.__init__.__globals__
'x'.format_map(params)
logical_date.strftime('%Y' * 1000000)
([[1]] * 600000)|sum(start=[])
('%99999s' * 20000) % (('x',) * 20000)
('{0:99999}' * 20000).format('x')
('{0}' * 1000).format(params.big)
('%(a)s' * 1000) % {'a': params.big}
('%(a)s' * 1000)|format(a=params.big)
('%(' * 400000) % 1
('{:' * 20000).format(1)
('\t' * 100000).expandtabs(100000)
('f' * 1999999)|int(base=16) // 3
('f' * 100000)|int(base=16) is divisibleby 3
(['x'] * 500000)|map('upper')|join('b' * 1000000)
(['x'] * 600)|map('upper')|join('b' * 9999)
"""


@pytest.mark.parametrize("bomb", BOMBS.strip().split("\n"))
def test_an_expression_that_would_take_too_much_is_refused_at_once(bomb: str) -> None:
    names = Names({"table": "x", "big": "y" * 999_999}, frozenset(), frozenset())
    text = "{{ " + bomb.replace("params.big ~ params.big", " ~ ".join(["params.big"] * 1000)) + " }}"
    with pytest.raises((TemplateError, FatalError)):
        render(str(evaluate(text, names, Uses())), {**KNOWN, "params": names.params})
    whole = "".join(["{{ params.big }}"] * 1000)
    with pytest.raises(TemplateError):
        evaluate(whole, names, Uses())


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
        ("{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}", "not a valid template"),
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
