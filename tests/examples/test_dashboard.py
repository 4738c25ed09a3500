"""examples/dashboard: its own tests, and some of its pipelines run whole, against a real InfluxDB and a real Postgres."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from tests.examples.conftest import Example, Windlass
from windlass.connections import Address
from windlass.connectors.influxdb.client import Connection

EXAMPLE = ROOT / "examples" / "dashboard"
CASES = sorted(file.name for file in (EXAMPLE / "tests").glob("*.yaml"))

Query = Callable[[Path, str, str], list[tuple[Any, ...]]]


@pytest.mark.one_of(6)  # all of them take a minute
@pytest.mark.parametrize("file", CASES)
def test_its_own_tests_pass(windlass: Windlass, example: Example, influxdb: Address, file: str) -> None:
    there = {"WINDLASS_TEST_CONN_INFLUX": influxdb.uri()}
    done = windlass("-C", example("dashboard"), "test", f"tests/{file}", "--parallel", "2", env=there)
    assert done.code == 0, done.stdout + done.stderr


def test_each_pipeline_is_tested_at_its_best_and_at_its_worst() -> None:
    """A case that ends well; a bad key (or address), payload and table, each of which tells somebody."""
    for name in CASES:
        cases = yaml.load(
            (EXAMPLE / "tests" / name).read_text(encoding="utf-8"), Loader=_AnyTag
        )  # of strings
        failing = [case["expect"] for case in cases if case["expect"].get("run") == "failed"]
        assert len(failing) >= 3, name
        assert all(expect["alerts"] for expect in failing), name
        assert len(cases) > len(failing), name


class _AnyTag(yaml.SafeLoader):
    """Takes the tags of cases for text."""


_AnyTag.add_multi_constructor("!", lambda loader, _, node: loader.construct_scalar(node))


def test_what_was_measured_and_listed_is_there_once_however_often_it_is_asked_for(
    windlass: Windlass, example: Example, influxdb: Address, query: Query
) -> None:
    root = example("dashboard")
    for pipeline in (
        "weather_sao_paulo",
        "weather_sao_paulo",
        "yield_curve",
        "yield_curve",
        "yield_curve_plots",
        "dependabot",
    ):
        done = windlass("-C", root, "run", pipeline, env={"WINDLASS_CONN_INFLUX": influxdb.uri()})
        assert done.code == 0, done.stdout + done.stderr
    [message] = (
        (root / ".windlass/dev/slack_security/messages.jsonl").read_text(encoding="utf-8").splitlines()
    )
    assert "ada/engine has 2 alerts of Dependabot" in message
    [weather] = Connection(influxdb).query('SELECT city, temp, humidity FROM "weather"')
    assert weather.values == [[1770091320 * 10**9, "São Paulo", 24, 83]]
    assert query(root, "warehouse", 'SELECT count(*), min("1_mo"), max("30_yr") FROM yield_curve') == [
        (3, Decimal("3.72"), Decimal("4.86"))
    ]
    assert query(root, "warehouse", "SELECT count(*), min(ytm), max(ytm) FROM yield_curve_latest") == [
        (13, Decimal("3.50"), Decimal("4.83"))
    ]
