"""A cluster as the tests ask for it: by kubectl, in a namespace of their own."""

from __future__ import annotations

import json
import shlex
import socket
import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

__all__ = ["Cluster", "Door"]

_PATIENCE = "400s"


@dataclass(frozen=True)
class Cluster:
    """One namespace of the cluster that a kubeconfig leads to."""

    kubeconfig: Path
    load: str
    """The command that brings an image of the engine here into the cluster; its name comes last."""

    namespace: str

    def __call__(self, *arguments: str, given: str | None = None) -> str:
        """What kubectl prints."""
        command = ["kubectl", f"--kubeconfig={self.kubeconfig}", f"--namespace={self.namespace}", *arguments]
        done = subprocess.run(command, check=False, input=given, capture_output=True, text=True, timeout=500)
        assert done.returncode == 0, f"{shlex.join(command)}: {done.stderr}"
        return done.stdout

    def json(self, *arguments: str) -> Any:
        return json.loads(self(*arguments, "--output=json"))

    def apply(self, files: Path) -> None:
        self("apply", "--kustomize", str(files))

    def secret(self, name: str, **keys: str) -> None:
        literals = [f"--from-literal={key}={value}" for key, value in keys.items()]
        self("create", "secret", "generic", name, *literals)

    def start(self, cron_job: str, job: str) -> None:
        """Start a Job by hand."""
        self("create", "job", f"--from=cronjob/{cron_job}", job)

    def until(self, condition: str, what: str) -> None:
        self("wait", f"--for={condition}", what, f"--timeout={_PATIENCE}")

    def ended(self, job: str) -> str:
        """Wait until a Job has ended; say how."""
        # whichever comes first: kubectl waits for one condition only, and for both in the order in which they come
        self(
            "wait",
            "--for=jsonpath={.status.conditions[-1:].status}=True",
            f"job/{job}",
            f"--timeout={_PATIENCE}",
        )
        conditions = self.json("get", "job", job)["status"]["conditions"]
        if any(condition["type"] in ("FailureTarget", "Failed") for condition in conditions):
            self.until("condition=Failed", f"job/{job}")
            return "Failed"
        self.until("condition=Complete", f"job/{job}")
        return "Complete"

    def until_ready(self) -> None:
        """Wait until the cluster answers and its node is ready, after one of its programs was started again."""
        for _ in range(600):
            with suppress(AssertionError):
                self("get", "--raw=/readyz")
                self("wait", "--for=condition=Ready", "nodes", "--all", f"--timeout={_PATIENCE}")
                return
            time.sleep(0.1)
        raise AssertionError("the cluster does not answer")

    def pods(self, job: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.json("get", "pods", f"--selector=job-name={job}")["items"]
        return found

    def first(self, kind: str, pipeline: str) -> str:
        """The first Job or Workflow that a schedule starts, as soon as there is one."""
        command = ["kubectl", f"--kubeconfig={self.kubeconfig}", f"--namespace={self.namespace}"]
        command += ["get", kind, f"--selector=app.kubernetes.io/name={pipeline}", "--watch", "--output=name"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watching:
            assert watching.stdout is not None
            stopping = threading.Timer(400, watching.kill)
            stopping.start()
            try:
                return watching.stdout.readline().strip().partition("/")[2]
            finally:
                stopping.cancel()
                watching.kill()

    def bring(self, image: str) -> None:
        """Bring an image of the engine here into the cluster."""
        command = [*shlex.split(self.load), image]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr


@dataclass
class Door:
    """Leads from an address of the node, which pods reach, to a port of this machine's loopback."""

    host: str
    to: int
    _listening: socket.socket = field(init=False)

    def __post_init__(self) -> None:
        self._listening = socket.create_server((self.host, 0))
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._listening.getsockname()[1])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                outside, _ = self._listening.accept()
                threading.Thread(target=self._lead, args=(outside,), daemon=True).start()

    def _lead(self, outside: socket.socket) -> None:
        with outside, suppress(OSError), socket.create_connection(("127.0.0.1", self.to)) as inside:
            back = threading.Thread(target=_carry, args=(inside, outside), daemon=True)
            back.start()
            _carry(outside, inside)
            back.join()


def _carry(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
