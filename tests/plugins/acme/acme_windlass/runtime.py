"""A runtime that starts nothing: it says what it would start, and that all of it succeeds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from windlass.plan.unit import Unit
from windlass.runtimes import Execution, Site


class Rehearsal:
    """Implements `windlass.runtimes.Runtime`."""

    def __init__(self, site: Site) -> None:
        self._site = site

    @staticmethod
    def check(units: Iterable[Unit]) -> None:
        return

    def executes(self, unit: Unit) -> bool:
        return True

    def prepare(self, unit: Unit) -> None:
        return

    def publish(self, service: str, unit: Unit) -> int | None:
        return None

    def seen(self, unit: Unit, url: str) -> str:
        return url

    def close(self) -> None:
        return

    def start(
        self, unit: Unit, environment: Mapping[str, str], *, task: str, port: int | None = None
    ) -> Execution:
        where = unit.build or "the project"
        return Said(
            f"would start {' '.join(unit.command)} of {where} on {environment['WINDLASS_LOGICAL_DATE']}"
        )


@dataclass(frozen=True)
class Said:
    """What was said instead of done. Implements `windlass.runtimes.Execution`."""

    text: str

    def output(self) -> Iterator[Sequence[str]]:
        yield [self.text]

    def stop(self) -> None:
        return

    def wait(self) -> int:
        return 0
