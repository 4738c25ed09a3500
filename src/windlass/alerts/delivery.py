"""Delivers a message to a connection of whatever kind."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from windlass import logs, pauses, registry
from windlass.alerts.message import Message
from windlass.alerts.wording import headline
from windlass.connections import STAND_IN, Address, declared_address, resolve, variable
from windlass.errors import Code, FatalError, RetryableError
from windlass.plan.model import Connection

__all__ = ["deliver", "hand_over"]

_PATIENCE = 60.0  # seconds for one message: time limits of sockets begin anew with each byte
_SHORTEST_WAIT = 1.0


def deliver(message: Message, name: str, connection: Connection, project: Path) -> None:
    """Tell the connection of that name, which is looked for as any other. Raises WindlassError."""
    kind, settings = connection.type, connection.settings
    address = resolve(name, kind, project) or declared_address(name, kind, settings)
    if address is None:
        missing = f"connection {name!r} is not configured: there is no {variable(name)}"
        raise FatalError(missing, code=Code.NOT_CONFIGURED)
    hand_over(message, replace(address, settings=settings), name)


def hand_over(message: Message, address: Address, name: str | None = None) -> None:
    """Tell whoever is at the address, in the form of its kind. Raises WindlassError.

    That a dev service has caught it is said, with the `name` of the connection: nobody else is told.
    """
    for secret in address.secrets():
        logs.add_secret(secret)
    send = registry.require(address.type).alert
    if send is None:
        raise FatalError(f"a {address.type} connection takes no messages")
    told, load = message.masked(), registry.load(send)
    _in_time(lambda: load(address, told), name or address.type)
    if address.origin == STAND_IN:
        logs.info("message_caught", to=name, text=headline(message))


def _in_time(send: Callable[[], object], who: str) -> None:
    """Send, and wait no longer than is decent: a server that answers a byte at a time must not keep a run from its end."""
    raised: list[BaseException] = []
    deadline = time.monotonic() + _PATIENCE

    def sending() -> None:
        try:
            _send_when_asked(send, deadline)
        except BaseException as exc:  # noqa: BLE001 - whoever waits gets it
            raised.append(exc)

    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(sending,), name="message", daemon=True)
    thread.start()
    thread.join(_PATIENCE)
    if thread.is_alive():
        message = f"{who} did not take the message within {_PATIENCE:g} s"
        raise RetryableError(message, code=Code.ALERT_NOT_TAKEN)
    if raised:
        raise raised[0]


def _send_when_asked(send: Callable[[], object], deadline: float) -> None:
    """Send; again whenever the server has said when, if that is in time."""
    while True:
        try:
            send()
        except RetryableError as exc:
            if exc.wait is None or pauses.are_skipped():
                raise
            wait = max(exc.wait, _SHORTEST_WAIT)
            if time.monotonic() + wait >= deadline:
                raise
            time.sleep(wait)
        else:
            return
