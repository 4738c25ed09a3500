"""Connections to BigQuery, and what its errors mean here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

from windlass import logs
from windlass.connections import Address
from windlass.connectors.bigquery.credentials import credentials, is_emulator
from windlass.connectors.bigquery.sql import TableName
from windlass.errors import Code, FatalError, RetryableError, WindlassError, extra

if TYPE_CHECKING:
    from google.cloud.bigquery import Client, QueryJob, Table

__all__ = ["OURS", "Connection", "bigquery_errors"]

OURS = "_windlass"
"""How the names of our own tables begin."""

_PATIENCE = 60.0
"""Seconds for which a request is tried again that BigQuery could not answer."""

_SILENCE = 60.0

_NOT_LET_IN = (401, 403)
_PASSING_REASONS = (
    "rateLimitExceeded",
    "backendError",
    "jobRateLimitExceeded",
    "internalError",
    "jobBackendError",
)
_CONFLICTS = ("due to concurrent update", "transaction is aborted", "Conflict on")
"""What BigQuery says where two transactions have changed the same table; the last one is an emulator's word."""


class Connection:
    """A client, and the project and dataset that its address names."""

    def __init__(self, address: Address) -> None:
        with extra("bigquery connections", "bigquery"):
            from google.cloud import bigquery
        from google.api_core.client_options import ClientOptions

        if not address.host:
            hint = "expected an address such as bigquery://project/dataset"
            message = f"the address in {address.origin} names no project"
            raise FatalError(message, hint=hint, code=Code.UNREADABLE_ADDRESS)
        self.address, self.project, self.dataset = address, address.host, address.database.strip("/")
        self.where = f"bigquery project {self.project}"
        self.silence = _number(address, "silence", _SILENCE)
        self._jobs = self._billed = 0  # what has been run, and its cost
        endpoint = address.options.get("endpoint")
        with self.errors():
            self._credentials = credentials(address)
            self.client: Client = bigquery.Client(
                project=self.project,
                credentials=self._credentials,
                location=address.options.get("location"),
                client_options=ClientOptions(api_endpoint=endpoint) if endpoint else None,
            )

    def close(self) -> None:
        if self._jobs:
            logs.info("bigquery_jobs", jobs=self._jobs, bytes_billed=self._billed)
            self._jobs = 0
        self.client.close()  # type: ignore[no-untyped-call]
        for name in ("writer", "reader"):
            if name in self.__dict__:
                getattr(self, name).transport.close()

    @contextmanager
    def closed_on_error(self) -> Iterator[None]:
        """A context that closes the connection when something goes wrong in it."""
        try:
            yield
        except BaseException:
            self.close()
            raise

    def errors(self) -> Any:
        """A context in which the driver's exceptions become ours."""
        return bigquery_errors(self.where)

    @property
    def retry(self) -> Any:
        """How requests are tried again."""
        from google.cloud.bigquery.retry import DEFAULT_RETRY

        return DEFAULT_RETRY.with_timeout(_PATIENCE)

    # --- the Storage interfaces ---

    @cached_property
    def writer(self) -> Any:
        """The client of the Storage Write interface."""
        from google.cloud.bigquery_storage_v1 import BigQueryWriteClient
        from google.cloud.bigquery_storage_v1.services.big_query_write.transports import (
            BigQueryWriteGrpcTransport,
        )

        return self._storage(BigQueryWriteClient, BigQueryWriteGrpcTransport)

    @cached_property
    def reader(self) -> Any:
        """The client of the Storage Read interface."""
        from google.cloud.bigquery_storage_v1 import BigQueryReadClient
        from google.cloud.bigquery_storage_v1.services.big_query_read.transports import (
            BigQueryReadGrpcTransport,
        )

        return self._storage(BigQueryReadClient, BigQueryReadGrpcTransport)

    def _storage(self, client: Any, transport: Any) -> Any:
        place = self.address.options.get("grpc")
        if place is None:
            return client(credentials=self._credentials)
        if not is_emulator(self.address):
            return client(transport=transport(host=place, credentials=self._credentials))
        import grpc

        unlimited = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        return client(transport=transport(channel=grpc.insecure_channel(place, options=unlimited)))

    # --- tables ---

    def table_name(self, written: str) -> TableName:
        return TableName(written, self.project, self.dataset)

    def table(self, name: TableName) -> Table | None:
        """What there is of that name."""
        from google.api_core.exceptions import NotFound

        with self.errors():
            try:
                return self.client.get_table(name.id, retry=self.retry, timeout=_PATIENCE)
            except NotFound:
                return None

    def make(self, name: TableName, fields: Any, **properties: Any) -> None:
        """Make a table, if it is not there."""
        from google.cloud.bigquery import Table

        table = Table(name.id, schema=fields)
        for key, value in properties.items():
            setattr(table, key, value)
        with self.errors():
            self.client.create_table(table, exists_ok=True, retry=self.retry, timeout=_PATIENCE)

    def require_dataset(self, project: str, dataset: str) -> None:
        """Raise FatalError when there is no such dataset."""
        from google.api_core.exceptions import NotFound

        with self.errors():
            try:
                self.client.get_dataset(f"{project}.{dataset}", retry=self.retry, timeout=_PATIENCE)
            except NotFound as exc:
                place = f"{project}:{dataset}"
                hint = f"make it where its data should be, such as: bq mk --dataset --location=EU {place}"
                raise FatalError(f"there is no dataset {place}", hint=hint, code=Code.NO_TABLE) from exc

    def drop(self, name: TableName) -> None:
        """Drop a table, if it is there."""
        with self.errors():
            self.client.delete_table(name.id, not_found_ok=True, retry=self.retry, timeout=_PATIENCE)

    def tables(self, dataset: str | None = None) -> list[str]:
        """The names of the tables of the dataset but for ours."""
        wanted = dataset or self.dataset
        if not wanted:
            return []
        with self.errors():
            found = self.client.list_tables(f"{self.project}.{wanted}", retry=self.retry, timeout=_PATIENCE)
            return sorted(item.table_id for item in found if not item.table_id.startswith(OURS))

    # --- jobs ---

    def run(self, sql: str, *, job_id: str | None = None, dry: bool = False) -> QueryJob:
        """Run a query or a script to its end. It is cancelled when this process is asked to stop meanwhile."""
        from google.cloud.bigquery import QueryJobConfig

        config = QueryJobConfig(dry_run=dry, use_query_cache=not dry, labels={"windlass": "1"})
        if self.dataset:
            config.default_dataset = f"{self.project}.{self.dataset}"
        if (most := self.address.options.get("maximum_bytes_billed")) is not None:
            config.maximum_bytes_billed = int(_number(self.address, "maximum_bytes_billed", 0, most))
        with self.errors():
            job = self.client.query(
                sql, job_config=config, job_id=job_id, retry=self.retry, timeout=_PATIENCE, job_retry=None
            )
            if not dry:
                self._await(job)
        return job

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        job = self.run(sql)
        with self.errors():
            return [tuple(row.values()) for row in job.result(retry=self.retry, timeout=_PATIENCE)]

    def listed(self, name: TableName, fields: Any) -> list[tuple[Any, ...]]:
        """These columns of a small table, without a job, which would cost time and money."""
        from google.cloud.bigquery import TableReference

        with self.errors():
            table = TableReference.from_string(name.id)
            found = self.client.list_rows(table, selected_fields=fields, retry=self.retry, timeout=_PATIENCE)
            return [tuple(row.values()) for row in found]

    def changed(self, sql: str) -> int:
        """How many rows a statement has changed."""
        return int(self.run(sql).num_dml_affected_rows or 0)

    def _await(self, job: QueryJob) -> None:
        try:
            job.result(retry=self.retry, max_results=0, job_retry=None)
        except BaseException as exc:
            if not isinstance(exc, Exception):  # a signal
                with suppress(Exception):
                    job.cancel(timeout=5)
            raise
        self._jobs += 1
        self._billed += job.total_bytes_billed or 0


