"""The dev services of what messages go to: servers of this machine that keep what they are told, and tell nobody.

One for all kinds that are told over HTTP, one for mail. Either is a process of its own, `dev_inbox.py`.
"""

from __future__ import annotations

from windlass import logs
from windlass.connections import STAND_IN, Address
from windlass.devservices import MESSAGES, DevService
from windlass.devservices.launching import launch_server
from windlass.devservices.running import is_running, noted_port
from windlass.ports import LOOPBACK
from windlass.state_folder import close_to_others

__all__ = ["start_http", "start_mail"]

_INBOX = "windlass.connectors.dev_inbox"
_KEY = "key-of-a-dev-service"
"""In the place of the path, key or token that the real one has. It is masked as those are, and so not a word of any text."""


def start_http(service: DevService) -> Address:
    """The address of a server that takes any JSON."""
    port = _started(service, "http")
    return Address(service.type, LOOPBACK, port, database=_KEY, scheme="http", origin=STAND_IN)


def start_mail(service: DevService) -> Address:
    """The address of a mail server that takes mail for anybody."""
    port = _started(service, "mail")
    to = {"to": f"{service.name}@localhost", "tls": "none"}
    return Address(service.type, LOOPBACK, port, options=to, origin=STAND_IN)


def _started(service: DevService, over: str) -> int:
    close_to_others(service.folder)
    file = service.folder / MESSAGES
    if not is_running(service):
        port = launch_server(service, (_INBOX, over, str(file)))
        logs.info(
            "dev_service_started", connection=service.name, type=service.type, port=port, file=str(file)
        )
    return noted_port(service)
