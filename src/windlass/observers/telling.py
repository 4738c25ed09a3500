"""Everybody who is asked for by the environment, told beside the display.

An observer sends what it has in the background, and in the end has little time for the rest: a collector that is away
slows no run, and fails none.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from windlass import logs
from windlass.observers import KINDS, is_observed
from windlass.runner.events import Observer, SilentObserver
from windlass.runner.observing import Observers

__all__ = ["Around", "Closable", "observed"]

_PATIENCE = 3.0


class Around(Struct, frozen=True):
    """Where a run happens."""

    project: Path
    workspace: Path


class Closable(Observer, Protocol):
    """An observer that may have something left to send."""

    def close(self) -> None:
        """Send it. Called once, at the end; whoever calls it does not wait for long."""


@contextmanager
def observed(around: Around, display: Observer | None = None) -> Iterator[Observer]:
    """The display, and with it everybody who is asked for by the environment."""
    display = display or SilentObserver()
    if not is_observed():
        yield display
        return
    others = dict(_observers(around))
    try:
        yield Observers(display, others)
    finally:
        _close(others)


def _observers(around: Around) -> Iterator[tuple[str, Closable]]:
    for name, kind in KINDS.items():
        if not kind.is_wanted(os.environ):
            continue
        try:
            observe: Callable[[Around], Closable] = import_module(kind.module).observe
            yield name, observe(around)
        except ImportError as exc:
            hint = f"install it with: pip install 'windlass[{kind.extra}]'"
            logs.warning("observer_missing", observer=name, error=str(exc), hint=hint)
        except Exception as exc:  # noqa: BLE001 - wrong settings of theirs, say; it must not become the run's
            logs.warning("observer_failed", observer=name, error=f"{type(exc).__name__}: {exc}")


def _close(others: Mapping[str, Closable]) -> None:
    """Let all of them send what they have left, at the same time; nobody is waited for any longer than that."""

    def close(name: str, other: Closable) -> None:
        try:
            other.close()
        except Exception as exc:  # noqa: BLE001 - it must not become the run's
            logs.warning("observer_failed", observer=name, error=f"{type(exc).__name__}: {exc}")

    threads = {
        name: threading.Thread(target=close, args=(name, other), daemon=True)
        for name, other in others.items()
    }
    until = time.monotonic() + float(os.environ.get("WINDLASS_OBSERVER_WAIT") or _PATIENCE)
    for thread in threads.values():
        thread.start()
    for name, thread in threads.items():
        thread.join(max(until - time.monotonic(), 0))
        if thread.is_alive():
            logs.warning("observer_too_slow", observer=name)
