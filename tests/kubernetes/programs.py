"""The programs of a cluster whose node is this machine: killed, and started again as they were.

`WINDLASS_TEST_KUBERNETES_PIDS` says in which file the id of each process is, with `{}` for the name of the program:
`/run/k8s-{}.pid`. The names are those below.
"""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

__all__ = ["ARGO", "NODE", "PROGRAMS", "Programs"]

PROGRAMS = ("kubelet", "containerd", "controller-manager", "scheduler", "apiserver")
ARGO = "argo"
NODE = "node"
"""Not a program: the node as a whole loses its power."""

_POD = "/kubepods"  # in the name of the control group of every process of a pod
_PATIENCE = 60  # seconds that a process may take to be gone, or to be there again
_PAUSE = 1  # seconds between the end of a program and its next start, as an init would wait


class Programs:
    """The programs, kept up as an init keeps them: whatever ends is started again, also what gives up because another is away."""

    def __init__(self, files: str) -> None:
        named = {name: Path(files.format(name)) for name in (*PROGRAMS, ARGO)}
        self._kept = {name: _Kept.of(file) for name, file in named.items() if file.exists()}
        self._is_over = threading.Event()
        self._watching = [
            threading.Thread(target=kept.keep, args=(self._is_over,)) for kept in self._kept.values()
        ]

    @classmethod
    @contextmanager
    def kept_up(cls, files: str) -> Iterator[Self]:
        programs = cls(files)
        for thread in programs._watching:
            thread.start()
        try:
            yield programs
        finally:
            programs._is_over.set()
            for thread in programs._watching:
                thread.join()

    def restart(self, name: str) -> None:
        """Kill a program by SIGKILL, and wait until it is there again; or the node, with every container on it."""
        lost = ("kubelet", "containerd") if name == NODE else (name,)
        before = {one: self._kept[one].starts for one in lost}
        for one in lost:
            self._kept[one].kill()
        if name == NODE:
            for pid in _of_pods():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        for one, starts in before.items():
            self._kept[one].wait_for_start_after(starts)


@dataclass
class _Kept:
    """A program that is kept up."""

    file: Path
    """With the id of its process."""

    pid: int
    program: str
    arguments: list[str]
    environment: dict[str, str]
    output: str
    niceness: int
    starts: int = 0
    _started: threading.Condition = field(default_factory=threading.Condition)

    @classmethod
    def of(cls, file: Path) -> _Kept:
        """The program that runs, to be started as it was."""
        pid = int(file.read_text())
        process = Path(f"/proc/{pid}")
        environment = dict(one.split("=", 1) for one in _texts(process / "environ") if "=" in one)
        program, output = (str((process / link).readlink()) for link in ("exe", "fd/1"))
        niceness = os.getpriority(os.PRIO_PROCESS, pid)
        return cls(file, pid, program, _texts(process / "cmdline"), environment, output, niceness)

    def kill(self) -> None:
        with suppress(ProcessLookupError):  # one that has just given up, and is started again anyway
            os.kill(self.pid, signal.SIGKILL)

    def keep(self, is_over: threading.Event) -> None:
        """Start it again whenever it has ended, until all is over; what runs then goes on."""
        while not is_over.is_set():
            if self._has_ended() and not is_over.wait(_PAUSE):
                self._start()

    def wait_for_start_after(self, starts: int) -> None:
        with self._started:
            assert self._started.wait_for(lambda: self.starts > starts, _PATIENCE), f"{self.file} is away"

    def _has_ended(self) -> bool:
        """Whether it has, within a moment."""
        try:
            process = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return True
        try:
            ended, _, _ = select.select([process], [], [], 0.2)
        finally:
            os.close(process)
        return bool(ended)

    def _start(self) -> None:
        with suppress(ChildProcessError):  # one that was started here leaves something to collect
            os.waitpid(self.pid, 0)
        output = os.open(self.output, os.O_WRONLY | os.O_APPEND)
        empty = (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)
        streams = [(os.POSIX_SPAWN_DUP2, output, number) for number in (1, 2)]
        self.pid = os.posix_spawn(
            self.program, self.arguments, self.environment, file_actions=[empty, *streams], setsid=True
        )
        os.close(output)
        os.setpriority(os.PRIO_PROCESS, self.pid, self.niceness)  # not that of the tests
        self.file.write_text(f"{self.pid}\n")
        with self._started:
            self.starts += 1
            self._started.notify_all()


def _texts(file: Path) -> list[str]:
    return file.read_text().rstrip("\0").split("\0")


def _of_pods() -> Iterator[int]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(OSError):
                if _POD in (folder / "cgroup").read_text():
                    yield int(folder.name)
