"""The connectors and runtimes there are. Nothing but a connector's own folder, and its line here, names it.

A connector is found by the type that a connection is declared with, or by the scheme of an address. Its parts
are given by dotted path and imported when they are used, so that `windlass validate` needs no driver.

Others are added by packages: an entry point of the group `windlass.connectors`, whose name is the type and whose
object is a `Connector`. They are looked for only when a type is not one of ours, or when all are asked for, so
that a task starts without a look at every package that is installed. So it is with runtimes (`windlass.runtimes`),
which the files of a project name too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, Literal, TypeAlias

from msgspec import Struct, field

from windlass.errors import Code, FatalError
from windlass.plugins import Table

__all__ = [
    "FILES",
    "OF_IMAGES",
    "OF_THIS_MACHINE",
    "RUNTIMES",
    "SCRATCH",
    "USUAL_DATABASE",
    "Connector",
    "Container",
    "Form",
    "all_connectors",
    "by_scheme",
    "find",
    "is_built_in",
    "load",
    "require",
    "types",
]

Form: TypeAlias = Literal["server", "file", "url", "secret_url", "store"]
"""What an address is made of: a server with a database; the path of a file; a URL; one that is a secret; or a bucket."""

FILES = "files"
"""The connector of what has a path and no connection."""

USUAL_DATABASE = "postgres"
"""The connector of a database that is declared for somebody who has not said which it is."""

SCRATCH = "duckdb"
"""The connector whose SQL runs where no connection is named: over files, in memory."""


class Container(Struct, frozen=True, kw_only=True):
    """A server in a container of a public image, which a compose file can have."""

    image: str
    port: int
    user: str
    database: str
    password: str
    """The variable that has the password of the user."""

    data: str
    """The folder of its data."""

    init: str
    """The folder of files that it executes when it begins."""

    healthy: str
    """A command in it that fails while the server is not there."""


class Connector(Struct, frozen=True, kw_only=True):
    """What is known of a system without importing its driver. A part that it does not have is None.

    Parts are given as `module:attribute`.
    """

    type: str
    """The type of its connections."""

    form: Form | None
    """What its addresses are made of; None where there are no connections of it."""

    schemes: tuple[str, ...] = ()
    """What its addresses begin with; those of Airflow, too."""

    schemes_if_declared: tuple[str, ...] = ()
    """What else they begin with where a connection is declared as one of this type, each in the place of one of `schemes`;
    by itself such an address is another's."""

    example: str = ""
    """An address, for hints."""

    open_options: tuple[str, ...] = ()
    """The options of its addresses, `?name=value`, that anybody may see. Any other is a secret."""

    extra: str | None = None
    """The extra of windlass that brings its packages. None for a connector of another package, which brings them itself."""

    packages: tuple[str, ...] = ()
    """The packages that it needs."""

    source: str | None = None
    """`open(end) -> Source`: it can be read."""

    destination: str | None = None
    """`open(end) -> Destination`: it can be written."""

    store: str | None = None
    """`open(bucket, address | None) -> Store`: it has objects, and a path may begin with one of its schemes. Without a
    `destination` they are only read."""

    sql: str | None = None
    """`connect(address) -> Database`: it runs SQL."""

    engine: str | None = None
    """`connect(address, name) -> Workers`: it has processes on other machines, among which the pieces of a copy are spread.
    `name` is the same for every start of the same load."""

    alert: str | None = None
    """`send(address, message)`: it tells somebody, in a form of its own, what became of a run, or what a task found."""

    alert_over: Literal["http", "mail"] = "http"
    """What it tells that over: a fixture test has a server for each, which keeps what it is sent."""

    alert_is_open: bool = False
    """What it tells of a failure stays open until it is told of the recovery, which it therefore always is."""

    dev_service: str | None = None
    """`start(service) -> Address`: a throw-away stand-in."""

    fresh: str | None = None
    """`fresh(address, name)`: a context manager with the address of a copy of the dev service's database, of its own. None
    where a dev service is started for each case."""

    container: Container | None = None
    """The stand-in of a compose file."""

    address_key: str | None = None
    """The key of its `Connection` that has an address without secrets, for what is configured nowhere."""

    options: str | None = None
    """The module of the models of its own keys: `Source` in `from:`, `Destination` in `to:`, `Connection` beside the
    type of a connection, `DevService` in its `dev:`."""

    several_hosts: bool = False
    """An address may name several hosts, each with its port, as `a:1,b:2`: the members of a cluster."""

    rows_in: str = "table"
    """The key of `from:` and `to:` that names what rows are in. `windlass copy NAME:ROWS` sets it, and so does `?KEY=ROWS` of
    an address."""

    told_by_address: tuple[str, ...] = ()
    """What other keys of its ends `windlass copy` takes from an address. Where the default is a list, commas separate items."""

    port: int | None = None
    """Where its servers listen if an address does not say; for names only, a driver knows it anyway."""

    schema: str = ""
    """What a table is in whose name has no schema."""

    loads_in_parts: bool = False
    """The parts of one copy may be loads of their own there, at the same time."""

    splits: bool = False
    """Its tables can be read in ranges of a column: its sources are `Splittable`."""

    loads_objects: str | None = None
    """`(source, load, reading, copy) -> Shortcut | None`: it reads objects of a store by itself, under conditions."""

    met_no_server: bool = False
    """No test of ours has been run against a server of it: the manual and `windlass doctor` say so."""

    shortcuts: Mapping[str, str] = field(default_factory=dict)
    """Shorter paths: the type of a destination, and the function that knows the way from here to there."""

    @property
    def has_store_to_write(self) -> bool:
        """Whether it has objects that are not only read."""
        return self.store is not None and self.destination is not None


