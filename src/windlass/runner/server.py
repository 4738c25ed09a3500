"""What runs for a `service` task: started, waited for until it says that it is ready, stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from windlass import logs
from windlass.errors import Code, FatalError, as_error
from windlass.plan.unit import Unit
from windlass.processes import how_it_ended
from windlass.runner.clock import Clock, SystemClock
from windlass.runner.network import Endpoint, Network
from windlass.runtimes import Execution
from windlass.runtimes.last_words import LastWords
from windlass.runtimes.lines import parse_line

__all__ = ["Server"]

_POLL = 0.1


@dataclass
class Server:
    """One service. `take` is told the records that it prints."""

    unit: Unit
    endpoint: Endpoint
    network: Network
    take: Callable[[list[logs.Record]], object]
    clock: Clock = field(default_factory=SystemClock)
    ended: Callable[[], None] = lambda: None
    """Called when it has ended, whoever ended it."""

    def __post_init__(self) -> None:
        self._execution: Execution | None = None
        self._failure: str | None = None
        self._stopping = threading.Event()
        self._ended = threading.Event()
        self._last_words = LastWords()

    @property
    def end(self) -> str:
        """How a service that has ended did so, in words."""
        if self._failure is not None or self._execution is None:
            return self._failure or "it was not started"
        code = self._execution.wait()
        return f"{how_it_ended(code)}{self._last_words.after(code)}"

    @property
    def was_stopped(self) -> bool:
        return self._stopping.is_set()

    @property
    def has_died(self) -> bool:
        """Whether it ended although nobody stopped it."""
        return self._ended.is_set() and not self._stopping.is_set()

    def start(self, start: Callable[[], Execution]) -> None:
        """Start it and wait until it is ready. Raises whatever keeps it from that, and then it does not run."""
        self._execution = start()
        if self._stopping.is_set():
            self._execution.stop()
        threading.Thread(target=self._follow, args=(self._execution,), daemon=True).start()
        try:
            self._wait_until_ready()
        except BaseException:
            self._give_up()
            raise

    def order_to_stop(self) -> None:
        """Have it stopped, even if it is only being started. Returns at once."""
        self._stopping.set()
        if self._execution is not None:
            self._execution.stop()

    def stop(self) -> None:
        """Stop it, and wait until it has ended."""
        self.order_to_stop()
        self.wait()

    def wait(self) -> None:
        """Wait until it has ended."""
        if self._execution is not None:
            self._ended.wait()

    def _give_up(self) -> None:
        if self._execution is not None:
            self._execution.stop()
            self._ended.wait()

    def _follow(self, execution: Execution) -> None:
        try:
            for lines in execution.output():
                records = [record for record in map(parse_line, lines) if record["event"] != "progress"]
                self.take(records)
                self._last_words.hear(records)
                for record in records:
                    if record["event"] == "failed":
                        self._failure = logs.mask(str(record.get("error")))
        except Exception as exc:  # noqa: BLE001 - nobody follows it any more, so it must not go on
            self._failure = str(as_error(exc))
            execution.stop()
        finally:
            execution.wait()
            self._ended.set()
            self.ended()

    def _wait_until_ready(self) -> None:
        deadline = self.clock.elapsed() + self.unit.ready_timeout
        while not self.network.is_ready(self.endpoint, self.unit.health):
            if self._ended.is_set():
                message = self._failure or f"the service ended before it was ready: {self.end}"
                raise FatalError(message, code=Code.SERVICE_NOT_READY)
            if self.clock.wait(self._stopping, _POLL):
                raise FatalError("the service was stopped before it was ready", code=Code.SERVICE_NOT_READY)
            if self.clock.elapsed() > deadline:
                what = self.unit.health or f"port {self.endpoint.port}"
                message = f"the service was not ready after {self.unit.ready_timeout:g} s ({what}){self._last_words}"
                raise FatalError(message, code=Code.SERVICE_NOT_READY)
