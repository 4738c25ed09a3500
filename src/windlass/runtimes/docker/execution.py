"""A container that runs: its output as it comes, its end, and nothing left of it."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import IO, Any, cast

from windlass.errors import Code, RetryableError
from windlass.runtimes.docker.engine import Engine, telling
from windlass.runtimes.docker.leftovers import remove
from windlass.runtimes.splitting import batches_of
from windlass.units import size

__all__ = ["ContainerExecution", "no_program"]

_GRACE = 10
_AWAY = 60.0  # seconds that an engine may take to start again
_CANNOT_START = (126, 127)  # what a shell, and the small init of a container, say of a program


class ContainerExecution:
    """A container that was started. Implements `Execution`."""

    def __init__(
        self,
        engine: Engine,
        container: str,
        said: Iterator[bytes],
        *,
        program: str | None,
        memory: int | None,
        gone: Callable[[], None],
    ) -> None:
        self._engine, self._container, self._said = engine, container, said
        self._program, self._memory, self._gone = program, memory, gone
        self._ending = threading.Lock()
        self._end: tuple[int, bool] | RetryableError | None = None
        self._engine_was_away = False

    def output(self) -> Iterator[Sequence[str]]:
        last: Sequence[str] = ()
        for lines in batches_of(cast("IO[bytes]", _Stream(self._said))):
            last = lines
            yield lines
        self._ended()
        if self._engine_was_away:
            yield [json.dumps({"event": "output_lost", "level": "warning", "because": "the engine was away"})]
        if (failure := self._failure(last)) is not None:
            yield [json.dumps({"event": "failed", "level": "error", **failure})]

    def stop(self) -> None:
        threading.Thread(target=self._stop, daemon=True).start()

    def wait(self) -> int:
        return self._ended()[0]

    def _stop(self) -> None:
        with suppress(Exception):  # it has ended, or whoever waits for it is told
            self._engine.client.stop(self._container, timeout=_GRACE)

    def _failure(self, last: Sequence[str]) -> dict[str, Any] | None:
        """What the exit code of the container does not say by itself."""
        code, out_of_memory = self._ended()
        if code and out_of_memory:
            limit = f": it wanted more than {size(self._memory)}" if self._memory else ""
            hint = "" if self._memory is None else "; `resources` says what it may use"
            error = f"killed, out of memory{limit}{hint}"
            return {"error": error, "code": Code.OUT_OF_MEMORY, "retryable": False}
        if code in _CANNOT_START and last and last[-1].startswith("[FATAL tini"):
            return {"error": no_program(self._program), "code": Code.NO_PROGRAM, "retryable": False}
        return None

    def _ended(self) -> tuple[int, bool]:
        """Its exit code, and whether it took too much memory, once it has ended; then nothing of it is left."""
        with self._ending:
            if self._end is None:
                self._end = self._awaited()
                self._gone()
        if isinstance(self._end, RetryableError):
            raise self._end
        return self._end

    def _awaited(self) -> tuple[int, bool] | RetryableError:
        deadline = time.monotonic() + _AWAY
        while True:
            try:
                return self._state()
            except RetryableError as exc:  # the engine may only be starting again
                self._engine_was_away = True
                if time.monotonic() > deadline:
                    return exc
                time.sleep(1)

    def _state(self) -> tuple[int, bool]:
        from docker.errors import NotFound

        client = self._engine.client
        with telling("follow the container"):
            try:
                client.wait(self._container, timeout=None)
                state = client.inspect_container(self._container)["State"]
                remove(self._engine, self._container)
            except NotFound:  # somebody has removed it while it ran
                return -signal.SIGKILL, False
        return _code(state["ExitCode"]), bool(state.get("OOMKilled"))


def _code(status: int) -> int:
    """What `subprocess` says of an end that a container engine says as a shell does: minus the signal."""
    return 128 - status if status - 128 in signal.valid_signals() else status


def no_program(name: str | None) -> str:
    return f"there is no program {name!r} in the image"


class _Stream:
    """What the engine sends of a container's output, to be read as of a pipe."""

    def __init__(self, said: Iterator[bytes]) -> None:
        self._said, self._rest = said, b""

    def read1(self, most: int) -> bytes:
        with suppress(Exception):  # the engine is gone: what became of the container is asked later
            while not self._rest:
                self._rest = next(self._said)
        taken, self._rest = self._rest[:most], self._rest[most:]
        return taken
