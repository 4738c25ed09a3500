"""The registry: connectors are found by type and by scheme, and nothing but their own folders names them."""

from __future__ import annotations

import re
from collections import Counter
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest
from msgspec.structs import replace

import windlass
from windlass import registry
from windlass.errors import FatalError
from windlass.registry import Connector

SOURCE = Path(windlass.__file__).parent
TOY = Connector(type="toy", form="url", schemes=("toy", "toys"), source="toy:open")


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A toy connector that a package brings. The list has what was scanned."""
    scanned: list[str] = []

    def entry_points(group: str) -> EntryPoints:
        scanned.append(group)
        return EntryPoints([EntryPoint("toy", f"{__name__}:TOY", group)])

    monkeypatch.setattr("importlib.metadata.entry_points", entry_points)
    return scanned


@pytest.fixture(autouse=True)
def _unscanned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "CONNECTORS", replace(registry.CONNECTORS))


def test_a_connector_of_a_package_is_one_like_others(installed: list[str]) -> None:
    assert registry.find("toy") == registry.by_scheme("toys") == TOY
    assert "toy" in registry.types()
    assert "toy" in [connector.type for connector in registry.all_connectors()]


def test_packages_are_not_looked_through_for_what_is_built_in(installed: list[str]) -> None:
    for connector in (registry.find("postgres"), registry.by_scheme("https"), registry.require("files")):
        assert connector is not None
    assert registry.by_scheme("postgresql+psycopg2") == registry.find("postgres")
    assert installed == []


def test_what_nobody_knows_is_told_with_what_is_known(installed: list[str]) -> None:
    assert (registry.find("db2"), registry.by_scheme("db2")) == (None, None)
    with pytest.raises(
        FatalError,
        match=r"no connector for 'db2'\n  hint: known: adbc, azure, bigquery, .*, toy, webhook; others come",
    ):
        registry.require("db2")


def test_an_entry_point_that_is_no_connector_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = "the connector 'toy' cannot be loaded from gone:X: No module named 'gone'"
    for value, said in (("gone:X", broken), ("os:sep", "what a package calls the connector 'toy' is '/'")):
        entries = EntryPoints([EntryPoint("toy", value, "windlass.connectors")])
        monkeypatch.setattr("importlib.metadata.entry_points", lambda group, found=entries: found)
        monkeypatch.setattr(registry, "CONNECTORS", replace(registry.CONNECTORS))
        with pytest.raises(FatalError, match=said):
            registry.find("toy")


def test_every_part_that_a_connector_names_is_there() -> None:
    for connector in registry.all_connectors():
        parts = [
            connector.source,
            connector.destination,
            connector.sql,
            connector.engine,
            connector.alert,
            connector.dev_service,
        ]
        for part in (*parts, *connector.shortcuts.values()):
            assert part is None or callable(registry.load(part)), part


def test_no_two_connectors_share_a_scheme() -> None:
    schemes = Counter(scheme for connector in registry.all_connectors() for scheme in connector.schemes)
    assert [scheme for scheme, count in schemes.items() if count > 1] == []


WORDS = ("files", "http")  # which mean other things, too
ALSO_NAMED_BY = {
    "s3": [
        "connectors/http/aws.py"
    ],  # a service of Amazon's, whose requests are signed in a way of their own
    "sqlite": ["testing/kits.py"],  # the other end of the copies of the conformance suite
}
ALLOWED = re.compile(r"^\s*(packages|extra)=.*$|extra\(.*$", re.MULTILINE)  # packages are called like that


@pytest.mark.parametrize("kind", [c.type for c in registry.all_connectors() if c.type not in WORDS])
def test_nothing_but_its_own_folder_and_the_registry_names_a_connector(kind: str) -> None:
    quoted = re.compile(rf"""["']{kind}["']""")
    named = [
        str(file.relative_to(SOURCE))
        for file in sorted(SOURCE.rglob("*.py"))
        if quoted.search(ALLOWED.sub("", file.read_text("utf-8")))
        and not file.is_relative_to(SOURCE / "connectors" / kind)
    ]
    assert named == sorted(["registry.py", *ALSO_NAMED_BY.get(kind, [])])
