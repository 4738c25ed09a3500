"""A template means the same in Airflow's loader as on a laptop, and what only looks like one stays as it is."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from hypothesis import assume, example, given
from hypothesis import strategies as st
from jinja2.sandbox import SandboxedEnvironment

from windlass.errors import FatalError
from windlass.targets.airflow.loader.windlass_airflow.run import filled
from windlass.templates import render, variables

MOMENT = datetime(2021, 10, 2, tzinfo=UTC)
PARAMS = {"table": "orders", "day": 5}
RUN = SimpleNamespace(
    run_id="r1", logical_date=MOMENT, run_after=MOMENT, data_interval_start=MOMENT, data_interval_end=MOMENT
)
KNOWN = variables(
    run_id="r1", logical_date=MOMENT, interval=(MOMENT, MOMENT), params=PARAMS, services={}, paths={}
)
PIECES = ["{{ ds }}", "{{params.day}}", "{{- ts }}", "{{ '}}' }}", "{%", "%}", "{#", "#}", "{", "}", "#", "if x",
          " ", "\n", "\r\n", "\r", "a"]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=8).map("".join))
@example("a=(1 2); echo ${#a[@]} ${s%#} {{ ds }}")
def test_a_text_is_filled_in_alike(text: str) -> None:
    try:
        here = render(text, KNOWN)
    except FatalError:
        assume(False)
    job: dict[str, Any] = {"paths": {}, "uses": []}
    there = filled(text, job, {"dag_run": RUN, "params": PARAMS}, SandboxedEnvironment())
    assert str(there) == here
