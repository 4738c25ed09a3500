"""XML between two Postgres databases. The embedded server is built without libxml, so this needs an installed one:
on the PATH, or below /usr/lib/postgresql, as Debian has it."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

from tests.conftest import missing
from tests.connectors.database import Database
from windlass.connections import Address
from windlass.plan.model import Mode, SelectColumn
from windlass.ports import free_port
from windlass.testing import Copier, destination_of, source_of

VALUES = (
    "<a/>",
    "",
    "two <b>roots</b> <c x='1'/> and text",
    "<日本 é='ü'>🎉</日本>",
    "<a><![CDATA[ <not> & markup ]]></a><!-- a comment --><?target data?>",
    "<a>&lt;&amp;&#233;&#x1F389;</a>",
    "  <a>\n\t<b />\r\n</a>  ",
    '<?xml version="1.0"?><a/>',
    '<?xml version="1.0" standalone="yes"?><a/>',
    '<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>',
    "<a>" + "x" * 100_000 + "</a>",
)
_COPIED = "SELECT id, convert_to(x::text, 'UTF8') AS x, xs::text FROM {} ORDER BY id"


@pytest.fixture(scope="module")
def server() -> Iterator[Address]:
    """A server that was built with libxml."""
    programs = _programs()
    if programs is None:
        missing("a Postgres server beside the embedded one")
    folder = Path(tempfile.mkdtemp(prefix="windlass-xml-", dir="/var/tmp"))
    user = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None
    if user is not None:
        os.chown(folder, user, -1)
    data, port = folder / "data", free_port()
    initdb, postgres = str(programs / "initdb"), str(programs / "postgres")
    made = [initdb, "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"]
    subprocess.run(made, check=True, capture_output=True, user=user, cwd="/")
    started = [postgres, "-D", str(data), "-p", str(port), "-h", "127.0.0.1", "-k", "", "-F"]
    running = subprocess.Popen(started, user=user, cwd="/", stderr=subprocess.DEVNULL)
    try:
        address = Address("postgres", "127.0.0.1", port, "postgres", "any", "postgres")
        _wait_for_xml(Database(address))
        yield address
    finally:
        running.terminate()
        running.wait()
        shutil.rmtree(folder)


@pytest.fixture
def databases(server: Address) -> Iterator[tuple[Database, Database]]:
    """Two empty databases on it."""
    main = Database(server)
    for name in ("one", "two"):
        main.run(f"CREATE DATABASE {name}")
    yield Database(replace(server, database="one")), Database(replace(server, database="two"))
    for name in ("one", "two"):
        main.run(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def copied(databases: tuple[Database, Database], copier: Copier) -> Callable[..., Database]:
    """Copies the values, some of them also as an array, and returns where to."""
    source, target = databases
    rows = ", ".join(f"({n}, xmlparse(CONTENT {_literal(v)}))" for n, v in enumerate(VALUES))
    source.run(
        f"CREATE TABLE src (id int PRIMARY KEY, x xml, xs xml[]); INSERT INTO src (id, x) VALUES {rows}, (-1, NULL);"
        "UPDATE src SET xs = ARRAY[x, NULL, x] WHERE id < 9"
    )
    copier.addresses |= {"one": source.address, "two": target.address}

    def copy(mode: Mode, table: str = "") -> Database:
        if table:
            target.run(f"CREATE TABLE dst ({table})")
        key = ("id",) if mode == "merge" else ()
        copier(
            source_of(connection="one", table="src"),
            destination_of(connection="two", table="dst", mode=mode, key=key),
        )
        assert target.rows(_COPIED.format("dst")) == source.rows(_COPIED.format("src"))
        return target

    return copy


@pytest.mark.parametrize("mode", ["append", "replace", "merge"])
@pytest.mark.parametrize("table", ["", "id int PRIMARY KEY, x xml, xs xml[]"], ids=["new", "there"])
def test_xml_stays_as_it_was_written(mode: Mode, table: str, copied: Callable[..., Database]) -> None:
    target = copied(mode, table)
    kinds = target.rows("SELECT pg_typeof(x)::text, pg_typeof(xs)::text FROM dst LIMIT 1")
    assert kinds == [("xml", "xml[]")]


def test_xml_becomes_text_where_the_destination_has_text(copied: Callable[..., Database]) -> None:
    copied("append", "id int, x text, xs text")


def test_text_becomes_xml_and_what_is_none_is_quarantined(
    databases: tuple[Database, Database], copier: Copier
) -> None:
    source, target = databases
    source.run("CREATE TABLE src AS VALUES (1, '<a>1</a>'), (2, '<a>'), (3, 'a < b')")
    copier.addresses |= {"one": source.address, "two": target.address}
    target.run("CREATE TABLE dst (column1 int, column2 xml)")
    result = copier(
        source_of(connection="one", table="src"),
        destination_of(connection="two", table="dst", mode="append"),
        select=(
            SelectColumn(name="column1", source="column1"),
            SelectColumn(name="column2", source="column2"),
        ),
        on_bad_row="quarantine",
    )
    assert target.rows("SELECT column1, column2::text FROM dst") == [(1, "<a>1</a>")]
    assert result.counts.quarantined == 2


def _programs() -> Path | None:
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).resolve().parent
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return installed[-1].parent if installed else None


def _wait_for_xml(database: Database) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            database.value("SELECT xml '<a/>'::text")
        except asyncpg.FeatureNotSupportedError:
            pytest.skip("a Postgres server that was built with libxml is missing")
        except (OSError, asyncpg.PostgresError):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        else:
            return


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
