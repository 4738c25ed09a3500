"""Steps as local processes.

A step can call `windlass`, such as to copy a file: the folder of the command that runs it stands at the
end of its PATH, behind the programs of the step's own environment and of the machine.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO

from windlass.errors import FatalError, reason_of
from windlass.processes import Process
from windlass.runtimes import Execution, Step
from windlass.runtimes.environments import environment_for

__all__ = ["LOCK", "DetachedRuntime", "ProcessRuntime", "launch", "with_own_programs"]

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
    """Executes steps on this machine. Implements `Runtime`."""

    def __init__(self, environments: Path) -> None:
        self._environments = environments

    def prepare(self, step: Step) -> Step:
        """Give a Python or Node.js step an environment of its own; any other command stays as it is."""
        if step.folder is None:
            return step
        if not step.folder.is_dir():
            raise FatalError(f"there is no folder {step.folder} for the step")
        environment = environment_for(step.folder, step.command[0], self._environments)
        if environment is None:
            return step
        command = (environment.program(step.command[0]), *step.command[1:])
        return replace(step, command=command, environment={**environment.variables, **step.environment})

    def start(self, step: Step, lock: Path) -> Execution:
        process = launch(
            step.command,
            lock,
            folder=step.folder,
            environment=with_own_programs({**_inherited(os.environ), **step.environment, LOCK: str(lock)}),
            output=subprocess.PIPE,
        )
        return ProcessExecution(process)


class DetachedExecution:
    """A step that was started, and that nobody waits for. Implements `Execution`."""

    def lines(self) -> Iterator[str]:
        yield from ()

    def stop(self) -> None:
        """It goes on."""

    def wait(self) -> int:
        return 0


class DetachedRuntime:
    """Starts steps that outlive whoever starts them; what they print is beside the lock. Implements `Runtime`."""

    def prepare(self, step: Step) -> Step:
        return step

    def start(self, step: Step, lock: Path) -> Execution:
        wanted = lock.with_name(f"detached-{secrets.token_hex(4)}.lock")
        with wanted.open("w") as held, wanted.with_suffix(".log").open("wb") as output:
            fcntl.flock(held, fcntl.LOCK_EX)  # the launcher inherits it: it is wanted as long as it lives
            launch(
                step.command,
                wanted,
                folder=step.folder,
                environment=step.environment,
                output=output,
                inherited=(held.fileno(),),
            )
        return DetachedExecution()


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