CONNECTORS: Table[Connector] = Table(
    "connector",
    "windlass.connectors",
    {
        "adbc": "windlass.connectors.adbc.connector:CONNECTOR",
        "azure": "windlass.connectors.azure.connector:CONNECTOR",
        "bigquery": "windlass.connectors.bigquery.connector:CONNECTOR",
        "dlt": "windlass.connectors.dlt.connector:CONNECTOR",
        "duckdb": "windlass.connectors.duckdb.connector:CONNECTOR",
        "files": "windlass.connectors.files.connector:CONNECTOR",
        "gcs": "windlass.connectors.gcs.connector:CONNECTOR",
        "http": "windlass.connectors.http.connector:CONNECTOR",
        "influxdb": "windlass.connectors.influxdb.connector:CONNECTOR",
        "mongodb": "windlass.connectors.mongodb.connector:CONNECTOR",
        "mssql": "windlass.connectors.mssql.connector:CONNECTOR",
        "mysql": "windlass.connectors.mysql.connector:CONNECTOR",
        "oracle": "windlass.connectors.oracle.connector:CONNECTOR",
        "pagerduty": "windlass.connectors.pagerduty.connector:CONNECTOR",
        "postgres": "windlass.connectors.postgres.connector:CONNECTOR",
        "s3": "windlass.connectors.s3.connector:CONNECTOR",
        "sftp": "windlass.connectors.sftp.connector:CONNECTOR",
        "slack": "windlass.connectors.slack.connector:CONNECTOR",
        "smtp": "windlass.connectors.smtp.connector:CONNECTOR",
        "spark": "windlass.connectors.spark.connector:CONNECTOR",
        "sqlite": "windlass.connectors.sqlite.connector:CONNECTOR",
        "teams": "windlass.connectors.teams.connector:CONNECTOR",
        "webhook": "windlass.connectors.webhook.connector:CONNECTOR",
    },
)

OF_THIS_MACHINE, OF_IMAGES = "process", "docker"

RUNTIMES: Table[Any] = Table(
    "runtime",
    "windlass.runtimes",
    {
        OF_THIS_MACHINE: "windlass.runtimes.process:ProcessRuntime",
        OF_IMAGES: "windlass.runtimes.docker.runtime:DockerRuntime",
    },
)
"""Each is a `RuntimeFactory` of `windlass.runtimes`."""


def find(kind: str) -> Connector | None:
    """The connector of that type. Raises FatalError when the package that brings it is broken."""
    found: object = CONNECTORS.find(kind)
    if found is None or (isinstance(found, Connector) and found.type == kind):
        return found
    raise FatalError(f"what a package calls the connector {kind!r} is {found!r}")


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
    return any(name in require(kind).schemes for kind in CONNECTORS.own)


def by_scheme(scheme: str) -> Connector | None:
    """The connector whose addresses begin so, such as `postgresql` or `postgresql+psycopg2`."""
    name = scheme.lower().partition("+")[0]
    return next((connector for connector in _in_turn() if name in connector.schemes), None)


def all_connectors() -> list[Connector]:
    """Every connector, ours and those that are installed, by type."""
    return [require(kind) for kind in sorted(CONNECTORS.names())]


def _in_turn() -> Iterator[Connector]:
    """Ours, and then those of packages: nobody looks for them when it is one of ours."""
    yield from map(require, CONNECTORS.own)
    yield from (require(kind) for kind in CONNECTORS.names() if kind not in CONNECTORS.own)


def types() -> list[str]:
    """The types that a connection can have."""
    return [connector.type for connector in all_connectors() if connector.form is not None]


def load(part: str) -> Any:
    """Import one part of a connector: `module:attribute`."""
    module, _, attribute = part.partition(":")
    loaded: Any = import_module(module)
    return getattr(loaded, attribute) if attribute else loaded
