"""The machines of a Spark cluster, for the pieces of a copy.

Each piece is a task of one job. Spark hands them out, does them again where a machine is lost, and does a slow one twice
if it is asked to (speculation). What a task does is windlass itself, in the Python of the machine.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from windlass import logs
from windlass.connections import Address
from windlass.connectors.spark.session import open_session, session_errors
from windlass.connectors.workers import ThisProcess, Workers
from windlass.errors import FatalError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["SparkWorkers", "open_workers"]

_NAMES = uuid.UUID("6f1b3f0e-4d0c-5d1a-9a53-1f0c9d0f5f3e")
_ARCHIVE = "environment"


def open_workers(address: Address, name: str) -> Workers:
    """The machines of a cluster; where a dev service stands in for it, this process."""
    return SparkWorkers(address, name) if address.host else ThisProcess()


class SparkWorkers:
    """A session on a cluster. Implements `Workers`."""

    def __init__(self, address: Address, name: str) -> None:
        """`name` is that of the load: another start of it finds the session of the one before, and stops what that does."""
        self._address = address
        self._session = _session(address, str(uuid.uuid5(_NAMES, name)))
        with session_errors(address):
            self._session.interruptAll()
            self._prepare(address.settings.get("python"), address.settings.get("environment"))

    def each(self, work: Callable[[int], str], count: int) -> Iterator[str]:
        """See `Workers`."""
        with session_errors(self._address):
            pieces = self._session.range(0, count, 1, count)
            results, is_done = pieces.mapInArrow(_Each(work), "result string"), False
            try:
                for row in results.toLocalIterator():
                    yield row["result"]
                is_done = True
            finally:
                if not is_done:  # else the machines would go on with what nobody waits for
                    with suppress(Exception):
                        self._session.interruptAll()

    def close(self) -> None:
        with suppress(Exception):  # a session that is left is forgotten by the server after an hour
            self._session.stop()

    def _prepare(self, python: str | None, environment: str | None) -> None:
        """Let Spark start the Python that has windlass."""
        if environment is not None:
            if not Path(environment).is_file():
                raise FatalError(f"`environment` of the connection: there is no file {environment!r}")
            self._session.addArtifacts(f"{environment}#{_ARCHIVE}", archive=True)
        if python is not None:
            self._session.conf.set("spark.sql.execution.pyspark.python", python)


def _session(address: Address, wanted: str) -> Any:
    """The session of that id; another one where that was closed, for its id cannot be had again."""
    from pyspark.errors import PySparkException

    try:
        return open_session(address, wanted)
    except Exception as exc:
        cause = exc.__cause__
        if not isinstance(cause, PySparkException) or "SESSION_CLOSED" not in str(cause):
            raise
        logs.debug("session_is_closed", session=wanted)
        return open_session(address)


class _Each:
    """What a task does with the numbers that it is given: pickled by the name of its class, not by its code."""

    def __init__(self, work: Callable[[int], str]) -> None:
        self._work = work

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        for batch in batches:
            for number in batch.column(0).to_pylist():
                yield pa.RecordBatch.from_pydict({"result": [self._work(number)]})
