"""The dev service of MongoDB, with a `mongod` or `ferretdb` that leads to the server of the tests."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from bson import ObjectId
from pymongo import MongoClient

from tests.faults.checker import until
from windlass.connections import Address
from windlass.devservices import DevServices
from windlass.devservices.running import is_running
from windlass.errors import FatalError
from windlass.plan.model import Connection

_PROGRAM = """#!{python}
# Leads a port of this machine to a server, in the place of what would be that server.
import asyncio, json, pathlib, sys
pathlib.Path({called!r}).write_text(json.dumps(sys.argv))
print("this is the log of the server", flush=True)
{first}
async def pump(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()
async def lead(reader, writer):
    there, out = await asyncio.open_connection({host!r}, {port})
    await asyncio.gather(pump(reader, out), pump(there, writer), return_exceptions=True)
async def main():
    port = int(sys.argv[-1].replace("=", ":").split(":")[-1])
    await (await asyncio.start_server(lead, "127.0.0.1", port)).serve_forever()
asyncio.run(main())
"""

Program = Callable[..., Path]


@pytest.fixture
def program(tmp_path: Path, mongodb_server: Address, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Puts a program into a folder that is all there is on the PATH; returns the file that has how it was called."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")  # where no engine is

    def make(name: str, first: str = "") -> Path:
        called = tmp_path / "called.json"
        text = _PROGRAM.format(
            python=sys.executable,
            called=str(called),
            first=first,
            host=mongodb_server.host,
            port=mongodb_server.port or 27017,
        )
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
        return called

    return make


@pytest.fixture
def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DevServices]:
    """Those of a project that is where we are."""
    monkeypatch.chdir(tmp_path)
    made = DevServices(Path("state"), Path())
    yield made
    made.close()


@pytest.fixture
def name(mongodb_server: Address) -> Iterator[str]:
    """A connection of a name that is nobody else's: it is that of its database."""
    made = f"shop-{uuid4().hex[:8]}"
    yield made
    with MongoClient[dict[str, Any]](mongodb_server.uri()) as client:
        client.drop_database(made.replace("-", "_"))


@pytest.mark.parametrize(
    ("server", "wanted"), [("mongod", "--bind_ip 127.0.0.1"), ("ferretdb", "--listen-addr=127.0.0.1:")]
)
def test_a_server_of_this_machine_stands_in_and_has_the_init_files(
    tmp_path: Path, program: Program, services: DevServices, name: str, server: str, wanted: str
) -> None:
    called = program(server)
    (tmp_path / "orders.ndjson").write_text(
        '{"_id": {"$oid": "65a1b2c3d4e5f60718293a4b"}, "n": 1}\n\n{"n": 2}\n'
    )
    connection = Connection(type="mongodb", dev={"init": ["orders.ndjson"]})
    address = services.start(name, connection)
    words = json.loads(called.read_text())
    assert (address.host, address.database) == ("127.0.0.1", name.replace("-", "_"))
    assert wanted in " ".join(words)
    assert words[-1].endswith(str(address.port))
    with MongoClient[dict[str, Any]](address.uri()) as client:
        orders = client[address.database].orders
        assert [found["n"] for found in orders.find().sort("n")] == [1, 2]
        assert orders.find_one({"_id": ObjectId("65a1b2c3d4e5f60718293a4b")}) is not None
        orders.insert_one({"n": 3})
        assert services.start(name, connection) == address
        assert orders.count_documents({}) == 3


def test_it_stops_when_nobody_uses_it_and_keeps_its_data(
    tmp_path: Path, program: Program, services: DevServices, name: str
) -> None:
    program("mongod")
    (tmp_path / "orders.ndjson").write_text('{"n": 1}\n')
    connection = Connection(type="mongodb", dev={"init": ["orders.ndjson"]})
    address = services.start(name, connection)
    with MongoClient[dict[str, Any]](address.uri()) as client:
        client[address.database].orders.insert_one({"n": 2})
    (service,) = services._started.values()
    services.close()
    until(lambda: not is_running(service), "it stops")
    address = services.start(name, connection)
    with MongoClient[dict[str, Any]](address.uri()) as client:
        assert client[address.database].orders.count_documents({}) == 2


@pytest.mark.parametrize(
    ("line", "said"), [('{"a": 1', "line 2 is not valid JSON"), ("[1]", "line 2 is not a document")]
)
def test_an_init_file_that_is_wrong_is_named_with_its_line(
    tmp_path: Path, program: Program, services: DevServices, name: str, line: str, said: str
) -> None:
    program("mongod")
    (tmp_path / "orders.ndjson").write_text(f"{{}}\n{line}\n")
    with pytest.raises(FatalError, match=f"orders.ndjson: {said}"):
        services.start(name, Connection(type="mongodb", dev={"init": ["orders.ndjson"]}))


def test_a_server_that_does_not_start_is_explained_by_its_log(
    program: Program, services: DevServices, name: str
) -> None:
    program("mongod", first="sys.exit('no space left')")
    with pytest.raises(
        FatalError, match="did not start:\n    this is the log of the server\n    no space left"
    ):
        services.start(name, Connection(type="mongodb"))


def test_without_any_server_what_speaks_against_each_way_is_told(
    program: Program, services: DevServices, name: str
) -> None:
    with pytest.raises(FatalError) as caught:
        services.start(name, Connection(type="mongodb", dev={"image": "acme/mongo:1"}))
    _, mongod, ferretdb, container, *hint = str(caught.value).splitlines()
    assert (mongod, ferretdb) == ("    mongod: not on the PATH", "    ferretdb: not on the PATH")
    assert container == "    a container of acme/mongo:1: no container engine answers"
    assert f"set WINDLASS_CONN_{name.upper().replace('-', '_')}=mongodb://" in "".join(hint)