@contextmanager
def bigquery_errors(where: str) -> Iterator[None]:
    """Turn the driver's exceptions into ours."""
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError
    from requests.exceptions import RequestException

    try:
        yield
    except GoogleAuthError as exc:
        raise _not_let_in(where, exc) from exc
    except GoogleAPIError as exc:
        raise _translated(where, exc) from exc
    except (RequestException, ConnectionError, TimeoutError) as exc:
        raise RetryableError(
            f"{where} cannot be reached: {_first_line(exc)}", code=Code.CONNECTION_LOST
        ) from exc


def _not_let_in(where: str, exc: Any) -> WindlassError:
    said = _first_line(exc)
    if getattr(exc, "retryable", False):
        return RetryableError(f"no access token for {where}: {said}", code=Code.CONNECTION_LOST)
    hint = (
        "log in with `gcloud auth application-default login`, let the machine have a service account, or name the file of "
        "one in the address: ?key_file=…"
    )
    return FatalError(f"no credentials for {where}: {said}", hint=hint, code=Code.NOT_LET_IN)


def _translated(where: str, exc: Any) -> WindlassError:
    from google.api_core import exceptions

    code, said = getattr(exc, "code", None), _first_line(exc)
    cause = getattr(exc, "cause", None)
    if isinstance(exc, exceptions.RetryError) and cause is not None:
        return RetryableError(
            f"{where} did not answer in {_PATIENCE:g} s: {_first_line(cause)}", code=Code.CONNECTION_LOST
        )
    if any(word in str(exc) for word in _CONFLICTS):
        return RetryableError(f"{where}: {said}", code=Code.MAY_WORK_LATER)
    if _reason(exc) in _PASSING_REASONS or isinstance(
        exc, exceptions.ServerError | exceptions.TooManyRequests
    ):
        return RetryableError(f"{where}: {said}", code=Code.CONNECTION_LOST)
    if code in _NOT_LET_IN:
        hint = "the account needs the roles BigQuery Data Editor on the dataset and BigQuery Job User on the project"
        return FatalError(f"{where} does not let us in: {said}", hint=hint, code=Code.NOT_LET_IN)
    if isinstance(exc, exceptions.NotFound) and "able" in said:
        return FatalError(f"{where}: {said}", code=Code.NO_TABLE)
    return FatalError(f"{where}: {said}")


def _reason(exc: Any) -> str:
    errors = getattr(exc, "errors", None) or [{}]
    first = errors[0]
    return str(first.get("reason", "")) if isinstance(first, Mapping) else ""


def _first_line(exc: object) -> str:
    """What the driver says, without the request and without what it says again."""
    text = str(getattr(exc, "message", None) or exc).strip().split("\n", 1)[0]
    for beginning in ("POST ", "GET ", "PATCH ", "DELETE "):
        if text.startswith(beginning):
            text = text.partition("prettyPrint=false: ")[2] or text
    return text.partition("; reason: ")[0]


def _number(address: Address, option: str, default: float, text: str | None = None) -> float:
    text = text or address.options.get(option) or str(default)
    try:
        number = float(text)
    except ValueError:
        number = 0
    if not 0 < number < float("inf"):
        message = f"the connection in {address.origin} has {option}={text}: expected a number above 0"
        raise FatalError(message, code=Code.UNREADABLE_ADDRESS)
    return number
