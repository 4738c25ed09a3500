"""The dev service of an HTTP API: a server of the files of a folder, or of recorded answers.

Either is a process of its own that prints its port: `python -m windlass.connectors.http.serving FOLDER`, or
`… .replaying PROJECT FILE`.
"""

from __future__ import annotations

import subprocess
import sys

from windlass import logs
from windlass.connections import Address
from windlass.devservices import DevService
from windlass.devservices.running import is_running, note_port, noted_port
from windlass.errors import Code, FatalError
from windlass.processes import last_words
from windlass.processes.launch import launch
from windlass.recordings import read_recording

__all__ = ["start"]

_left_running: list[subprocess.Popen[bytes]] = []
"""The launchers, which may outlive this process: Python warns of a process that nobody holds."""


def start(service: DevService) -> Address:
    """The address of the server; started unless it runs already. Raises FatalError without anything to serve."""
    if not is_running(service):
        port = _launch(service, _command(service))
        note_port(service, port)
        logs.info("dev_service_started", connection=service.name, type="http", port=port)
    return Address("http", "127.0.0.1", noted_port(service), scheme="http", origin="a dev service")


def _command(service: DevService) -> tuple[str, ...]:
    """What starts the server. Raises FatalError or SpecError when what it would serve is not there, or wrong."""
    serve, replay = service.options.serve, service.options.replay
    if serve is not None:
        if not (service.project / serve).is_dir():
            raise _refused(service, f": there is no folder {serve!r} to serve")
        return ("windlass.connectors.http.serving", str(service.project / serve))
    if replay is not None:
        read_recording(service.project, replay)
        return ("windlass.connectors.http.replaying", str(service.project), replay)
    hint = (
        "say which files to serve (`dev: {serve: folder}`) or what to answer (`dev: {replay: file.yaml}`), "
        f"or set WINDLASS_CONN_{service.name.upper()}"
    )
    raise _refused(service, " is not configured, and there is nothing to serve", hint)


def _refused(service: DevService, why: str, hint: str | None = None) -> FatalError:
    return FatalError(f"connection {service.name!r}{why}", hint=hint, code=Code.DEV_SERVICE)


def _launch(service: DevService, module: tuple[str, ...]) -> int:
    process = launch(
        (sys.executable, "-m", *module),
        service.users_lock,
        shared_by_users=True,
        alive=service.alive_lock,
        output=subprocess.PIPE,
    )
    assert process.stdout is not None
    line = process.stdout.readline().decode()
    if not line.strip().isdigit():
        said = last_words(line + process.stdout.read().decode(errors="replace"), process.wait())
        raise FatalError(f"the dev service of {service.name!r} did not start:{said}", code=Code.DEV_SERVICE)
    _left_running.append(process)
    return int(line)
