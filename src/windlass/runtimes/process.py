"""Units as processes of this machine.

A step can call `windlass`, such as to copy a file: the folder of the command that runs it stands at the
end of its PATH, behind the programs of the step's own environment and of the machine.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from windlass.errors import FatalError, reason_of
from windlass.plan.unit import Unit
from windlass.processes import Process
from windlass.runtimes import Execution, Site
from windlass.runtimes.environments import StepEnvironment, environment_for

__all__ = ["LOCK", "ProcessExecution", "ProcessRuntime", "launch", "own_command", "with_own_programs"]

LOCK = "WINDLASS_LOCK"  # the variable that says by whose lock a step lives, and so do its descendants
_GRACE = 10.0
_LAUNCHER = Path(__file__).with_name("launcher.py")

# What every process needs from its surroundings; everything else is said in the pipeline
_INHERITED = (
    "HOME",
    "LANG",
    "LC_ALL",
    "LOGNAME",
    "PATH",
    "SHELL",
    "SYSTEMROOT",
    "TERM",
    "TMPDIR",
    "TZ",
    "USER",
)
_INHERITED_PREFIXES = (
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "PIP_",
    "UV_",
)
_INHERITED_SUFFIXES = ("_CA_CERTS", "_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR", "_CERT")


class ProcessExecution:
    """A process under the launcher. Implements `Execution`."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._held = Process(process.pid)  # whoever stops it is another thread than the one that waits for it

    def lines(self) -> Iterator[str]:
        assert self._process.stdout is not None
        with self._process.stdout as output:
            for line in output:
                yield line.decode("utf-8", "replace").rstrip("\r\n")

    def stop(self) -> None:
        self._held.signal(signal.SIGTERM)

    def wait(self) -> int:
        return self._process.wait()


class ProcessRuntime:
    """Executes units on this machine: windlass itself by this installation, a step by its own environment.

    Implements `Runtime`.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._environments: dict[tuple[Path, str], StepEnvironment | None] = {}

    def prepare(self, unit: Unit) -> None:
        """Give a Python or Node.js step an environment of its own; any other command needs none."""
        if unit.own:
            return
        folder, program = self._folder(unit), unit.command[0]
        if not folder.is_dir():
            raise FatalError(f"there is no folder {folder} for the step")
        self._environments[folder, program] = environment_for(folder, program, self._site.environments)

    def start(self, unit: Unit, environment: Mapping[str, str]) -> Execution:
        given = {**environment, "WINDLASS_WORKSPACE": str(self._site.workspace), **unit.env}
        if unit.own:
            command = (*own_command(self._site.project), *unit.command[1:])
            return self._launched(command, {**os.environ, **given}, None)
        folder, command, variables = self._folder(unit), unit.command, dict[str, str]()
        own = self._environments.get((folder, command[0]))
        if own is not None:
            command, variables = (own.program(command[0]), *command[1:]), own.variables
        return self._launched(command, {**_inherited(os.environ), **variables, **given}, folder)

    def _folder(self, unit: Unit) -> Path:
        return self._site.project / (unit.build or "")

    def _launched(
        self, command: Sequence[str], environment: dict[str, str], folder: Path | None
    ) -> Execution:
        process = launch(
            command,
            self._site.wanted,
            folder=folder,
            environment=with_own_programs({**environment, LOCK: str(self._site.wanted)}),
            output=subprocess.PIPE,
        )
        return ProcessExecution(process)


def own_command(project: Path) -> tuple[str, ...]:
    """What starts windlass of this installation on a project."""
    return (sys.executable, "-m", "windlass", "-C", str(project))


def launch(
    command: Sequence[str],
    wanted: Path,
    *,
    shared_by_users: bool = False,
    alive: Path | None = None,
    stop_signal: str = "SIGTERM",
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    output: int | IO[bytes] | None = None,
    user: tuple[int, int] | None = None,
    inherited: tuple[int, ...] = (),
) -> subprocess.Popen[bytes]:
    """Start a command under the launcher; launcher.py says what the locks `wanted` and `alive` are for.

    `user` is a uid and gid to run the command as; the launcher keeps the files `inherited` open.
    """
    sharing = "exclusive" if shared_by_users else "shared"
    as_user = "-" if user is None else f"{user[0]}:{user[1]}"
    options = (str(wanted), sharing, str(alive or "-"), stop_signal, str(_GRACE), as_user, "--")
    try:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", str(_LAUNCHER), *options, *command],
            cwd=folder,
            env=dict(environment) if environment is not None else None,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=inherited,
        )
    except OSError as exc:  # above all a command or environment that is too long
        raise FatalError(f"cannot start {command[0]!r}: {reason_of(exc)}") from exc


def _inherited(environ: Mapping[str, str]) -> dict[str, str]:
    """The part of our environment that a step gets: none of our secrets, but what makes a network work."""
    return {
        name: value
        for name, value in environ.items()
        if name in _INHERITED or name.startswith(_INHERITED_PREFIXES) or name.endswith(_INHERITED_SUFFIXES)
    }


def with_own_programs(environment: dict[str, str]) -> dict[str, str]:
    """The environment, with the folder of `windlass` at the end of its PATH."""
    path = environment.get("PATH") or os.defpath
    return {**environment, "PATH": f"{path}{os.pathsep}{_own_programs()}"}


def _own_programs() -> Path:
    """The folder where the `windlass` command of this installation is."""
    schemes = (sysconfig.get_default_scheme(), sysconfig.get_preferred_scheme("user"))
    folders = [Path(sysconfig.get_path("scripts", scheme)) for scheme in schemes]
    return next((folder for folder in folders if (folder / "windlass").exists()), folders[0])
