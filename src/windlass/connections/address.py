"""Where a connection is: its address, taken from a URI or from Airflow's JSON form."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from windlass import logs, registry
from windlass.errors import Code, FatalError, did_you_mean

__all__ = ["Address", "parse_address"]


class _UnknownTypeError(Exception):
    def __init__(self, word: str) -> None:
        self.word = word


@dataclass(frozen=True)
class Address:
    """A resolved connection. `repr` and `str` never show the password."""

    type: str
    host: str = ""
    """Also several, each with its port, where the connector takes such: `a:1,b:2`."""

    port: int | None = None
    user: str = ""
    password: str = field(default="", repr=False)
    database: str = ""
    options: dict[str, str] = field(default_factory=dict)
    scheme: str = ""
    origin: str = ""
    """Where the address was found, in words."""

    @property
    def form(self) -> registry.Form | None:
        """What the address is made of."""
        return registry.require(self.type).form

    def uri(self) -> str:
        """The whole address as a URI, password included: for drivers and environments only."""
        return self._uri(self.password)

    def __str__(self) -> str:
        return self._uri(logs.MASK if self.password else "")

    def _uri(self, password: str) -> str:
        scheme = self.scheme or self.type
        if self.form == "file":
            return f"{scheme}:///{self.database}"
        user = quote(self.user, safe="") + (f":{quote(password, safe='*')}" if password else "")
        host = f"[{self.host}]" if ":" in self.host and "," not in self.host else self.host
        where = (f"{user}@" if user else "") + host + (f":{self.port}" if self.port else "")
        options = "&".join(f"{quote(k)}={quote(v)}" for k, v in self.options.items())
        path = f"/{quote(self.database, safe='/')}" if self.database else ""
        return f"{scheme}://{where}{path}" + (f"?{options}" if options else "")


def parse_address(text: str, origin: str, expected: str | None = None) -> Address:
    """Read a URI (`postgresql://user:password@host:5432/database?sslmode=require`) or Airflow's JSON
    (`{"conn_type": …, "host": …}`). Raises FatalError naming `origin`, never the secret.
    """
    wanted = registry.require(expected) if expected else None
    try:
        address = _from_json(text, wanted) if text.lstrip().startswith("{") else _from_uri(text, wanted)
    except _UnknownTypeError as exc:
        schemes = [s for c in registry.all_connectors() if c.form is not None for s in c.schemes]
        known = did_you_mean(exc.word, schemes) or f"known: {', '.join(schemes)}"
        hint = f"{known}; a package of a connector may add others"
        message = f"the connection in {origin} is of an unknown type, {exc.word!r}"
        raise FatalError(message, hint=hint, code=Code.UNKNOWN_ADDRESS_TYPE) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        example = (wanted.example if wanted else None) or "postgresql://user:password@host:5432/database"
        hint = f"expected a URI such as {example}, or Airflow's JSON"
        raise FatalError(
            f"the connection in {origin} cannot be read", hint=hint, code=Code.UNREADABLE_ADDRESS
        ) from None
    if wanted is not None and address.type != wanted.type:
        message = f"the connection in {origin} is of type {address.type}, expected {expected}"
        raise FatalError(message, code=Code.ADDRESS_OF_OTHER_TYPE)
    for form in (address.password, quote(address.password, safe=""), quote(address.password, safe="*")):
        logs.add_secret(form)
    logs.add_secret(_as_written(text))
    return replace(address, origin=origin)


def _as_written(text: str) -> str | None:
    """The password of a URI with whatever escapes somebody chose for it."""
    return None if text.lstrip().startswith("{") else urlsplit(text.strip()).password


def _connector(word: str, wanted: registry.Connector | None) -> registry.Connector:
    """Whose the address is, by its scheme or by Airflow's `conn_type`. Raises _UnknownTypeError."""
    scheme = word.lower().replace("_", "").replace("-", "")
    if wanted is not None and wanted.form == "secret_url" and scheme in ("http", "https"):
        return wanted
    if wanted is not None and scheme.partition("+")[0] in wanted.schemes:
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
    extra = data.get("extra") or {}
    if isinstance(extra, str):
        extra = json.loads(extra)
    connector = _connector(data["conn_type"], wanted)
    is_url = connector.form == "url"
    database = data.get("host") if connector.form == "file" else data.get("schema")
    return Address(
        connector.type,
        host=data.get("host") or "",
        port=int(data["port"]) if data.get("port") else None,
        user=data.get("login") or "",
        password=data.get("password") or "",
        database="" if is_url else (database or ""),
        options={k: str(v) for k, v in extra.items() if not isinstance(v, dict | list)},
        scheme=(data.get("schema") or "http") if is_url else "",
    )
