"""The connectors there are. Nothing but a connector's own folder, and its line here, names it.

A connector is found by the type that a connection is declared with, or by the scheme of an address. Its parts
are given by dotted path and imported when they are used, so that `windlass validate` needs no driver.

Others are added by packages: an entry point of the group `windlass.connectors`, whose name is the type and whose
object is a `Connector`. They are looked for only when a type is not one of ours, or when all are asked for, so
that a task starts without a look at every package that is installed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import Any, Literal, TypeAlias

from windlass.errors import Code, FatalError

__all__ = [
    "FILES",
    "SCRATCH",
    "Connector",
    "Form",
    "all_connectors",
    "by_scheme",
    "find",
    "is_built_in",
    "load",
    "require",
    "types",
]

Form: TypeAlias = Literal["server", "file", "url", "secret_url"]
"""What an address is made of: a server with a database; the path of a file; a URL; or one that is a secret."""

_BUILT_IN = {
    "duckdb": "windlass.connectors.duckdb.connector",
    "files": "windlass.connectors.files.connector",
    "http": "windlass.connectors.http.connector",
    "postgres": "windlass.connectors.postgres.connector",
    "slack": "windlass.connectors.slack.connector",
    "sqlite": "windlass.connectors.sqlite.connector",
}
FILES = "files"
"""The connector of what has a path and no connection."""

SCRATCH = "duckdb"
"""The connector whose SQL runs where no connection is named: over files, in memory."""

_GROUP = "windlass.connectors"


@dataclass(frozen=True, slots=True, kw_only=True)
class Connector:
    """What is known of a system without importing its driver. A part that it does not have is None.

    Parts are given as `module:attribute`.
    """

    type: str
    """The type of its connections."""

    form: Form | None
    """What its addresses are made of; None where there are no connections of it."""

    schemes: tuple[str, ...] = ()
    """What its addresses begin with; those of Airflow, too."""

    example: str = ""
    """An address, for hints."""

    open_options: tuple[str, ...] = ()
    """The options of its addresses, `?name=value`, that anybody may see. Any other is a secret."""

    extra: str | None = None
    """The extra of windlass that brings its packages, or how else they are installed."""

    packages: tuple[str, ...] = ()
    """The packages that it needs."""

    source: str | None = None
    """`open(end) -> Source`: it can be read."""

    destination: str | None = None
    """`open(end) -> Destination`: it can be written."""

    sql: str | None = None
    """`connect(address) -> Database`: it runs SQL."""

    alert: str | None = None
    """`send(address, alert)`: it tells somebody that a run failed."""

    dev_service: str | None = None
    """`start(service) -> Address`: a throw-away stand-in."""

    options: str | None = None
    """The module of the models of its own keys: `Source` in `from:`, `Destination` in `to:`, `DevService` in `dev:`."""

    loads_in_parts: bool = False
    """The parts of one copy between two of them may be loads of their own, at the same time."""

    shortcuts: Mapping[str, str] = field(default_factory=dict)
    """Shorter paths: the type of a destination, and the function that knows the way from here to there."""


def find(kind: str) -> Connector | None:
    """The connector of that type."""
    if kind in _BUILT_IN:
        return _built_in(kind)
    return next((connector for connector in _installed() if connector.type == kind), None)


def require(kind: str) -> Connector:
    """The connector of a type that was found before. Raises FatalError when it is not installed here."""
    connector = find(kind)
    if connector is None:
        hint = f"known: {', '.join(types())}; others come with packages that have to be installed here, too"
        raise FatalError(f"there is no connector for {kind!r}", hint=hint, code=Code.UNKNOWN_PLUGIN)
    return connector


def is_built_in(scheme: str) -> bool:
    """Whether addresses that begin so are of a connector of ours."""
    name = scheme.lower().partition("+")[0].replace("_", "").replace("-", "")
    return any(name in _built_in(kind).schemes for kind in _BUILT_IN)


def by_scheme(scheme: str) -> Connector | None:
    """The connector whose addresses begin so, such as `postgresql` or `postgresql+psycopg2`."""
    name = scheme.lower().partition("+")[0]
    if name in _BUILT_IN and name in _built_in(name).schemes:
        return _built_in(name)
    ours = next((c for c in map(_built_in, _BUILT_IN) if name in c.schemes), None)
    return ours or next((c for c in _installed() if name in c.schemes), None)


def all_connectors() -> list[Connector]:
    """Every connector, ours and those that are installed, by type."""
    found = {connector.type: connector for connector in (*_installed(), *map(_built_in, _BUILT_IN))}
    return [found[kind] for kind in sorted(found)]


def types() -> list[str]:
    """The types that a connection can have."""
    return [connector.type for connector in all_connectors() if connector.form is not None]


def load(part: str) -> Any:
    """Import one part of a connector: `module:attribute`."""
    module, _, attribute = part.partition(":")
    loaded: Any = import_module(module)
    return getattr(loaded, attribute) if attribute else loaded


@cache
def _built_in(kind: str) -> Connector:
    connector: Connector = import_module(_BUILT_IN[kind]).CONNECTOR
    return connector


@cache
def _installed() -> tuple[Connector, ...]:
    return tuple(_from_entry_points())


def _from_entry_points() -> Iterator[Connector]:
    from importlib.metadata import entry_points

    for entry in entry_points(group=_GROUP):
        try:
            connector = entry.load()
        except Exception as exc:  # whatever somebody else's module does
            raise FatalError(f"the entry point {entry.value} of {_GROUP} cannot be loaded: {exc}") from exc
        if not isinstance(connector, Connector) or connector.type != entry.name:
            raise FatalError(
                f"the entry point {entry.value} of {_GROUP} is not a Connector called {entry.name!r}"
            )
        if entry.name not in _BUILT_IN:
            yield connector
