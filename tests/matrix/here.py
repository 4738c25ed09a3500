"""Ways that a command of windlass has on this machine."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from tests.matrix.place import Place
from tests.matrix.way import Way

__all__ = ["as_text", "by_runtime"]


@contextlib.contextmanager
def by_runtime(runtime: str) -> Iterator[Way]:
    def run(place: Place) -> None:
        if runtime != "process":
            place.done("build")
        options = ("--runtime", runtime, "--fired-at", place.tick, "--workspace", str(place.root))
        place.done("run", place.pipeline, *options)

    yield run


@contextlib.contextmanager
def as_text(target: str) -> Iterator[Way]:
    def run(place: Place) -> None:
        place.done("build")
        options = ("--as", target, "--fired-at", place.tick, "--workspace", str(place.root))
        place.done("run", place.pipeline, *options)

    yield run
