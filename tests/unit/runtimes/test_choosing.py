"""Which runtime a unit gets."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from windlass.errors import UsageError
from windlass.plan.unit import Container, Unit
from windlass.registry import RUNTIMES
from windlass.runtimes import Site
from windlass.runtimes.choosing import ChosenRuntimes, check_runtimes

OWN = Unit(own=True, command=("windlass", "exec", "p", "a"))
PLAIN = Unit(command=("date",))
BUILT = Unit(command=(), build="steps/a")
IMAGE = Unit(command=(), container=Container(image="a", cpus=2.0))


class Fake:
    """A runtime that says what it is asked to do; `docker` executes no unit of windlass' own."""

    def __init__(self, name: str, said: list[tuple[str, Unit]]) -> None:
        self.name, self.said = name, said

    def __call__(self, _: Site) -> Fake:
        return self

    def check(self, units: Iterable[Unit]) -> None:
        self.said += [(self.name, unit) for unit in units]

    def executes(self, unit: Unit) -> bool:
        return self.name != "docker" or not unit.own

    def prepare(self, unit: Unit) -> None:
        self.said.append((self.name, unit))


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Unit]]:
    found: list[tuple[str, Unit]] = []
    fakes = {name: Fake(name, found) for name in ("process", "docker", "other")}
    monkeypatch.setattr(type(RUNTIMES), "load", lambda _, name: fakes[name])
    return found


def site(folder: Path) -> Site:
    return Site(project=folder, workspace=folder, environments=folder, wanted=folder / "lock")


def by(runtime: str, unit: Unit) -> Unit:
    return replace(unit, runtime=runtime)


CHOICES: list[tuple[str | None, Unit, str]] = [
    (None, OWN, "process"),
    (None, PLAIN, "process"),
    (None, BUILT, "process"),
    (None, IMAGE, "docker"),
    (None, by("docker", BUILT), "docker"),
    (None, by("process", IMAGE), "process"),
    ("docker", BUILT, "docker"),
    ("docker", OWN, "process"),
    ("process", by("docker", BUILT), "process"),
    ("other", OWN, "other"),
    ("other", by("docker", IMAGE), "other"),
]


def test_the_command_line_decides_then_the_unit_then_what_it_is(said: list[Any], tmp_path: Path) -> None:
    for option, unit, _ in CHOICES:
        ChosenRuntimes(site(tmp_path), option, Container()).prepare(unit)
    assert [name for name, _ in said] == [name for _, _, name in CHOICES]


def test_what_a_unit_does_not_say_of_its_container_its_project_does(said: list[Any], tmp_path: Path) -> None:
    project = Container(cpus=1.0, memory=5, network="etl", user="1:1")
    ChosenRuntimes(site(tmp_path), None, project).prepare(IMAGE)
    ((_, unit),) = said
    assert unit.container == Container(image="a", cpus=2.0, memory=5, network="etl", user="1:1")


def test_each_runtime_is_asked_beforehand_about_the_units_that_want_it(said: list[Any]) -> None:
    check_runtimes([OWN, IMAGE, by("other", BUILT)], None)
    assert said == [("process", OWN), ("docker", IMAGE), ("other", by("other", BUILT))]


def test_a_runtime_that_is_not_there_is_told_before_anything_is_started() -> None:
    with pytest.raises(UsageError, match="there is no runtime 'dokcer'"):
        check_runtimes([by("dokcer", BUILT)], None)
