"""The dev service of MongoDB as a container: it is reached, stops with its users, and is removed where it was left."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pymongo import MongoClient

from tests.conftest import PYTHON
from tests.faults.checker import until
from windlass.connections import Address
from windlass.devservices import DevServices
from windlass.devservices.running import has_launcher
from windlass.errors import FatalError
from windlass.plan.model import Connection
from windlass.runtimes.docker.doors import Doors
from windlass.runtimes.docker.engine import Engine

_LEAD = """
import asyncio, signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # as a server does
async def pump(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()
async def lead(reader, writer):
    there, out = await asyncio.open_connection(sys.argv[1], int(sys.argv[2]))
    await asyncio.gather(pump(reader, out), pump(there, writer), return_exceptions=True)
async def main():
    await (await asyncio.start_server(lead, "", 27017)).serve_forever()
print("this is the log of the server", flush=True)
asyncio.run(main())
"""


@pytest.fixture
def image(engine: Engine, mongodb_server: Address) -> Iterator[str]:
    """An image whose containers lead to the server of the tests, as if they were one."""
    doors = Doors(engine)
    host, port = doors.to(mongodb_server.port or 27017, engine.bridge)
    if not engine.is_podman:  # whose name for this machine is known to containers alone
        with socket.create_connection((host, port)):  # what containers see is seen here
            pass
    made = engine.client.create_container(PYTHON, ["python", "-c", _LEAD, host, str(port)])["Id"]
    name = f"windlass-test/mongo:{uuid4().hex[:8]}"
    engine.client.commit(made, *name.split(":"), conf={"Cmd": ["python", "-c", _LEAD, host, str(port)]})
    engine.client.remove_container(made)
    yield name
    engine.client.remove_image(name, force=True)
    doors.close()


def test_a_container_stands_in_and_goes_with_its_users(
    tmp_path: Path, engine: Engine, image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # there is neither mongod nor ferretdb
    connection = Connection(type="mongodb", dev={"image": image, "init": ["orders.ndjson"]})
    (tmp_path / "orders.ndjson").write_text('{"n": 1}\n')
    name = f"shop-{uuid4().hex[:8]}"

    made_of = engine.client.inspect_image(image)["Id"]

    def containers() -> list[dict[str, Any]]:
        return [each for each in engine.client.containers(all=True) if each["ImageID"] == made_of]

    services = DevServices(tmp_path / "state", tmp_path)
    address = services.start(name, connection)
    (service,) = services._started.values()
    with MongoClient[dict[str, Any]](address.uri()) as client:
        assert [found["n"] for found in client[address.database].orders.find()] == [1]
        (running,) = containers()
        services.close()
        until(lambda: not has_launcher(service), "it stops")
        assert containers() == []
        # one that a killed process has left is in nobody's way
        left = engine.client.create_container(image, name=running["Names"][0].lstrip("/"))["Id"]
        address = services.start(name, connection)
        assert [each["Id"] for each in containers()] != [left]
        services.close()
        until(lambda: not has_launcher(service), "it stops")
    assert containers() == []
    with pytest.raises(FatalError, match="a container of acme/absent:1: cannot pull acme/absent:1"):
        services.start("other", Connection(type="mongodb", dev={"image": "acme/absent:1"}))
    services.close()
