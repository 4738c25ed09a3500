"""Fixtures that all tests share: real servers, a way to call the command line, and golden files."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn, TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from tests.connectors.azure_container import AzureContainer
from tests.connectors.gcs_bucket import GcsBucket
from tests.connectors.mysql_database import MysqlDatabase
from tests.connectors.s3_bucket import S3Bucket
from tests.connectors.sftp_server import SftpFolder, SftpServer, serving_sftp
from tests.warm import Warm, modules_of_windlass
from windlass import logs, masking
from windlass.connections import Address, parse_address
from windlass.connectors.influxdb.client import Connection as Influxdb
from windlass.connectors.postgres.session import Session
from windlass.devservices import DevServices
from windlass.errors import FatalError, WindlassError
from windlass.locks import locked
from windlass.plan.model import Connection
from windlass.runtimes.docker.engine import Engine, engine_of

# Each worker imports some 800 modules that pytest rewrites for its assertions: once, wherever the environment says that
# Python shall keep no bytecode. What the tests start goes by the environment.
sys.dont_write_bytecode = False

ROOT = Path(__file__).parents[1]
AnyBucket = TypeVar("AnyBucket", AzureContainer, GcsBucket, S3Bucket)
PYTHON = "python:3.12-slim"
"""An image that the tests of containers start from."""

# no test depends on a clock's speed
settings.register_profile("windlass", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("windlass")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite golden files; never in CI")
    parser.addoption("--faults", type=int, default=12, help="how many random kills the fault tests do")
    parser.addoption(
        "--every", action="store_true", help="every case of the tests that play a share of theirs each time"
    )
    # in the environment, so that several workers have the same
    first = int(os.environ.setdefault("WINDLASS_TEST_SEED", str(random.SystemRandom().randrange(10**9))))
    parser.addoption("--seed", type=int, default=first, help="the first seed of the random fault tests")


# Modules whose tests take turns with something that takes long to start: a worker gets all of them.
_TOGETHER = (
    "tests/airflow/test_celery.py",
    "tests/airflow/test_up.py",
    "tests/containers/test_runs.py",
    "tests/examples/test_demo.py",
    "tests/faults/test_servers.py",
    "tests/spark/test_cluster.py",
)
# What waits for others comes first, so that nobody waits for it at the end.
_FIRST = ("airflow", "examples", "faults", "runner", "cli", "report")


WAIT_FOR_TURN = "WINDLASS_WAIT_FOR_TURN"


def plain_environment() -> dict[str, str]:
    """The environment of this machine, without what is meant for windlass; but nobody waits for long."""
    known = {k: v for k, v in os.environ.items() if not k.startswith(("WINDLASS_", "AIRFLOW_CONN_"))}
    return {**known, WAIT_FOR_TURN: os.environ[WAIT_FOR_TURN]}


def pytest_configure(config: pytest.Config) -> None:
    """A shell has what it starts in the background ignore Ctrl-C, and so would what the tests start and interrupt."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.setdefault(
        WAIT_FOR_TURN, "60"
    )  # seconds: a load that waits in vain fails its test, and not in an hour
    if os.environ.get("CI") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(_AtOnce(config), "windlass-at-once")


class _AtOnce:
    """Says at once what failed and what took long: where the whole session is cut off, its end says nothing."""

    LONG = 60  # seconds

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._say(f"{report.nodeid} failed ({report.when}):\n{report.longreprtext}")
        elif report.duration > self.LONG:
            self._say(f"{report.nodeid} took {report.duration:.0f} s ({report.when})")

    def _say(self, text: str) -> None:
        terminal: Any = self._config.pluginmanager.get_plugin("terminalreporter")
        terminal.ensure_newline()
        terminal.write_line(text)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    _leave_out_others(config, items)
    folders = {name: rank for rank, name in enumerate(_FIRST)}
    items.sort(key=lambda item: folders.get(item.path.relative_to(ROOT / "tests").parts[0], len(_FIRST)))


