"""Tables of names: ours, and those of other packages."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable

import pytest

from windlass.errors import UsageError
from windlass.plugins import Table

OWN = {"path": "pathlib:Path"}


def table_with(monkeypatch: pytest.MonkeyPatch, **others: str) -> Table[object]:
    entries = [importlib.metadata.EntryPoint(name, value, "acme.things") for name, value in others.items()]

    def entry_points(*, group: str) -> list[importlib.metadata.EntryPoint]:
        return [entry for entry in entries if entry.group == group]

    monkeypatch.setattr("importlib.metadata.entry_points", entry_points)
    return Table("thing", "acme.things", OWN)


def test_a_name_of_ours_is_found_without_looking_through_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    def looked(**_: object) -> None:
        raise AssertionError

    table = table_with(monkeypatch)
    monkeypatch.setattr("importlib.metadata.entry_points", looked)
    assert table.load("path").__name__ == "Path"  # type: ignore[attr-defined]


def test_packages_bring_names_and_take_none_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    table = table_with(monkeypatch, path="json:loads", dumps="json:dumps", other="json:loads")
    assert table.names() == ["path", "dumps", "other"]
    dumps = table.load("dumps")
    assert isinstance(dumps, Callable)  # type: ignore[arg-type]
    assert table.load("path").__name__ == "Path"  # type: ignore[attr-defined]


def test_an_unknown_name_is_told_with_those_that_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="there is no thing 'dunps'") as caught:
        table_with(monkeypatch, dumps="json:dumps").load("dunps")
    assert caught.value.hint == "did you mean 'dumps'?"
