"""A server of OpenSSH's of the tests' own, in which whoever has its key reads the files of this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from getpass import getuser
from pathlib import Path

from windlass.connections import Address
from windlass.ports import free_port, why_not_free

__all__ = ["SftpFolder", "SftpServer", "serving_sftp"]


@dataclass(frozen=True)
class SftpServer:
    port: int
    fingerprint: str
    folder: Path
    """With its keys and files: `own` is the key that it lets in, `known` knows it."""

    def address(self, folder: Path | str = "", **options: str) -> Address:
        """An address of it, with whatever it takes to log in, unless something else is said."""
        said = {"key_file": str(self.folder / "own"), "fingerprint": self.fingerprint, **options}
        said = {name: text for name, text in said.items() if text}
        place = str(folder).lstrip("/")
        return Address("sftp", "127.0.0.1", self.port, getuser(), "", place, said, "sftp", "the test")


@dataclass
class SftpFolder:
    """A folder that the server reads. Implements of `Bucket` what a source needs."""

    server: SftpServer
    folder: Path

    @property
    def address(self) -> Address:
        return self.server.address(self.folder)

    def put(self, key: str, data: bytes) -> None:
        file = self.folder / key
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)

    def get(self, key: str) -> bytes:
        return (self.folder / key).read_bytes()

    def path(self, key: str) -> str:
        """The path of a file, without a connection."""
        return f"sftp://{getuser()}@127.0.0.1:{self.server.port}{self.folder}/{key}"


@contextmanager
def serving_sftp(folder: Path) -> Iterator[SftpServer]:
    """It keeps its files in the folder."""
    from tests.conftest import missing  # which imports this module
    from tests.runner.conftest import eventually

    program = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin") or missing("sshd (openssh-server)")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # as its package has it made when the machine starts
    for key in ("host", "own", "other"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / key], check=True)
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "rsa", "-m", "PEM", "-N", "secret", "-f", folder / "locked"], check=True
    )
    allowed = "".join((folder / f"{key}.pub").read_text() for key in ("own", "locked"))
    (folder / "allowed").write_text(allowed)
    port = free_port()
    (folder / "known").write_text(f"[127.0.0.1]:{port} {(folder / 'host.pub').read_text()}")
    (folder / "unlike").write_text(f"[127.0.0.1]:{port} {(folder / 'other.pub').read_text()}")
    (folder / "sshd").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nPidFile none\nStrictModes no\nUsePAM no\n"
        f"AuthorizedKeysFile {folder}/allowed\nPermitRootLogin yes\nSubsystem sftp internal-sftp\nMaxStartups 100\n"
    )
    shown = subprocess.run(
        ["ssh-keygen", "-l", "-f", folder / "host.pub"], check=True, capture_output=True, text=True
    )
    server = subprocess.Popen([program, "-D", "-E", folder / "log", "-f", folder / "sshd"])
    try:
        eventually(lambda: why_not_free(port) is not None)
        yield SftpServer(port, shown.stdout.split()[1], folder)
    finally:
        server.terminate()
        server.wait()
