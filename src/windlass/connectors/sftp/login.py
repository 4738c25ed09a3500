"""A login to a server of SFTP, which all have in common who read its files: one connection, and in it some sessions."""

from __future__ import annotations

import io
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from getpass import getuser
from pathlib import Path
from typing import Any

import paramiko
from paramiko import SSHClient

from windlass.connections import Address, parse_address
from windlass.connectors.sftp.host_keys import require_known
from windlass.errors import Code, FatalError, RetryableError
from windlass.storage.objects import ChangedError

__all__ = ["Login", "errors", "login_to"]

_CONNECTS_WITHIN, _ANSWERS_WITHIN, _KEEPS_ALIVE = 15.0, 60.0, 15
_SESSIONS = 4  # a server of OpenSSH's allows ten in a connection, others fewer


def login_to(address: Address) -> Login:
    """The login that the address says. It is made when it is first used."""
    return _login(address.uri(), address.origin)


@lru_cache(8)
def _login(uri: str, origin: str) -> Login:
    return Login(parse_address(uri, origin, "sftp"))


class Login:
    """Sessions are lent: none is used by two threads at a time."""

    def __init__(self, address: Address) -> None:
        self.name = server_name(address)
        self._address, self._client = address, SSHClient()
        self._idle: list[Any] = []
        self._lock = threading.Lock()
        self._free = threading.Semaphore(_sessions(address))

    @contextmanager
    def session(self) -> Iterator[Any]:
        """A session that nobody else has. It is closed unless all was well, or something was just not there."""
        with self._free:
            session = self._take()
            try:
                yield session
            except (FileNotFoundError, PermissionError):
                self._idle.append(session)
                raise
            except BaseException:
                session.close()
                raise
            self._idle.append(session)

    def _take(self) -> Any:
        with self._lock, errors(self.name):
            if self._is_connected():
                try:
                    return self._one()
                except (paramiko.SSHException, OSError, EOFError):
                    self._client.close()  # it was lost, and nobody had noticed
            self._idle.clear()
            self._client = _connected(self._address)
            return self._one()

    def _is_connected(self) -> bool:
        transport = self._client.get_transport()
        return transport is not None and transport.is_active()

    def _one(self) -> Any:
        """A session in the connection that there is."""
        while self._idle:
            session = self._idle.pop()
            if not session.get_channel().closed:
                return session
        session = self._client.open_sftp()
        session.get_channel().settimeout(_ANSWERS_WITHIN)
        return session


def server_name(address: Address) -> str:
    """The server and the user, without secrets."""
    user = f"{address.user}@" if address.user else ""
    host = f"[{address.host}]" if ":" in address.host else address.host
    return f"sftp://{user}{host}" + (f":{address.port}" if address.port else "")


def _sessions(address: Address) -> int:
    text = address.options.get("sessions") or str(_SESSIONS)
    if not text.isdecimal() or not 1 <= int(text) <= 64:
        message = f"the connection in {address.origin} has sessions={text}"
        raise FatalError(f"{message}: expected a number from 1 to 64", code=Code.UNREADABLE_ADDRESS)
    return int(text)


def _connected(address: Address) -> Any:
    client = SSHClient()
    require_known(client, address)
    key, own_file = _key(address), address.options.get("key_file")
    if own_file and not Path(own_file).expanduser().is_file():
        raise FatalError(f"key_file: there is no file {own_file!r}", code=Code.NOT_LET_IN)
    is_said = bool(address.password or key or own_file)  # then nothing else is tried
    try:
        client.connect(
            address.host,
            address.port or 22,
            address.user or getuser(),
            address.password or None,
            pkey=key,
            key_filename=own_file and str(Path(own_file).expanduser()),
            passphrase=address.options.get("private_key_passphrase") or address.password or None,
            allow_agent=not is_said,
            look_for_keys=not is_said,
            timeout=_CONNECTS_WITHIN,
            banner_timeout=_CONNECTS_WITHIN,
            auth_timeout=_CONNECTS_WITHIN,
            channel_timeout=_ANSWERS_WITHIN,
        )
    except BaseException:
        client.close()
        raise
    client.get_transport().set_keepalive(_KEEPS_ALIVE)
    return client


def _key(address: Address) -> Any:
    """The key that is in the address itself. Raises FatalError where it cannot be read."""
    text = address.options.get("private_key")
    if not text:
        return None
    passphrase = address.options.get("private_key_passphrase") or address.password or None
    for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        try:
            return kind.from_private_key(io.StringIO(text), passphrase)
        except paramiko.PasswordRequiredException as exc:
            hint = "say private_key_passphrase, too"
            raise FatalError("private_key has a passphrase", hint=hint, code=Code.NOT_LET_IN) from exc
        except (paramiko.SSHException, ValueError):
            continue
    hint = "expected a key of Ed25519, ECDSA or RSA as in its file; in an address, its line ends are %0A"
    raise FatalError("private_key cannot be read", hint=hint, code=Code.NOT_LET_IN)


@contextmanager
def errors(what: str, *, is_known: bool = False) -> Iterator[Any]:
    """Turn exceptions of SSH into ours. `is_known`: it was there, so that it is not any more is a change."""
    try:
        yield
    except paramiko.BadHostKeyException as exc:
        hint = "somebody may stand between; ask who runs the server whether its key has changed"
        message = f"{what}: its key is not the one in known_hosts"
        raise FatalError(message, hint=hint, code=Code.NOT_LET_IN) from exc
    except paramiko.AuthenticationException as exc:
        hint = "look at who asks: the user, the password or the key of the connection, else the SSH agent and the keys of ~/.ssh"
        raise FatalError(f"{what}: {exc}", hint=hint, code=Code.NOT_LET_IN) from exc
    except FileNotFoundError as exc:
        if is_known:
            raise ChangedError(f"{what} is not there any more") from exc
        raise FatalError(f"{what} is not there", code=Code.NO_FILE) from exc
    except PermissionError as exc:
        raise FatalError(f"{what} cannot be read: {exc.strerror or exc}", code=Code.CANNOT_BE_DONE) from exc
    except socket.gaierror as exc:
        raise RetryableError(f"{what}: {exc.strerror}", code=Code.NO_HOST) from exc
    except UnicodeDecodeError as exc:
        raise FatalError(f"{what} has a name that is not UTF-8", hint="rename it") from exc
    except (paramiko.SSHException, OSError, EOFError) as exc:
        said = str(exc) or "the connection was lost"
        raise RetryableError(f"{what}: {said}", code=Code.CONNECTION_LOST) from exc
