"""Which runtime executes a unit: the one that the command line says, else its task, its pipeline, its project; else
containers where it is an image, and processes where it is not.

What runs in the project's own image, above all windlass itself, is a process of this machine wherever the runtime that
was said does not execute it (docs/adr/0046).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from threading import Lock

import msgspec
from msgspec.structs import replace

from windlass.plan.unit import Container, Unit
from windlass.registry import OF_IMAGES, OF_THIS_MACHINE, RUNTIMES
from windlass.runtimes import Execution, Runtime, RuntimeFactory, Site

__all__ = ["ChosenRuntimes", "check_runtimes"]


def check_runtimes(units: Iterable[Unit], said: str | None) -> None:
    """Raise WindlassError for a runtime that is not there, or cannot start the units that want it."""
    wanted: dict[str, list[Unit]] = {} if said is None else {said: []}
    for unit in units:
        wanted.setdefault(_name(unit, said), []).append(unit)
    for name, of_it in wanted.items():
        factory: RuntimeFactory = RUNTIMES.load(name)
        factory.check(of_it)


def _name(unit: Unit, said: str | None) -> str:
    return said or unit.runtime or (OF_IMAGES if unit.container.image is not None else OF_THIS_MACHINE)


class ChosenRuntimes:
    """The runtimes of one run, each made when a unit wants it. Implements `Runtime`."""

    def __init__(self, site: Site, said: str | None, containers: Container) -> None:
        self._site, self._said, self._containers = site, said, containers
        self._made: dict[str, Runtime] = {}
        self._making = Lock()

    def get_ready(self, units: Iterable[Unit]) -> None:
        """Make that of this machine at once where a unit wants it: it gets ready while the run is still being recorded."""
        if any(_name(unit, self._said) == OF_THIS_MACHINE for unit in units):
            self._runtime(OF_THIS_MACHINE)

    def executes(self, unit: Unit) -> bool:
        return True

    def prepare(self, unit: Unit) -> None:
        self._of(unit).prepare(self._whole(unit))

    def publish(self, service: str, unit: Unit) -> int | None:
        return self._of(unit).publish(service, self._whole(unit))

    def seen(self, unit: Unit, url: str) -> str:
        return self._of(unit).seen(self._whole(unit), url)

    def start(
        self, unit: Unit, environment: Mapping[str, str], *, task: str, port: int | None = None
    ) -> Execution:
        runtime, unit, proxy = self._of(unit), self._whole(unit), self._site.step_proxy
        if proxy is not None and not unit.own:
            unit = proxy.told(unit, runtime.seen(unit, proxy.url), environment)
        return runtime.start(unit, environment, task=task, port=port)

    def close(self) -> None:
        for runtime in self._made.values():
            runtime.close()

    def _of(self, unit: Unit) -> Runtime:
        runtime = self._runtime(_name(unit, self._said))
        return runtime if runtime.executes(unit) else self._runtime(OF_THIS_MACHINE)

    def _runtime(self, name: str) -> Runtime:
        with self._making:
            if name not in self._made:
                factory: RuntimeFactory = RUNTIMES.load(name)
                self._made[name] = factory(self._site)
            return self._made[name]

    def _whole(self, unit: Unit) -> Unit:
        """The unit, its container completed by what the project says of all. A process has none."""
        if self._of(unit) is self._made.get(OF_THIS_MACHINE):
            return unit
        own = msgspec.to_builtins(unit.container)
        said = {name: getattr(unit.container, name) for name in own}
        return replace(unit, container=replace(self._containers, **said))
