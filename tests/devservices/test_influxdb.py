"""The dev service of InfluxDB: an `influxd` of version 1 on the PATH. What it has in common with others is in test_mongodb.py."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.checker import until
from windlass.connections import Address
from windlass.connectors.influxdb.client import Connection as Influxdb
from windlass.devservices import DevServices
from windlass.devservices.running import is_running
from windlass.errors import Code, FatalError
from windlass.plan.model import Connection


@pytest.fixture
def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DevServices]:
    """Those of a project that is where we are."""
    monkeypatch.chdir(tmp_path)
    made = DevServices(Path("state"), Path())
    yield made
    made.close()


def points(address: Address) -> list[dict[str, Any]]:
    return [row for series in Influxdb(address).query("SELECT * FROM weather") for row in series.rows()]


@pytest.mark.skipif(shutil.which("influxd") is None, reason="influxd is not on the PATH")
def test_it_has_the_points_of_the_init_files_and_keeps_its_data(
    tmp_path: Path, services: DevServices
) -> None:
    file = tmp_path / "weather.lp"
    file.write_text(
        '# a city\nweather,city=Oslo temp=1.5,said="a b" 1000\n\nweather,city=Rome temp=20 -1000\n'
    )
    connection = Connection(type="influxdb", dev={"init": ["weather.lp"]})
    address = services.start("met-office", connection)
    assert (address.host, address.database, address.password) == ("127.0.0.1", "met_office", "")
    assert [(row["time"], row["city"]) for row in points(address)] == [(-1000, "Rome"), (1000, "Oslo")]
    Influxdb(address).write(b"weather,city=Paris temp=9 2000\n")
    assert services.start("met-office", connection) == address
    (service,) = services._started.values()
    services.close()
    until(lambda: not is_running(service), "it stops")
    assert len(points(services.start("met-office", connection))) == 3

    services.close()
    until(lambda: not is_running(service), "it stops")
    file.write_text("weather temp=1\n")
    with pytest.raises(FatalError, match=r"weather.lp: point 1 has no time") as refusal:
        services.start("met-office", connection)
    assert refusal.value.code is Code.DEV_SERVICE


def test_one_of_another_version_does_not_stand_in(
    tmp_path: Path, services: DevServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin" / "influxd"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho 'InfluxDB v2.7.1 (git: 407fa622e9)'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")  # where no engine is
    with pytest.raises(FatalError) as caught:
        services.start("met-office", Connection(type="influxdb", dev={"image": "acme/influx:1"}))
    _, influxd, container, *hint = str(caught.value).splitlines()
    assert influxd == "    influxd: not of version 1: InfluxDB v2.7.1 (git: 407fa622e9)"
    assert container == "    a container of acme/influx:1: no container engine answers"
    assert "set WINDLASS_CONN_MET_OFFICE=influxdb://" in "".join(hint)
