"""A small TCP proxy that cuts, silences, or waits for a moment in the conversation with a Postgres server."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import threading
from collections.abc import Callable
from typing import Literal, Self, TypeAlias
from urllib.parse import urlsplit

Cut: TypeAlias = Literal["reset", "silence"]

_PIECE = 16 << 10
_GONE = 0.05
_OFTEN, _LONGEST, _CRAWL = 0.8, 0.5, 100

COMMIT = b"Q\x00\x00\x00\x0bCOMMIT\x00"
"""How it travels to the server."""


class Proxy:
    """Stands between windlass and a server. Use as a context manager.

    `watch` is told every piece that passes, and whether it goes to the server; it says whether this is the
    moment. From then on that connection is reset, or nothing passes any more; the piece itself is lost, or with
    `hand_on` is still handed on before that. New connections pass, unless everything shall be silent: then nothing
    of any connection passes, until `come_back` lets new ones pass, and `resend` what the old ones held. With `keeps_open`
    nobody is told that the other end has closed.
    """

    def __init__(
        self,
        server: str,
        cut: Cut,
        watch: Callable[[bytes, bool], bool],
        *,
        hand_on: bool = False,
        everything: bool = False,
        keeps_open: bool = False,
        listening: socket.socket | None = None,
    ) -> None:
        self._server, self._cut, self._watch = urlsplit(server), cut, watch
        self._hand_on, self._everything, self._socket = hand_on, everything, listening
        self._keeps_open = keeps_open
        self.was_cut = threading.Event()
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._port)

    @property
    def url(self) -> str:
        """The server's address, by way of the proxy."""
        there = self._server
        return there._replace(netloc=f"{there.username}:{there.password}@127.0.0.1:{self._port}").geturl()

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def come_back(self) -> None:
        """Let new connections pass again."""
        self._loop.call_soon_threadsafe(self._back.set)

    def resend(self) -> None:
        """Hand on what was held, as a network does whose packets were only late."""
        self._loop.call_soon_threadsafe(self._resent.set)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._listen())
        self._loop.close()

    async def _listen(self) -> None:
        self._stop, self._back, self._resent = asyncio.Event(), asyncio.Event(), asyncio.Event()
        listening = self._socket or socket.create_server(("127.0.0.1", 0))
        server = await asyncio.start_server(self._connected, sock=listening)
        self._port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(_GONE)  # the sockets close

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        ends = [writer]
        try:
            if self._is_dark:
                await self._back.wait()
            server_reader, server_writer = await asyncio.open_connection(
                self._server.hostname, self._server.port
            )
            ends.append(server_writer)
            silent = asyncio.Event()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass_on(reader, server_writer, silent, to_server=True))
                group.create_task(self._pass_on(server_reader, writer, silent, to_server=False))
        except* (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            for end in ends:
                end.transport.abort()

    async def _pass_on(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        silent: asyncio.Event,
        *,
        to_server: bool,
    ) -> None:
        while piece := await reader.read(_PIECE):
            now = not self.was_cut.is_set() and self._watch(piece, to_server)
            if now:
                self.was_cut.set()
                silent.set()
                if self._hand_on:
                    writer.write(piece)
                    await self._stop.wait()  # it is cut by the answer
            if silent.is_set() or self._is_dark:
                await self._fall(writer)
            await self._send(piece, writer, to_server=to_server)
        if self._keeps_open:
            await self._stop.wait()
        raise ConnectionError  # one end has closed: close the other

    async def _send(self, piece: bytes, writer: asyncio.StreamWriter, *, to_server: bool) -> None:
        writer.write(piece)
        await writer.drain()

    @property
    def _is_dark(self) -> bool:
        return self._everything and self.was_cut.is_set() and not self._back.is_set()

    async def _fall(self, writer: asyncio.StreamWriter) -> None:
        """Reset both ends; or keep both open, and hand nothing on."""
        if self._cut == "silence":
            await self._resent.wait()
            return
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise ConnectionError


class HaltingProxy(Proxy):
    """Hands everything on, but in pieces of any size, with pauses between; around a COMMIT, byte by byte."""

    def __init__(self, server: str, seed: int) -> None:
        super().__init__(server, "silence", lambda *_: False)
        self._dice, self._crawl = random.Random(seed), 0
        self.pauses = 0

    async def _send(self, piece: bytes, writer: asyncio.StreamWriter, *, to_server: bool) -> None:
        if to_server and COMMIT in piece:
            self._crawl = _CRAWL
        while piece:
            size = 1 if self._crawl > 0 else self._dice.randint(1, _PIECE)
            self._crawl -= size
            writer.write(piece[:size])
            await writer.drain()
            piece = piece[size:]
            await asyncio.sleep(self._pause())

    def _pause(self) -> float:
        """Often none, at times long, and mostly so short that the kernel sends each byte by itself."""
        if self._dice.random() < _OFTEN:
            return 0
        self.pauses += 1
        return self._dice.random() ** 4 * _LONGEST
