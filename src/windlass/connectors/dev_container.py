"""The server of a dev service in a container, which lives as long as this process does.

`python -m windlass.connectors.dev_container NAME IMAGE ALIVE PORT INNER [VARIABLE=VALUE…]` starts the container NAME, whose
port INNER is reached at PORT of this machine's loopback, and prints what it prints. SIGTERM stops it. A container that a killed process has left is
removed by the next one of its name, and by whoever runs containers once nobody holds the lock ALIVE.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from windlass.errors import FatalError, WindlassError
from windlass.plan.unit import Container, Unit
from windlass.ports import LOOPBACK
from windlass.runtimes.docker.doors import Doors
from windlass.runtimes.docker.engine import Engine, engine_of, telling
from windlass.runtimes.docker.host_paths import sibling
from windlass.runtimes.docker.images import Images
from windlass.runtimes.docker.leftovers import MACHINE, WANTED, machine, remove

__all__ = ["require_image"]

_GRACE = 10  # seconds


def require_image(image: str, project: Path) -> None:
    """Have an engine on this machine, and the image in it. Raises WindlassError."""
    engine = engine_of()
    if not engine.is_here:
        raise FatalError(f"the engine is on another machine: {engine}")
    Images(engine, project).of(Unit(command=(), container=Container(image=image)))


def main(name: str, image: str, alive: str, port: str, inner: str, *environment: str) -> None:
    """Run the container until it ends or this process is asked to."""
    signal.signal(signal.SIGTERM, _end)
    engine, doors = engine_of(), Doors(engine_of())
    try:
        with telling(f"run a container of {image}"):
            remove(engine, name)
            _run(engine, doors, name, image, alive, int(port), int(inner), environment)
    except WindlassError as exc:
        sys.exit(str(exc))
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        doors.close()
        remove(engine, name)


def _run(
    engine: Engine,
    doors: Doors,
    name: str,
    image: str,
    alive: str,
    port: int,
    inner: int,
    environment: Sequence[str],
) -> None:
    client = engine.client
    host = client.create_host_config(port_bindings={inner: (LOOPBACK, port)})
    labels = {MACHINE: machine(), WANTED: alive}
    made = client.create_container(
        image, name=name, ports=[inner], host_config=host, labels=labels, environment=list(environment)
    )["Id"]
    said = client.output_of(made)
    client.start(made)
    if sibling(engine) is not None:  # the engine publishes nothing in the container that this is
        networks = client.inspect_container(made)["NetworkSettings"]["Networks"]
        doors.here(port, networks[engine.bridge]["IPAddress"], inner)
    try:
        for chunk in said:
            os.write(1, chunk)
    finally:
        client.stop(made, timeout=_GRACE - 2)  # the launcher waits no longer


def _end(*_: object) -> NoReturn:
    sys.exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
