"""The dev service of an HTTP API: a server of the files of a folder, or of recorded answers.

Either is a process of its own that prints its port: `python -m windlass.connectors.http.serving FOLDER`, or
`… .replaying PROJECT FILE`.
"""

from __future__ import annotations

from windlass import logs
from windlass.connections import STAND_IN, Address
from windlass.devservices import DevService
from windlass.devservices.launching import launch_server
from windlass.devservices.running import is_running, noted_port
from windlass.errors import Code, FatalError
from windlass.recordings import read_recording

__all__ = ["start"]


def start(service: DevService) -> Address:
    """The address of the server; started unless it runs already. Raises FatalError without anything to serve."""
    if not is_running(service):
        port = launch_server(service, _command(service))
        logs.info("dev_service_started", connection=service.name, type="http", port=port)
    return Address("http", "127.0.0.1", noted_port(service), scheme="http", origin=STAND_IN)


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
