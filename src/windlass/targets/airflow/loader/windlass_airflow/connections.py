"""Airflow's own connections, as windlass and its steps read them; and no secret where it does not belong."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from airflow.sdk import Connection
from airflow.sdk.log import mask_secret

from .names import AirflowNotFoundException

__all__ = ["address_of", "connection_environment", "hidden", "hide", "variable"]

_SHORTEST_SECRET = 4  # to mask shorter text would black out half of every log


def connection_environment(forms: Mapping[str, str]) -> dict[str, str]:
    """`WINDLASS_CONN_<NAME>` for each connection, given with what its address is made of: of the worker's
    environment, else Airflow's own, which `WINDLASS_ORIGIN_<NAME>` then says. Masks them.

    One that Airflow does not know is left out: windlass looks on in the project's `.env` and the like, and
    says where it looked.
    """
    found = {}
    for name, form in forms.items():
        own = variable(name)
        address = os.environ.get(own)
        if not address:
            try:
                address = address_of(Connection.get(name), form)
            except AirflowNotFoundException:
                continue
            found[variable(name, "WINDLASS_ORIGIN_")] = f"the Airflow connection {name!r}"
        hide(address)
        found[own] = address
    return found


_secrets: set[str] = set()


def hide(address: str) -> None:
    """Keep an address and its password out of Airflow's log, and of what is written elsewhere."""
    password = urlsplit(address).password or ""
    for secret in (address, password, unquote(password)):
        if len(secret) >= _SHORTEST_SECRET:
            mask_secret(secret)
            _secrets.add(secret)


def hidden(text: str) -> str:
    """The text without the secrets that this task or callback knows."""
    for secret in sorted(_secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def variable(name: str, prefix: str = "WINDLASS_CONN_") -> str:
    return prefix + name.upper().replace("-", "_")


def address_of(connection: Any, form: str) -> str:
    """A connection of Airflow as windlass and its steps read one: a URI."""
    kind = (connection.conn_type or "").lower().replace("_", "-")
    host, path = connection.host or "", connection.schema or ""
    if form == "file":
        return f"{kind}:///{host or path}"
    if form == "server":
        return str(connection.get_uri())
    scheme, _, rest = host.rpartition("://")
    if path in ("http", "https"):  # Airflow's http connection has its scheme there
        scheme, path = scheme or path, ""
    if form == "secret_url" and "://" in (connection.password or ""):
        return str(connection.password)
    if form == "secret_url" and connection.password and (rest or kind == "slackwebhook"):
        path = connection.password  # Slack's own provider has the secret end of the address there
        host = rest or "hooks.slack.com/services"
        return f"{scheme or 'https'}://{host.rstrip('/')}/{path.lstrip('/')}"
    login = quote(connection.login, safe="") if connection.login else ""
    if connection.password:
        login += f":{quote(connection.password, safe='')}"
    where = (f"{login}@" if login else "") + rest + (f":{connection.port}" if connection.port else "")
    query = connection.extra_dejson.get("query")
    end = (f"/{path}" if path else "") + (f"?{query}" if query else "")
    return f"{scheme or ('http' if kind == 'http' else 'https')}://{where}{end}"
