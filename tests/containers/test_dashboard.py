"""examples/dashboard in containers: a step in Python and one in Node.js, each with its libraries, and the points that they write."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Output
from windlass.connections import Address
from windlass.connectors.influxdb.client import Connection
from windlass.runtimes.docker.engine import Engine

Windlass = Callable[..., Output]
Containers = Callable[[], list[str]]


@pytest.mark.parametrize(
    ("pipeline", "step", "read", "values"),
    [
        ("stock_quote_python", "stock-quote", 'SELECT symbol, last_price FROM "stocks"', ["SPY", 612.25]),
        ("weather_node", "weather", 'SELECT city, temp FROM "weather"', ["Seattle", 7.23]),
    ],
    ids=["python", "node"],
)
def test_its_steps_run_in_containers_of_an_image_that_is_built_once(
    windlass: Windlass,
    example: Callable[[str], Path],
    influxdb: Address,
    buildkit: Engine,
    containers: Containers,
    pipeline: str,
    step: str,
    read: str,
    values: list[Any],
) -> None:
    root = example("dashboard")
    _have_a_step_of_its_own(root)
    built, images = [], set[str]()
    for _ in range(2):
        command = ("run", pipeline, "--runtime", "docker", "--logical-date", "2026-02-03T04:00:00Z", "--json")
        done = windlass("-C", root, *command, env={"WINDLASS_CONN_INFLUX": influxdb.uri()})
        assert done.code == 0, done.stderr
        found = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
        assert [event["engine"].split()[0] for event in found if event["event"] == "engine"]
        built.append([event["image"] for event in found if event["event"] == "image_build"])
        images |= set(built[-1])
    assert [len(each) for each in built] == [1, 0], "a second run builds nothing"
    assert f"dashboard-{step}:" in built[0][0]
    [points] = Connection(influxdb).query(read)
    assert [row[1:] for row in points.values] == [values]  # one point, however often it was written
    assert containers() == []
    for image in images:
        buildkit.client.remove_image(image, force=True)


def _have_a_step_of_its_own(root: Path) -> None:
    """Images are known by what is in them: that of another test is not to be found here, nor to be removed."""
    for step in (root / "steps").iterdir():
        (step / "of-this-test").write_text(str(root), encoding="utf-8")
