"""Events in their order, in the background: the client waits for each answer, and tries again."""

from __future__ import annotations

import queue
import threading

from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import RunEvent

from windlass import logs
from windlass.observers.complaints import take_complaints

__all__ = ["Sender"]


class Sender:
    """A client that is configured by the environment, and a thread that calls it."""

    def __init__(self) -> None:
        take_complaints("openlineage")
        self._client = OpenLineageClient()
        self._is_away = False
        self._events: queue.SimpleQueue[RunEvent | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._send, name="openlineage", daemon=True)
        self._thread.start()

    def send(self, event: RunEvent) -> None:
        self._events.put(event)

    def close(self) -> None:
        """Wait until all is sent, unless the last event could not be."""
        self._events.put(None)
        if not self._is_away:
            self._thread.join()

    def _send(self) -> None:
        is_told = False
        while (event := self._events.get()) is not None:
            try:
                self._client.emit(event)
                self._is_away = False
            except Exception as exc:  # noqa: BLE001 - whatever the transport raises; the next may arrive
                self._is_away = True
                if not is_told:
                    error = f"{type(exc).__name__}: {exc}"
                    logs.warning("not_sent", observer="openlineage", error=error.partition("\n")[0])
                is_told = True
        self._client.close()
