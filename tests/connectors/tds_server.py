"""A server that speaks as much of TDS 7.4 as a client needs to log in and to read rows; it knows no SQL.

Every byte is made from the document of the protocol, and nothing from a driver:
https://learn.microsoft.com/openspecs/windows_protocols/ms-tds
"""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Self
from uuid import UUID

__all__ = [
    "BIT",
    "BYTES",
    "FLOAT",
    "GUID",
    "LONG",
    "MONEY",
    "NTEXT",
    "REAL",
    "TEXT",
    "Answer",
    "Refusal",
    "TdsServer",
    "decimal",
    "integer",
]

_BATCH, _REPLY, _ATTENTION, _LOGIN, _PRELOGIN = 1, 4, 6, 16, 18
_FULL = 4096 - 8
_LAST, _ENCRYPT_ON, _NOT_SUPPORTED = 1, 1, 2
_COLLATION = bytes.fromhex("0904d00034")  # SQL_Latin1_General_CP1_CI_AS


@dataclass(frozen=True)
class Wire:
    """A type on the wire: TYPE_INFO, and how a value that is there is written; `null` is one that is not."""

    info: bytes
    write: Callable[[Any], bytes]
    null: bytes = b"\0"


def _short(write: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
    return lambda value: bytes([len(write(value))]) + write(value)


def _plp(data: bytes) -> bytes:
    """A value of varchar(max) and the like, in chunks of three bytes."""
    chunks = [data[i : i + 3] for i in range(0, len(data), 3)]
    return struct.pack("<Q", len(data)) + b"".join(struct.pack("<I", len(c)) + c for c in chunks) + bytes(4)


def integer(size: int) -> Wire:
    """INTN: tinyint (1 byte, without a sign) to bigint (8)."""
    return Wire(bytes([0x26, size]), _short(lambda v: v.to_bytes(size, "little", signed=size > 1)))


def decimal(precision: int, scale: int) -> Wire:
    """DECIMALN: a sign, and the digits as an integer."""
    size = 5 if precision <= 9 else 9 if precision <= 19 else 13 if precision <= 28 else 17

    def write(value: Decimal) -> bytes:
        sign, digits, exponent = value.as_tuple()
        number: int = int("".join(map(str, digits))) * 10 ** (int(exponent) + scale)
        return bytes([not sign]) + number.to_bytes(size - 1, "little")

    return Wire(bytes([0x6A, size, precision, scale]), _short(write))


def _money(value: Decimal) -> bytes:
    number = int(value * 10000)
    return struct.pack("<iI", number >> 32, number & 0xFFFFFFFF)


BIT = Wire(b"\x68\x01", _short(lambda v: bytes([v])))
REAL = Wire(b"\x6d\x04", _short(lambda v: struct.pack("<f", v)))
FLOAT = Wire(b"\x6d\x08", _short(lambda v: struct.pack("<d", v)))
MONEY = Wire(b"\x6e\x08", _short(_money))
GUID = Wire(b"\x24\x10", _short(lambda v: UUID(v).bytes_le))
NTEXT = Wire(  # nvarchar(4000)
    b"\xe7" + struct.pack("<H", 8000) + _COLLATION,
    lambda v: struct.pack("<H", len(v.encode("utf-16-le"))) + v.encode("utf-16-le"),
    b"\xff\xff",
)
TEXT = Wire(  # varchar(8000) of code page 1252
    b"\xa7" + struct.pack("<H", 8000) + _COLLATION,
    lambda v: struct.pack("<H", len(v.encode("cp1252"))) + v.encode("cp1252"),
    b"\xff\xff",
)
LONG = Wire(b"\xe7\xff\xff" + _COLLATION, lambda v: _plp(v.encode("utf-16-le")), b"\xff" * 8)
BYTES = Wire(b"\xa5\xff\xff", _plp, b"\xff" * 8)


@dataclass(frozen=True)
class Refusal:
    """An error of the server."""

    number: int
    message: str
    line: int = 1


@dataclass(frozen=True)
class Answer:
    """Rows; after them an error, an answer that ends in the middle, or none until the client gives up."""

    columns: Sequence[tuple[str, Wire]] = ()
    rows: Iterable[Sequence[Any]] = ()
    error: Refusal | None = None
    breaks: bool = False
    stalls: bool = False


@dataclass
class TdsServer:
    """Answers each batch by what `answer` says to its SQL. A context manager."""

    answer: Callable[[str], Answer]
    user: str = "w"
    password: str = "p@ss-W0rd/é"
    tls: ssl.SSLContext | None = None
    login_error: Refusal | None = None
    batches: list[str] = field(default_factory=list)
    attention: threading.Event = field(default_factory=threading.Event)
    stalling: threading.Event = field(default_factory=threading.Event)
    was_encrypted: bool = False
    has_login: bool = False

    def __enter__(self) -> Self:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # else whoever waits for a client gets one more
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                plugged, _ = self._socket.accept()
                threading.Thread(target=self._serve, args=(plugged,), daemon=True).start()

    def _serve(self, plugged: socket.socket) -> None:
        with plugged, suppress(OSError, EOFError):
            _Conversation(self, plugged).run()


class _Conversation:
    """One client."""

    def __init__(self, server: TdsServer, plugged: socket.socket) -> None:
        self._server, self._socket = server, plugged
        self._tls: ssl.SSLObject | None = None
        self._waiting = b""
        self._received, self._sent = ssl.MemoryBIO(), ssl.MemoryBIO()

    def run(self) -> None:
        kind, _ = self._packet()
        assert kind == _PRELOGIN
        self._send(_prelogin(_ENCRYPT_ON if self._server.tls else _NOT_SUPPORTED))
        if self._server.tls is not None:
            self._shake_hands(self._server.tls)
        kind, login = self._packet()
        assert kind == _LOGIN
        self._server.has_login = True
        self._send(self._logged_in(login))
        while True:
            kind, body = self._packet()
            if kind == _ATTENTION:
                self._server.attention.set()
                self._send(_done(0x20))
                continue
            assert kind == _BATCH
            headers = struct.unpack_from("<I", body)[0]
            sql = body[headers:].decode("utf-16-le")
            self._server.batches.append(sql)
            self._answer(self._server.answer(sql))

    def _answer(self, answer: Answer) -> None:
        self._send_part(_metadata(answer.columns) if answer.columns else b"")
        count = 0
        for row in answer.rows:
            self._send_part(_row(answer.columns, row))
            count += 1
        if answer.breaks:
            raise EOFError
        if answer.stalls:
            self._server.stalling.set()
            self._waiting = b""
            return
        if answer.error is not None:
            self._send(_error(answer.error) + _done(0x02))
        else:
            self._send(_done(0x10, count))

    def _logged_in(self, login: bytes) -> bytes:
        user, password = (_login_field(login, place) for place in (40, 44))
        password = bytes((b ^ 0xA5) << 4 & 0xF0 | (b ^ 0xA5) >> 4 for b in password)
        known = (self._server.user, self._server.password)
        refusal = self._server.login_error
        if (user.decode("utf-16-le"), password.decode("utf-16-le")) != known:
            refusal = Refusal(18456, f"Login failed for user '{user.decode('utf-16-le')}'.")
        if refusal is not None:
            return _error(refusal) + _done(0x02)
        name = "Microsoft SQL Server".encode("utf-16-le")
        body = bytes([1]) + bytes.fromhex("74000004") + bytes([len(name) // 2]) + name + bytes([16, 0, 4, 0])
        return b"\xad" + struct.pack("<H", len(body)) + body + _done(0)

    # --- packets ---

    def _packet(self) -> tuple[int, bytes]:
        """All packets of one message."""
        body = b""
        while True:
            kind, status, length, *_ = struct.unpack(">BBHHBB", self._read(8))
            body += self._read(length - 8)
            if status & _LAST:
                return kind, body

    def _send_part(self, data: bytes) -> None:
        """All packets of a message but the last are full."""
        self._waiting += data
        while len(self._waiting) > _FULL:
            self._packed(self._waiting[:_FULL], _REPLY, 0)
            self._waiting = self._waiting[_FULL:]

    def _send(self, data: bytes, kind: int = _REPLY) -> None:
        self._send_part(data)
        self._packed(self._waiting, kind, _LAST)
        self._waiting = b""

    def _packed(self, data: bytes, kind: int, status: int) -> None:
        self._write(struct.pack(">BBHHBB", kind, status, len(data) + 8, 0, 1, 0) + data)

    def _shake_hands(self, context: ssl.SSLContext) -> None:
        """The handshake travels in packets of its own; what comes after it does not."""
        tls = context.wrap_bio(self._received, self._sent, server_side=True)
        while True:
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                if self._sent.pending:
                    self._send(self._sent.read(), _PRELOGIN)
                kind, body = self._packet()
                assert kind == _PRELOGIN
                self._received.write(body)
            else:
                break
        if self._sent.pending:
            self._send(self._sent.read(), _PRELOGIN)
        self._tls, self._server.was_encrypted = tls, True

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            if self._tls is None:
                got = self._socket.recv(size - len(data))
            else:
                try:
                    got = self._tls.read(size - len(data))
                except ssl.SSLWantReadError:
                    raw = self._socket.recv(65536)
                    if not raw:
                        raise EOFError from None
                    self._received.write(raw)
                    continue
            if not got:
                raise EOFError
            data += got
        return data

    def _write(self, data: bytes) -> None:
        if self._tls is None:
            self._socket.sendall(data)
        else:
            self._tls.write(data)
            self._socket.sendall(self._sent.read())


def _prelogin(encryption: int) -> bytes:
    fields = [(0, bytes([16, 0, 4, 0, 0, 0])), (1, bytes([encryption])), (4, b"\0")]
    heads, values, offset = b"", b"", len(fields) * 5 + 1
    for token, value in fields:
        heads += struct.pack(">BHH", token, offset + len(values), len(value))
        values += value
    return heads + b"\xff" + values


def _login_field(login: bytes, place: int) -> bytes:
    offset, length = struct.unpack_from("<HH", login, place)
    return login[offset : offset + length * 2]


def _metadata(columns: Sequence[tuple[str, Wire]]) -> bytes:
    described = (
        struct.pack("<IH", 0, 1) + wire.info + bytes([len(name)]) + name.encode("utf-16-le")
        for name, wire in columns
    )
    return b"\x81" + struct.pack("<H", len(columns)) + b"".join(described)


def _row(columns: Sequence[tuple[str, Wire]], row: Sequence[Any]) -> bytes:
    pairs = zip(columns, row, strict=True)
    return b"\xd1" + b"".join(wire.null if value is None else wire.write(value) for (_, wire), value in pairs)


def _error(refusal: Refusal) -> bytes:
    said = refusal.message.encode("utf-16-le")
    body = (
        struct.pack("<IBBH", refusal.number, 1, 14, len(said) // 2)
        + said
        + b"\0\0"
        + struct.pack("<I", refusal.line)
    )
    return b"\xaa" + struct.pack("<H", len(body)) + body


def _done(status: int, count: int = 0) -> bytes:
    return b"\xfd" + struct.pack("<HHQ", status, 0xC1, count)
