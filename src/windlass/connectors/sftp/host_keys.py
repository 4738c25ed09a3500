"""Whether a server is the one that is meant: by the fingerprint of its key, or by files of known hosts."""

from __future__ import annotations

import hashlib
from base64 import b64decode, b64encode
from binascii import Error
from pathlib import Path
from typing import Any

from windlass.connections import Address
from windlass.errors import Code, FatalError

__all__ = ["require_known"]

_KNOWN = ("/etc/ssh/ssh_known_hosts", "~/.ssh/known_hosts")


def require_known(client: Any, address: Address) -> None:
    """Have the client connect only to a server whose key is the one that the address says, or else that is known. Raises FatalError."""
    said = _said(address)
    if said is None:
        for file in [address.options["known_hosts"]] if "known_hosts" in address.options else _KNOWN:
            _load(client, Path(file).expanduser(), is_said=file not in _KNOWN)
    client.set_missing_host_key_policy(_Only(said))


def _said(address: Address) -> str | None:
    """The fingerprint that the address says; None where it says none."""
    if fingerprint := address.options.get("fingerprint"):
        text = fingerprint.replace(" ", "+").rstrip("=")  # of a query, in which + is a space
        return text if text.startswith("SHA256:") else f"SHA256:{text}"
    if key := address.options.get("host_key"):  # of Airflow: base64, perhaps behind the kind of the key
        words = key.strip().split(" ")
        begin = 1 if words[0].startswith(("ssh-", "ecdsa-")) else 0
        try:
            return _fingerprint(b64decode("+".join(words[begin : begin + 1]), validate=True))
        except Error as exc:
            message = f"the connection in {address.origin} has a host_key that is not base64"
            raise FatalError(message, code=Code.UNREADABLE_ADDRESS) from exc
    return None


def _load(client: Any, file: Path, *, is_said: bool) -> None:
    if not is_said and not file.is_file():
        return
    try:
        client.load_system_host_keys(str(file))
    except OSError as exc:
        raise FatalError(f"known_hosts: {file} cannot be read: {exc.strerror}") from exc


class _Only:
    """Takes no key but that of a fingerprint. Implements paramiko's `MissingHostKeyPolicy`."""

    def __init__(self, wanted: str | None) -> None:
        self._wanted = wanted

    def missing_host_key(self, client: Any, hostname: str, key: Any) -> None:
        shown = _fingerprint(key.asbytes())
        if shown == self._wanted:
            return
        if self._wanted is not None:
            message = f"{hostname} shows a key with the fingerprint {shown}, and {self._wanted} is expected"
            hint = "somebody may stand between; ask who runs the server whether its key has changed"
            raise FatalError(message, hint=hint, code=Code.NOT_LET_IN)
        hint = (
            f"ask who runs it for the fingerprint of its key; if it is {shown}, say so in the address "
            f"(?fingerprint={shown}), or add the server to known_hosts"
        )
        raise FatalError(f"nobody has said which key {hostname} has", hint=hint, code=Code.NOT_LET_IN)


def _fingerprint(key: bytes) -> str:
    """As `ssh-keygen -l` prints it."""
    return f"SHA256:{b64encode(hashlib.sha256(key).digest()).decode().rstrip('=')}"
