"""Where a connection is: its address, taken from a URI or from Airflow's JSON form."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from windlass import logs, registry
from windlass.errors import Code, FatalError, near_word
from windlass.ports import is_loopback
from windlass.splitting_urls import BRACKETS

__all__ = ["STAND_IN", "Address", "leaves", "parse_address"]

STAND_IN = "a dev service"
"""The origin of an address that stands in for a connection which is not configured."""

_OPEN_OPTIONS = ("table", "query", "schema")  # they say which rows are meant
_NO_SECRETS = ("", "true", "false", "none", "null")

_SHORTEST_PART = 8  # of the path of a webhook, to be a secret by itself


class _UnknownTypeError(Exception):
    def __init__(self, word: str) -> None:
        self.word = word


@dataclass(frozen=True, repr=False)
class Address:
    """A resolved connection. `repr` and `str` show none of its secrets."""

    type: str
    host: str = ""
    """Also several, each with its port, where the connector takes such: `a:1,b:2`."""

    port: int | None = None
    user: str = ""
    password: str = ""
    database: str = ""
    options: dict[str, str] = field(default_factory=dict)
    scheme: str = ""
    origin: str = ""
    """Where the address was found, in words."""

    settings: dict[str, Any] = field(default_factory=dict)
    """What stands with the connection in `windlass.yaml` beside its type: its connector's `Connection`. No secrets."""

    @property
    def form(self) -> registry.Form | None:
        """What the address is made of."""
        return registry.require(self.type).form

    @property
    def is_here(self) -> bool:
        """Whether it is a server of this machine: on the loopback, or a dev service, which a container reaches elsewhere."""
        return self.origin == STAND_IN or is_loopback(self.host)

    def uri(self) -> str:
        """The whole address as a URI, password included: for drivers and environments only."""
        return self._uri(self)

    def __str__(self) -> str:
        hidden = {key: logs.MASK if self._hides(key) else value for key, value in self.options.items()}
        shown = replace(self, password=self.password and logs.MASK, options=hidden)
        if self.form == "secret_url":
            shown = replace(shown, database=self.database and logs.MASK)
        if self._user_is_secret:
            shown = replace(shown, user=logs.MASK)
        return self._uri(shown)

    def __repr__(self) -> str:
        return f"Address({str(self)!r})"

    def secrets(self) -> Iterator[str]:
        """All of it that nobody but its server should see."""
        yield self.password
        yield from (value for key, value in self.options.items() if self._hides(key))
        if self._user_is_secret:
            yield self.user
        if self.form == "secret_url":
            yield self.database
            parts = self.database.split("/")
            yield from (part for part in parts if len(part) >= _SHORTEST_PART and not part.islower())

    @property
    def _user_is_secret(self) -> bool:
        """Whether the user is a token: `https://TOKEN@host`."""
        return self.form in ("url", "secret_url") and bool(self.user) and not self.password

    def _hides(self, option: str) -> bool:
        """Whether an option is a secret: any that its connector does not declare as open."""
        connector = registry.require(self.type)
        known = (*_OPEN_OPTIONS, connector.rows_in, *connector.told_by_address, *connector.open_options)
        return option not in known and self.options[option].lower() not in _NO_SECRETS

    @staticmethod
    def _uri(address: Address) -> str:
        scheme = address.scheme or address.type
        if address.form == "file":
            return f"{scheme}:///{address.database}"
        password = f":{quote(address.password, safe='*')}" if address.password else ""
        user = quote(address.user, safe="*") + password
        host, slash, below = (
            address.host.partition("/") if address.form == "secret_url" else (address.host, "", "")
        )
        host = f"[{host}]" if ":" in host and "," not in host else host
        port = f":{address.port}" if address.port else ""
        where = (f"{user}@" if user else "") + host + port + slash + below
        options = "&".join(f"{quote(k)}={quote(v, safe='/*')}" for k, v in address.options.items())
        path = f"/{quote(address.database, safe='/*')}" if address.database else ""
        return f"{scheme}://{where}{path}" + (f"?{options}" if options else "")


def parse_address(text: str, origin: str, expected: str | None = None) -> Address:
    """Read a URI (`postgresql://user:password@host:5432/database?sslmode=require`) or Airflow's JSON
    (`{"conn_type": …, "host": …}`). Raises FatalError naming `origin`, never the secret.
    """
    wanted = registry.require(expected) if expected else None
    try:
        address = _from_json(text, wanted) if text.lstrip().startswith("{") else _from_uri(text, wanted)
    except _UnknownTypeError as exc:
        schemes = sorted({s for c in registry.all_connectors() if c.form is not None for s in c.schemes})
        others = f"known: {', '.join(schemes)}; a package of a connector may add others"
        hint = near_word(exc.word, schemes) or others
        message = f"the connection in {origin} is of an unknown type, {exc.word!r}"
        raise FatalError(message, hint=hint, code=Code.UNKNOWN_ADDRESS_TYPE) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        example = (wanted.example if wanted else None) or "postgresql://user:password@host:5432/database"
        hint = f"expected a URI such as {example}, or Airflow's JSON; {BRACKETS}"
        raise FatalError(
            f"the connection in {origin} cannot be read", hint=hint, code=Code.UNREADABLE_ADDRESS
        ) from None
    if wanted is not None and address.type != wanted.type:
        message = f"the connection in {origin} is of type {address.type}, expected {expected}"
        raise FatalError(message, code=Code.ADDRESS_OF_OTHER_TYPE)
    for secret in (*address.secrets(), quote(address.password, safe="*"), *_as_written(text)):
        logs.add_secret(secret)
    return replace(address, origin=origin)


