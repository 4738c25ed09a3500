"""An engine that is reached by TLS, with authorities of its own, or by SSH: lines come as they are printed, not with the next;
and a folder that is another one there is no workspace.
"""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from getpass import getuser
from pathlib import Path

import pytest

from tests.conftest import PYTHON, missing, plain_environment
from tests.runner.conftest import eventually
from tests.warm import Warm
from windlass.ports import LOOPBACK, free_port, why_not_free
from windlass.runtimes.docker.engine import Engine
from windlass.runtimes.docker.probing import has_files_of, why_not_seen

Reached = dict[str, str]

# ends once it was heard that it has begun
PIPELINE = f"""
pipeline: p
tasks:
  a:
    run:
      image: {PYTHON}
      command: [python, -c, "import os, pathlib, time\\nos.write(1, b'began\\\\n')\\nwhile not pathlib.Path('/data/go').exists(): time.sleep(0.05)"]
"""


WRITES = f"pipeline: p\ntasks: {{a: {{run: {{image: {PYTHON}, command: [touch, /data/written]}}}}}}\n"


@pytest.mark.parametrize("way", ["tls", "ssh"])
def test_a_line_is_there_when_it_was_printed(
    way: str,
    engine: Engine,
    warm: Warm,
    project: Callable[..., Path],
    containers: Callable[[], list[str]],
    tmp_path: Path,
) -> None:
    if not engine.url.startswith("unix://"):
        pytest.skip("the engine has no socket here")
    root = project({"pipelines/p.yaml": PIPELINE})
    with {"tls": by_tls, "ssh": by_ssh}[way](engine.url.removeprefix("unix://"), tmp_path) as reached:
        running = warm.start("windlass", "run", "p", cwd=root, env={**plain_environment(), **reached})
        eventually(lambda: any("began" in log.read_text() for log in root.rglob("a.1.jsonl")))
        (root / "go").touch()
        done = running.wait(120)
    assert done.returncode == 0, done.stderr
    assert reached["DOCKER_HOST"] in done.stderr
    assert containers() == []


def test_a_folder_that_containers_have_is_seen(engine: Engine, tmp_path: Path) -> None:
    assert why_not_seen(engine, tmp_path) is None
    assert has_files_of(engine, tmp_path, PYTHON, {})
    assert list(tmp_path.iterdir()) == []


_ELSEWHERE = 'mount -t tmpfs none "$1" && cp -r "$2/." "$1" && exec "$3" -C "$1" run p'


def test_a_folder_that_is_another_one_there_is_no_workspace(
    engine: Engine, project: Callable[..., Path], tmp_path: Path
) -> None:
    """What windlass has at a path, the engine has not: as on another machine, on which that path is there, too."""
    shutil.which("unshare") or missing("unshare (util-linux)")
    if os.geteuid() != 0 or engine.is_podman or not engine.url.startswith("unix://"):
        pytest.skip("it takes root, and an engine whose address in its network is one of this machine")
    here = engine.client.inspect_network(engine.bridge)["IPAM"]["Config"][0]["Gateway"]
    root, there = project({"pipelines/p.yaml": WRITES}), tmp_path / "there"
    there.mkdir()
    windlass = Path(sys.executable).with_name("windlass")
    apart = ["unshare", "--mount", "sh", "-c", _ELSEWHERE, "sh", str(there), str(root), str(windlass)]
    with by_tls(engine.url.removeprefix("unix://"), tmp_path, here) as reached:
        env = {**plain_environment(), **reached}
        done = subprocess.run(apart, env=env, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 1, done.stderr
    assert f"have as {there} is another one" in done.stderr
    assert list(there.iterdir()) == []


# --- TLS -----------------------------------------------------------------------------------------------


@contextmanager
def by_tls(engine: str, folder: Path, host: str = LOOPBACK) -> Iterator[Reached]:
    """What ends TLS in front of the engine, and asks for a certificate; the environment names authorities of others."""
    made, others = certificates(folder / "certificates", host), certificates(folder / "others", host)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=made / "ca.pem")
    context.load_cert_chain(made / "cert.pem", made / "key.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    with socket.create_server((host, 0)) as server:
        threading.Thread(target=accept, args=(server, context, engine), daemon=True).start()
        yield {
            "DOCKER_HOST": f"tcp://{host}:{server.getsockname()[1]}",
            "DOCKER_TLS_VERIFY": "1",
            "DOCKER_CERT_PATH": str(made),
            "REQUESTS_CA_BUNDLE": str(others / "ca.pem"),
        }


def certificates(folder: Path, host: str) -> Path:
    """Files as Docker calls them, of an authority of their own."""
    folder.mkdir()

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, capture_output=True, check=True)

    new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl(
        "req", "-x509", *new, "-keyout", "ca-key.pem", "-out", "ca.pem", "-days", "2", "-subj", "/CN=ours"
    )
    openssl("req", *new, "-keyout", "key.pem", "-out", "asked.pem", "-subj", "/CN=engine")
    (folder / "names").write_text(f"subjectAltName=IP:{host}\n")
    by = ("-CA", "ca.pem", "-CAkey", "ca-key.pem", "-CAcreateserial", "-extfile", "names", "-days", "2")
    openssl("x509", "-req", "-in", "asked.pem", "-out", "cert.pem", *by)
    return folder


def accept(server: socket.socket, context: ssl.SSLContext, engine: str) -> None:
    with suppress(OSError):  # the test has ended
        while True:
            taken = server.accept()[0]
            threading.Thread(target=relay, args=(taken, context, engine), daemon=True).start()


def relay(taken: socket.socket, context: ssl.SSLContext, engine: str) -> None:
    with suppress(OSError), socket.socket(socket.AF_UNIX) as there:
        there.connect(engine)
        with context.wrap_socket(taken, server_side=True) as here:
            threading.Thread(target=hand_on, args=(here, there), daemon=True).start()
            hand_on(there, here)


def hand_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_RDWR)


# --- SSH -----------------------------------------------------------------------------------------------


@contextmanager
def by_ssh(engine: str, folder: Path) -> Iterator[Reached]:
    """A server of SSH of the test's own, and a command `ssh` that knows it. Whoever logs in finds the engine."""
    program = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin") or missing("sshd (openssh-server)")
    if shutil.which("docker") is None:
        missing("the docker command, which SSH has on the other side")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # as its package has it made when the machine starts
    port = free_port()
    configure(folder, engine, port)
    server = subprocess.Popen([program, "-D", "-E", folder / "log", "-f", folder / "sshd"])
    try:
        eventually(lambda: why_not_free(port) is not None)
        path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        yield {"DOCKER_HOST": f"ssh://{getuser()}@127.0.0.1:{port}", "PATH": path}
    finally:
        server.terminate()
        server.wait()


def configure(folder: Path, engine: str, port: int) -> None:
    for key in ("host", "own"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / key], check=True)
    known = (folder / "host.pub").read_text().split()[:2]
    (folder / "known").write_text(f"[127.0.0.1]:{port} {' '.join(known)}\n")
    (folder / "sshd").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nPidFile none\nAuthorizedKeysFile {folder}/own.pub\n"
        f"StrictModes no\nUsePAM no\nSetEnv DOCKER_HOST=unix://{engine} PATH={os.environ['PATH']}\n"
    )
    command = folder / "bin" / "ssh"
    command.parent.mkdir()
    options = f"-F /dev/null -o IdentitiesOnly=yes -i {folder}/own -o UserKnownHostsFile={folder}/known"
    command.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} {options} "$@"\n')
    command.chmod(0o755)