def _leave_out_others(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of a test that is marked `one_of(n)`, every n-th case is played: other ones with the next seed, all by `--every`."""
    if config.getoption("every"):
        return
    cases, chosen = Counter[str](), {}
    for item in items:
        if mark := item.get_closest_marker("one_of"):
            test = item.nodeid.partition("[")[0]
            cases[test] += 1
            chosen[item] = (cases[test] + int(config.getoption("seed"))) % mark.args[0] == 0
    left_out = [item for item in items if not chosen.get(item, True)]
    items[:] = [item for item in items if chosen.get(item, True)]
    config.hook.pytest_deselected(items=left_out)


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are processors: much of what takes long is waited for."""
    return (os.cpu_count() or 1) + 1


class _OneByOne(LoadScopeScheduling):  # type: ignore[misc] # xdist has no types
    """Hands a worker another test whenever it has nearly none left: the longest wait is that for one test."""

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.partition("::")[0]
        if "bigquery" in module:  # whose tests take turns anyway
            return "bigquery"
        return module if module in _TOGETHER else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> _OneByOne:
    return _OneByOne(config, log)


def missing(what: str) -> NoReturn:
    """Skip a test for want of a tool or server; on CI that is a failure."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} is missing, and on CI nothing is skipped")
    pytest.skip(f"{what} is missing")


_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BROWSER_OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
)


def browser_program() -> str:
    """A real browser of this machine."""
    return next(filter(None, map(shutil.which, _BROWSERS)), None) or missing("a browser (chromium)")


@dataclass(frozen=True)
class Output:
    """What a command printed, and its exit code."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)


@pytest.fixture(scope="session")
def warm() -> Iterator[Warm]:
    """Starts commands that need not import anything any more."""
    warm = Warm(*modules_of_windlass())
    yield warm
    warm.close()


@pytest.fixture
def windlass(tmp_path: Path, warm: Warm) -> Callable[..., Output]:
    """Call the command line, in a folder of the test's own, and wait for its end."""

    def call(*arguments: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None) -> Output:
        environment = plain_environment()
        done = warm.run(
            "windlass",
            *map(str, arguments),
            cwd=cwd or tmp_path,
            env={**environment, **(env or {})},
            timeout=300,
        )
        return Output(done.returncode, done.stdout, done.stderr)

    return call


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the workers of a test session share."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if os.environ.get("PYTEST_XDIST_WORKER") else own


@pytest.fixture(scope="session")
def postgres_server(shared: Path) -> Iterator[Address]:
    """A real Postgres, the same for all workers: the first one starts it, and it stops when the last one ends."""
    folder = shared / "postgres"
    services = DevServices(folder, folder)
    yield services.start("server", Connection(type="postgres"))
    services.close()


@pytest.fixture
def make_database(postgres_server: Address) -> Iterator[Callable[[], Address]]:
    """Makes empty databases on the server; they are dropped after the test."""
    made: list[str] = []

    def make() -> Address:
        name = f"test_{uuid4().hex[:12]}"
        _administer(postgres_server, f'CREATE DATABASE "{name}" STRATEGY FILE_COPY')  # the quickest here
        made.append(name)
        return replace(postgres_server, database=name)

    yield make
    for name in made:
        _administer(postgres_server, f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def database(make_database: Callable[[], Address]) -> Address:
    """An empty database."""
    return make_database()


def _administer(server: Address, sql: str) -> None:
    session = Session(server)
    try:
        session.execute(sql)
    finally:
        session.close()


def answering(server: Address, port: int) -> Address:
    """The server, if somebody listens there: else each test of it would wait for minutes, and say less."""
    try:
        socket.create_connection((server.host, server.port or port), timeout=30).close()
    except OSError as exc:
        pytest.fail(f"nobody listens at {server}, which the environment names: {exc}")
    return server


@pytest.fixture(scope="session")
def mongodb_server(shared: Path) -> Iterator[Address]:
    """The MongoDB that `WINDLASS_TEST_MONGODB` names, else one of this machine, the same for all workers."""
    named = os.environ.get("WINDLASS_TEST_MONGODB")
    if named == "none":
        pytest.skip("WINDLASS_TEST_MONGODB says that there is no MongoDB")
    if named is not None:
        yield answering(parse_address(named, "WINDLASS_TEST_MONGODB", "mongodb"), 27017)
        return
    if shutil.which("mongod") is None:
        missing("MongoDB (WINDLASS_TEST_MONGODB, or mongod)")
    folder = shared / "mongodb"
    services = DevServices(folder, folder)
    yield services.start("server", Connection(type="mongodb"))
    services.close()


@pytest.fixture
def mongodb(mongodb_server: Address) -> Iterator[Address]:
    """A new database, which is dropped after the test."""
    from pymongo import MongoClient

    address = replace(mongodb_server, database=f"test_{uuid4().hex[:12]}")
    yield address
    with MongoClient[dict[str, Any]](mongodb_server.uri()) as client:
        client.drop_database(address.database)


@pytest.fixture(scope="session")
def mssql() -> Address:
    """The SQL Server that `WINDLASS_TEST_MSSQL` names. There may be none, on CI, too: none can be started here."""
    return _known_server("WINDLASS_TEST_MSSQL", "mssql")


@pytest.fixture(scope="session")
def oracle() -> Address:
    """The Oracle that `WINDLASS_TEST_ORACLE` names; likewise."""
    return _known_server("WINDLASS_TEST_ORACLE", "oracle")


def _known_server(variable: str, kind: str) -> Address:
    named = os.environ.get(variable, "none")
    if named == "none":
        pytest.skip(f"{variable} names no server, so {kind} is not verified against one")
    return parse_address(named, variable, kind)


@pytest.fixture(scope="session")
def mysql_server() -> Address:
    """The MySQL or MariaDB that `WINDLASS_TEST_MYSQL` names, such as mysql://w:pw@127.0.0.1:3306/t, whose user may do all."""
    named = os.environ.get("WINDLASS_TEST_MYSQL")
    if named == "none":
        pytest.skip("WINDLASS_TEST_MYSQL says that there is no MySQL")
    if named is None:
        missing("MySQL (WINDLASS_TEST_MYSQL)")
    return answering(parse_address(str(named), "WINDLASS_TEST_MYSQL", "mysql"), 3306)


@pytest.fixture
def mysql(mysql_server: Address) -> Iterator[MysqlDatabase]:
    """A new database, which is dropped after the test."""
    name = f"test_{uuid4().hex[:12]}"
    MysqlDatabase(mysql_server).run(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    yield MysqlDatabase(replace(mysql_server, database=name))
    MysqlDatabase(mysql_server).run(f"DROP DATABASE {name}")


@pytest.fixture(scope="session")
def influxdb_server() -> Address:
    """The InfluxDB that `WINDLASS_TEST_INFLUXDB` names, such as http://admin:pw@127.0.0.1:8086, whose user may do all."""
    named = os.environ.get("WINDLASS_TEST_INFLUXDB")
    if named == "none":
        pytest.skip("WINDLASS_TEST_INFLUXDB says that there is no InfluxDB")
    if named is None:
        missing("InfluxDB (WINDLASS_TEST_INFLUXDB)")
    address = parse_address(str(named), "WINDLASS_TEST_INFLUXDB", "influxdb")
    return replace(answering(address, 8086), scheme="influxdb")


@pytest.fixture
def influxdb(influxdb_server: Address) -> Address:
    """A new database; a bucket where the server is given by one, as version 1.8 has both.

    It is dropped when all tests have ended: while one is, what others ask of that server may fail ("engine is closed").
    """
    name = f"{_influxdb_prefix()}{uuid4().hex[:12]}"
    options = {**influxdb_server.options, **({"bucket": name} if "bucket" in influxdb_server.options else {})}
    address = replace(influxdb_server, database=name, options=options)
    connection = Influxdb(address)
    connection.query(f"CREATE DATABASE {name}")
    return address


from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar


def server_of(variable: str) -> str:
    """The address of a server that the environment names; without one the test is skipped, on CI it fails."""
    named = os.environ.get(variable)
    if named == "none":
        pytest.skip(f"{variable} says that there is none")
    if named is None:
        missing(variable)
    return str(named)


@pytest.fixture
def s3() -> Iterator[Callable[[], S3Bucket]]:
    """Makes new buckets on the S3 that `WINDLASS_TEST_S3` names, such as http://127.0.0.1:5000. They go with the test."""
    with _buckets(S3Bucket, server_of("WINDLASS_TEST_S3")) as make:
        yield make


@pytest.fixture
def gcs() -> Iterator[Callable[[], GcsBucket]]:
    """The same on the Google Cloud Storage that `WINDLASS_TEST_GCS` names, such as http://127.0.0.1:4443."""
    with _buckets(GcsBucket, server_of("WINDLASS_TEST_GCS")) as make:
        yield make


@pytest.fixture
def azure() -> Iterator[Callable[[], AzureContainer]]:
    """The same, containers, on the Azurite that `WINDLASS_TEST_AZURE` names, such as http://127.0.0.1:10000."""
    with _buckets(AzureContainer, server_of("WINDLASS_TEST_AZURE")) as make:
        yield make


@pytest.fixture(scope="session")
def sftp_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SftpServer]:
    """A server of SFTP on this machine. The files are those of this machine, too."""
    with serving_sftp(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture
def sftp(sftp_server: SftpServer, tmp_path: Path) -> SftpFolder:
    """A folder of the test's own on it."""
    folder = tmp_path / "served"
    folder.mkdir()
    return SftpFolder(sftp_server, folder)


@contextmanager
def _buckets(kind: Callable[[str, str], AnyBucket], endpoint: str) -> Iterator[Callable[[], AnyBucket]]:
    with ExitStack() as made:

        def make() -> AnyBucket:
            bucket = kind(endpoint, f"test-{uuid4().hex[:16]}")
            made.callback(bucket.remove)
            return bucket

        yield make


@pytest.fixture(scope="session")
def bigquery_server() -> Address:
    """The emulator of BigQuery that `WINDLASS_TEST_BIGQUERY` names, such as http://127.0.0.1:9050; its other port is 9060."""
    named = server_of("WINDLASS_TEST_BIGQUERY")
    place = urlsplit(named)
    assert place.port is not None
    grpc = f"{place.hostname}:{place.port + 10}"
    answering(Address("bigquery", str(place.hostname), place.port), place.port)
    return Address("bigquery", "test", options={"endpoint": named, "grpc": grpc}, scheme="bigquery")


@pytest.fixture
def bigquery(bigquery_server: Address, shared: Path) -> Iterator[Address]:
    """A new dataset, which is dropped after the test. One test at a time has the emulator: asked by several at once, it
    mixes up their answers, and hangs.
    """
    from windlass.connectors.bigquery.client import Connection

    address = replace(bigquery_server, database=f"test_{uuid4().hex[:12]}")
    with locked(shared / "bigquery.lock"), closing(Connection(address)) as connection:
        connection.client.create_dataset(address.database, timeout=60)
        yield address
        connection.client.delete_dataset(address.database, delete_contents=True, timeout=60)


def _influxdb_prefix() -> str:
    return f"test_{os.environ['WINDLASS_TEST_SEED']}_"


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Drop what the tests of all workers have made on a server that is not ours."""
    named = os.environ.get("WINDLASS_TEST_INFLUXDB", "none")
    if named == "none" or hasattr(session.config, "workerinput"):
        return
    server = parse_address(named, "WINDLASS_TEST_INFLUXDB", "influxdb")
    with suppress(WindlassError):
        connection = Influxdb(replace(server, scheme="influxdb", database=server.database or "_internal"))
        for series in connection.query("SHOW DATABASES"):
            for (name,) in series.values:
                if str(name).startswith(_influxdb_prefix()):
                    connection.query(f'DROP DATABASE "{name}"')


@pytest.fixture(scope="session")
def engine() -> Engine:
    """The container engine that `WINDLASS_TEST_DOCKER` names, else the one of this machine; it has an image with Python."""
    named = os.environ.get("WINDLASS_TEST_DOCKER")
    if named == "none":
        pytest.skip("WINDLASS_TEST_DOCKER says that there is no container engine")
    if named is not None:
        os.environ["DOCKER_HOST"] = named
    try:
        found = engine_of()
    except FatalError as exc:
        missing(f"a container engine (WINDLASS_TEST_DOCKER, or one that is found): {exc.message}")
    if not found.client.images(PYTHON):
        found.client.pull(PYTHON)
    return found


@pytest.fixture(autouse=True)
def nothing_stays_in_the_process() -> Iterator[None]:
    """What a test runs in this process says where records go, and learns secrets: both for the rest of the process."""
    sink, secrets = logs._sink, masking.SECRETS._clue_of
    yield
    logs.emit_to(sink)
    masking.SECRETS._clue_of, masking.SECRETS._index = secrets, None


@pytest.fixture
def project(tmp_path: Path) -> Callable[..., Path]:
    """Makes a project of the given files (`{"pipelines/p.yaml": text}`) in a folder of the test's own."""

    def make(files: dict[str, str], name: str = "project") -> Path:
        root = tmp_path / name
        for path, text in {"windlass.yaml": "project: test\n", **files}.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text, encoding="utf-8")
        return root

    return make


@pytest.fixture
def example(tmp_path: Path, shared: Path) -> Callable[[str], Path]:
    """A copy of an example project, without what earlier runs of it left behind.

    The environments of its steps are those of all copies: each is made once in a session.
    """

    def copy(name: str) -> Path:
        target = tmp_path / name
        made = (
            ".windlass",
            "node_modules",
            "__pycache__",
            "downloads",
            "imported_data",
            "processed_data",
            "ensembl*-*.json",
            "raw",
        )
        shutil.copytree(ROOT / "examples" / name, target, ignore=shutil.ignore_patterns(*made))
        (target / ".windlass").mkdir()
        (shared / "envs").mkdir(exist_ok=True)
        (target / ".windlass" / "envs").symlink_to(shared / "envs")
        return target

    return copy


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, Path], None]:
    """Compare text with a golden file, or write that with --update-golden."""

    def compare(text: str, file: Path) -> None:
        if request.config.getoption("--update-golden"):
            assert not os.environ.get("CI"), "golden files are never written on CI"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        assert text == file.read_text(encoding="utf-8"), f"differs from {file}; see --update-golden"

    return compare


@pytest.fixture
def browser(tmp_path: Path) -> Callable[..., str]:
    """Open a page in a real browser, act as `script` says, and return the document as it is then.

    Whatever the browser complains of in its console fails the test.
    """
    program = browser_program()

    def dump(page: Path, script: str = "") -> str:
        if script:
            text = page.read_text(encoding="utf-8")
            page = page.with_name("acted.html")
            page.write_text(text.replace("</html>", f"<script>{script}</script></html>"), encoding="utf-8")
        options = (*BROWSER_OPTIONS, f"--user-data-dir={tmp_path / 'browser'}", "--dump-dom")
        done = subprocess.run(
            [program, *options, page.as_uri()], capture_output=True, text=True, check=True, timeout=120
        )
        assert "CONSOLE" not in done.stderr, done.stderr
        return done.stdout

    return dump