def _as_written(text: str) -> Iterator[str]:
    """Secrets with whatever escapes somebody chose for them, and those of JSON that no option can hold."""
    if not text.lstrip().startswith("{"):
        parts = urlsplit(text.strip())
        yield parts.password or ""
        yield from (pair.partition("=")[2] for pair in parts.query.split("&") if unquote(pair) != pair)
        return
    extra = _unpacked(json.loads(text).get("extra") or {})
    yield from leaves(
        [value for value in extra.values() if isinstance(value, dict | list) or "{" in str(value)]
    )


def leaves(value: object) -> Iterator[str]:
    """All texts in something of JSON, also in JSON that is in a text."""
    if isinstance(value, str):
        yield value
        if value.startswith(("{", "[")):
            with suppress(ValueError):
                yield from leaves(json.loads(value))
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from leaves(item)


def _unpacked(extra: dict[str, object] | str) -> dict[str, object]:
    """The `extra` of Airflow's JSON, which may be JSON in a text."""
    unpacked: dict[str, object] = json.loads(extra) if isinstance(extra, str) else extra
    return unpacked


def _connector(word: str, wanted: registry.Connector | None) -> registry.Connector:
    """Whose the address is, by its scheme or by Airflow's `conn_type`. Raises _UnknownTypeError."""
    scheme = word.lower().replace("_", "").replace("-", "")
    if wanted is not None and wanted.form == "secret_url" and scheme in ("http", "https"):
        return wanted
    if wanted is not None and scheme.partition("+")[0] in (*wanted.schemes, *wanted.schemes_if_declared):
        return wanted
    found = registry.by_scheme(scheme)
    if found is None or found.form is None:
        raise _UnknownTypeError(word.partition("+")[0])
    return found


def _from_uri(text: str, wanted: registry.Connector | None) -> Address:
    parts = urlsplit(text.strip())
    if "://" not in text:  # what stands before a mere colon may be anything, also a secret
        raise ValueError(text)
    connector = _connector(parts.scheme, wanted)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if connector.form == "file":
        # sqlite:///relative.db and sqlite:////absolute.db, as SQLAlchemy has it
        return Address(connector.type, database=unquote(parts.path[1:]), options=options, scheme=parts.scheme)
    host, port = _where(parts, connector)
    return Address(
        connector.type,
        host=host,
        port=port,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        database=unquote(parts.path.lstrip("/")),
        options=options,
        scheme=parts.scheme,
    )


def _where(parts: SplitResult, connector: registry.Connector) -> tuple[str, int | None]:
    """Host and port; several of them as they are written."""
    hosts = parts.netloc.rpartition("@")[2]
    if connector.several_hosts and "," in hosts:
        return unquote(hosts), None
    return unquote(parts.hostname or ""), parts.port


def _from_json(text: str, wanted: registry.Connector | None) -> Address:
    """Airflow's JSON form: https://airflow.apache.org/docs/apache-airflow/stable/howto/connection.html"""
    data = json.loads(text)
    extra = _unpacked(data.get("extra") or {})
    connector = _connector(data["conn_type"], wanted)
    is_url = connector.form == "url"
    database = data.get("host") if connector.form == "file" else data.get("schema")
    host, port, scheme = data.get("host") or "", int(data["port"]) if data.get("port") else None, ""
    if is_url or connector.form == "secret_url":
        scheme, host, own_port = _web_host(host)
        port = port or own_port
    if is_url:
        host, _, database = host.partition("/")
    return Address(
        connector.type,
        host=host,
        port=port,
        user=data.get("login") or "",
        password=data.get("password") or "",
        database=database or "",
        options={k: str(v) for k, v in extra.items() if not isinstance(v, dict | list)},
        scheme=(scheme or data.get("schema") or "http") if is_url else scheme,
    )


def _web_host(text: str) -> tuple[str, str, int | None]:
    """Scheme, host with its path, and port of what Airflow takes as the host of a connection: `https://host:8443/services`, too."""
    scheme, _, rest = text.rpartition("://")
    where, slash, path = rest.partition("/")
    if where.count(":") > 1 and "[" not in where:
        return scheme, rest, None  # IPv6
    parts = urlsplit(f"//{where}")
    return scheme, f"{unquote(parts.hostname or '')}{slash}{path}", parts.port
