"""Starts launchers by forks of itself: of all commands of a run, one alone waits for Python to start. Standard library
only, and only on Linux.

    python -I -S forking.py LAUNCHER WANTED

Its stdin is a socket with the requests of `launchpad.py`, each a number of bytes and so much JSON, with a socket for the
answers and the file for what the command prints. A fork is what `python -I -S LAUNCHER …` (launcher.py) would be, in a
session of its own, with the folder and environment that it would have. It answers 0 when it begins, or why it cannot,
as the system's number for that; and once its command has ended, how. One byte to it means that the command shall end.

It has one thread, no lock and no secret of its own to hand on. It ends when nobody asks any more; what it has forked goes
on, and ends as any launcher does. WANTED is only there to show whose it is.
"""

from __future__ import annotations

import contextlib
import ctypes  # noqa: F401 - each launcher needs it, and has it from here
import errno
import gc
import json
import os
import select
import signal
import socket
import struct
import sys
import threading
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader

TYPE_CHECKING = False
if TYPE_CHECKING:  # each import takes a part of the time in which the first command of a run waits
    from types import ModuleType
    from typing import Any, NoReturn

NUMBER = struct.Struct("!i")


def main(launcher: str, _wanted: str) -> int:
    module = _imported(launcher)
    requests = socket.socket(fileno=os.dup(0))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    ended = _told_of_ends()
    gc.freeze()  # so that no collection of a fork copies what they share
    while True:
        ready, _, _ = select.select([requests.fileno(), ended], [], [])
        if ended in ready:
            os.read(ended, 1 << 16)
            _let_go()
        elif not _take(requests, module):
            _let_go()
            return 0


def _told_of_ends() -> int:
    """A file that can be read once a fork has ended."""
    ended, told = os.pipe()
    os.set_blocking(told, False)
    signal.set_wakeup_fd(told, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return ended


def _let_go() -> None:
    """Wait for the forks that have ended, which would stay as zombies."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _imported(file: str) -> ModuleType:
    """The launcher as a module, compiled beforehand where Python has done so."""
    spec = spec_from_loader("launcher", SourceFileLoader("launcher", file))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _take(requests: socket.socket, launcher: ModuleType) -> bool:
    """Fork for a request. Returns whether there was one."""
    size, files, _, _ = socket.recv_fds(requests, NUMBER.size, 2, socket.MSG_CMSG_CLOEXEC)
    if len(size) < NUMBER.size:
        return False
    (length,) = NUMBER.unpack(size)
    request = json.loads(requests.recv(length, socket.MSG_WAITALL))
    answers, output = socket.socket(fileno=files[0]), files[1]
    try:
        if os.fork() == 0:
            requests.close()
            _become(launcher, request, answers, output)
    except OSError as exc:  # too many processes
        answers.sendall(NUMBER.pack(exc.errno or errno.EAGAIN))
    answers.close()
    os.close(output)
    return True


def _become(launcher: ModuleType, request: dict[str, Any], answers: socket.socket, output: int) -> NoReturn:
    """Be what a launcher would be that was started by itself."""
    code = 1
    try:
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number in (1, 2):
            os.dup2(output, number)
        os.close(output)
        reason = _moved(request)
        answers.sendall(NUMBER.pack(reason))
        if reason == 0:
            stop = threading.Event()
            launcher.on_request(launcher.REQUESTS, stop.set)
            threading.Thread(target=_hear, args=(answers, stop), daemon=True).start()
            code = launcher.launched(stop, *request["arguments"])
            answers.sendall(NUMBER.pack(code))
    except BaseException:  # noqa: BLE001 - as the interpreter does
        import traceback

        with contextlib.suppress(OSError):
            traceback.print_exc()
            sys.stderr.flush()
    os._exit(code if code >= 0 else 128 - code)


def _moved(request: dict[str, Any]) -> int:
    """Be where the command shall be. Returns why that cannot be, in the system's numbers."""
    try:
        if request["folder"] is not None:
            os.chdir(request["folder"])
        of_python = os.environ.get("LC_CTYPE")
        os.environ.clear()
        os.environ.update(request["environment"])
        if of_python and not os.environ.get("LC_ALL") and _locale() in ("", "C", "POSIX"):
            os.environ["LC_CTYPE"] = of_python  # as every Python does for what it starts (PEP 538)
    except OSError as exc:
        return exc.errno or errno.EINVAL
    except ValueError:  # what no environment can have
        return errno.EINVAL
    return 0


def _locale() -> str:
    return os.environ.get("LC_CTYPE") or os.environ.get("LANG") or ""


def _hear(answers: socket.socket, stop: threading.Event) -> None:
    """Let the command end when somebody says so; when nobody is left who could, the lock says it."""
    with contextlib.suppress(OSError):
        if answers.recv(1):
            stop.set()


if __name__ == "__main__":
    os._exit(main(*sys.argv[1:]))
