"""Commands without their start: a process that has imported everything forks once for each of them.

What runs is `python -m MODULE ARGUMENTS…` in a process of its own, with the folder, environment and exit code that it
would have; only its imports are done already. Where the start itself, a signal or what `/proc` says of a process is
the point, a test starts a process as usual.

`python -m tests.warm MODULE…` is the process that forks. Its stdin is a socket with the requests.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import runpy
import signal
import socket
import struct
import subprocess
import sys
import threading
import traceback
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, NoReturn

_ROOT = Path(__file__).parents[1]
_DRIVERS = ("asyncpg", "duckdb", "jsonschema_rs", "numpy", "pyarrow.parquet", "uvloop")
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "JE_ARROW_MALLOC_CONF": "background_thread:false"}
_READ_THE_ENVIRONMENT = ("windlass.failpoints",)  # when they are imported
_FOR_PYTHON_ITSELF = ("PYTHON", "LC_", "LANG")  # read when it starts: too late for a fork
_NUMBER = struct.Struct("!i")


class Warm:
    """Starts commands by forking a process that has imported these modules."""

    def __init__(self, *modules: str, env: dict[str, str] | None = None) -> None:
        self._env = {**os.environ, **(env or {})}
        self._sending = threading.Lock()
        self._requests, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-m", "tests.warm", *modules]
            started = {**self._env, **_ONE_THREAD}
            self._process = subprocess.Popen(command, cwd=_ROOT, env=started, stdin=theirs.fileno())

    def run(
        self, module: str, *arguments: str, cwd: Path, env: dict[str, str], timeout: float
    ) -> subprocess.CompletedProcess[str]:
        """Run `python -m module` and wait for its end."""
        if any(name.startswith(_FOR_PYTHON_ITSELF) and self._env.get(name) != env[name] for name in env):
            command = [sys.executable, "-m", module, *arguments]
            return subprocess.run(
                command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=timeout
            )
        return self.start(module, *arguments, cwd=cwd, env=env).wait(timeout)

    def start(self, module: str, *arguments: str, cwd: Path, env: dict[str, str]) -> Started:
        """Start `python -m module`."""
        request = json.dumps({"module": module, "arguments": arguments, "cwd": str(cwd), "env": env}).encode()
        ours, theirs = socket.socketpair()
        out, err = TemporaryFile(), TemporaryFile()  # noqa: SIM115 - closed when the command has ended
        with theirs, self._sending:
            fds = [theirs.fileno(), out.fileno(), err.fileno()]
            socket.send_fds(self._requests, [_NUMBER.pack(len(request))], fds)
            self._requests.sendall(request)
        return Started(ours, out, err)

    def close(self) -> None:
        """End the process that forks. What it has forked goes on."""
        self._requests.close()
        self._process.wait()


class Started:
    """A command that is running."""

    def __init__(self, answers: socket.socket, out: IO[bytes], err: IO[bytes]) -> None:
        self._answers, self._outputs = answers, (out, err)
        self.pid = _received(answers)

    def has_ended(self) -> bool:
        try:
            self._answers.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        return True

    def send_signal(self, number: signal.Signals) -> None:
        """Signal it, unless it has ended."""
        if not self.has_ended():
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def wait(self, timeout: float) -> subprocess.CompletedProcess[str]:
        """How it has ended, and what it has printed. It is killed when it takes too long."""
        self._answers.settimeout(timeout)
        try:
            with self._answers:
                code = _received(self._answers)
        except TimeoutError:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            raise
        return subprocess.CompletedProcess([], code, *map(_text, self._outputs))


def _received(answers: socket.socket) -> int:
    (number,) = _NUMBER.unpack(answers.recv(_NUMBER.size, socket.MSG_WAITALL))
    return int(number)


def _text(file: IO[bytes]) -> str:
    with file:
        return os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0).decode()


def modules_of_windlass() -> list[str]:
    """All that any command may import."""
    source = _ROOT / "src"
    files = [file.relative_to(source).with_suffix("") for file in sorted(source.rglob("*.py"))]
    own = [
        ".".join(file.parts).removesuffix(".__init__")
        for file in files
        if not {"loader", "launcher", "__main__"} & {*file.parts}
    ]
    return [*own, *_DRIVERS]


# --- the process that forks -------------------------------------------------------------------------


def main(*modules: str) -> None:
    """Import the modules, then fork for each request until nobody is there to ask."""
    requests = socket.socket(fileno=os.dup(0))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for module in modules:
        importlib.import_module(module)
    _must_have_one_thread()
    gc.collect()
    gc.freeze()  # so that no collection of a fork copies what they share
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that wait
    while True:
        size, fds, _, _ = socket.recv_fds(requests, _NUMBER.size, 3)
        if not size:
            os._exit(0)
        (length,) = _NUMBER.unpack(size)
        request = json.loads(requests.recv(length, socket.MSG_WAITALL))
        if os.fork() == 0:
            _look_after(request, *fds)
        for fd in fds:
            os.close(fd)


def _must_have_one_thread() -> None:
    """A fork has none of the threads of its parent, but the locks that they hold."""
    threads = Path("/proc/self/task")
    if threads.exists() and len(list(threads.iterdir())) > 1:
        raise RuntimeError("an import has started a thread: commands cannot be forked after it")


def _look_after(request: dict[str, Any], answers: int, out: int, err: int) -> NoReturn:
    """Fork the command, and say which process it is and how it has ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if (pid := os.fork()) == 0:
        os.close(answers)
        _become(request, out, err)
    with suppress(BrokenPipeError):  # nobody waits any more
        os.write(answers, _NUMBER.pack(pid))
        _, status = os.waitpid(pid, 0)
        os.write(answers, _NUMBER.pack(os.waitstatus_to_exitcode(status)))
    os._exit(0)


def _become(request: dict[str, Any], out: int, err: int) -> NoReturn:
    """Be what `python -m` would be."""
    os.dup2(out, 1)
    os.dup2(err, 2)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    for module in set(_READ_THE_ENVIRONMENT) & sys.modules.keys():
        importlib.reload(sys.modules[module])
    sys.path[0] = request["cwd"]
    sys.argv = [request["module"], *request["arguments"]]
    code = 0
    try:
        runpy.run_module(request["module"], run_name="__main__", alter_sys=True)
    except SystemExit as exc:
        code = exc.code if isinstance(exc.code, int) else int(exc.code is not None)
    except BaseException:  # noqa: BLE001 - as the interpreter does
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main(*sys.argv[1:])
