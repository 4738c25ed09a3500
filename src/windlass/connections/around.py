"""The secrets in the environment of this process and in `.env`: masked, whoever uses them and whether anybody does."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from windlass import logs, registry
from windlass.connections.address import leaves, parse_address
from windlass.connections.env_file import read_env_file
from windlass.connections.secret import PREFIX
from windlass.errors import WindlassError

__all__ = ["hide_secrets"]

_CONNECTIONS = ("WINDLASS_CONN_", "AIRFLOW_CONN_")
_SECRETS = ("PASSWORD", "PASSWD", "TOKEN", "SECRET", "SECRET_KEY", "ACCESS_KEY", "API_KEY", "APIKEY", "_AUTH")
_HEADERS = ("KEY", "TOKEN", "SECRET", "PASSWORD", "AUTHORIZATION")
_SHORTEST = 6  # of what is a secret by its name alone
_SHORTEST_TOKEN = 12


def hide_secrets(environ: Mapping[str, str], project: Path | None = None) -> None:
    """Mask what these variables, and those in `.env` of the project, hold of passwords, tokens and keys."""
    noted: dict[str, str] = {}
    if project is not None:
        with suppress(WindlassError):  # whoever looks for a connection there is told
            noted = read_env_file(project / ".env", environ)
    for name, value in (*noted.items(), *environ.items()):
        for secret in _secrets_in(name, value):
            logs.add_secret(secret)


def _secrets_in(name: str, value: str) -> Iterator[str]:
    if name.startswith(_CONNECTIONS):
        yield from _of_connection(value.strip())
    elif (name.startswith(PREFIX) or name.upper().endswith(_SECRETS)) and len(value) >= _SHORTEST:
        yield value
    elif name.startswith("OTEL_") and name.endswith("_HEADERS"):  # name=value,name=value, in percent-encoding
        yield from _of_headers(value)
    elif "://" in value and "@" in value:  # a proxy, an index of packages
        yield from _of_url(value)


def _of_connection(text: str) -> Iterator[str]:
    """Reading an address masks its secrets. Of a type that is unknown here, or an address that cannot be read, nearly all is masked."""
    with suppress(WindlassError):
        if registry.is_built_in(_scheme(text)):
            address = parse_address(text, "")
            if address.form == "url":  # it may be a webhook's, whose connection is declared as one
                yield from (part for part in address.database.split("/") if _is_like_a_token(part))
            return
    if not text.startswith("{"):
        yield from _of_url(text)
        return
    with suppress(ValueError):
        data = json.loads(text)
        yield from leaves([data.get(name) for name in ("password", "extra")])


def _of_headers(text: str) -> Iterator[str]:
    for pair in text.split(","):
        name, _, value = pair.partition("=")
        token = unquote(value).strip().rpartition(" ")[2]  # behind `Bearer`
        if len(token) >= _SHORTEST and (name.strip().upper().endswith(_HEADERS) or _is_like_a_token(token)):
            yield token


def _is_like_a_token(text: str) -> bool:
    return len(text) >= _SHORTEST_TOKEN and not text.islower() and any(c.isdigit() for c in text)


def _scheme(text: str) -> str:
    with suppress(ValueError, AttributeError):
        return str(json.loads(text).get("conn_type")) if text.startswith("{") else urlsplit(text).scheme
    return ""


def _of_url(text: str) -> Iterator[str]:
    with suppress(ValueError):
        parts = urlsplit(text.strip())
        if parts.password:
            yield parts.password
            yield unquote(parts.password)
        for name, value in parse_qsl(parts.query):
            if len(value) >= _SHORTEST_TOKEN or name.upper().endswith(_SECRETS):
                yield value
