"""Connections to BigQuery."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

from windlass import logs
from windlass.connections import Address
from windlass.connectors.bigquery.credentials import credentials, is_emulator
from windlass.connectors.bigquery.errors import PATIENCE, bigquery_errors
from windlass.connectors.bigquery.labels import labels
from windlass.connectors.bigquery.sql import TableName
from windlass.cost_log import note_job
from windlass.errors import Code, FatalError, extra

if TYPE_CHECKING:
    from google.cloud.bigquery import Client, QueryJob, Table

__all__ = ["OURS", "Connection"]

OURS = "_windlass"
"""How the names of our own tables begin."""

_SILENCE = 60.0


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

        return DEFAULT_RETRY.with_timeout(PATIENCE)

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
                return self.client.get_table(name.id, retry=self.retry, timeout=PATIENCE)
            except NotFound:
                return None

    def make(self, name: TableName, fields: Any, **properties: Any) -> None:
        """Make a table, if it is not there."""
        from google.cloud.bigquery import Table

        table = Table(name.id, schema=fields)
        for key, value in properties.items():
            setattr(table, key, value)
        with self.errors():
            self.client.create_table(table, exists_ok=True, retry=self.retry, timeout=PATIENCE)

    def require_dataset(self, project: str, dataset: str) -> None:
        """Raise FatalError when there is no such dataset."""
        from google.api_core.exceptions import NotFound

        with self.errors():
            try:
                self.client.get_dataset(f"{project}.{dataset}", retry=self.retry, timeout=PATIENCE)
            except NotFound as exc:
                place = f"{project}:{dataset}"
                hint = f"make it where its data should be, such as: bq mk --dataset --location=EU {place}"
                raise FatalError(f"there is no dataset {place}", hint=hint, code=Code.NO_TABLE) from exc

    def drop(self, name: TableName) -> None:
        """Drop a table, if it is there."""
        with self.errors():
            self.client.delete_table(name.id, not_found_ok=True, retry=self.retry, timeout=PATIENCE)

    def tables(self, dataset: str | None = None) -> list[str]:
        """The names of the tables of the dataset but for ours."""
        wanted = dataset or self.dataset
        if not wanted:
            return []
        with self.errors():
            found = self.client.list_tables(f"{self.project}.{wanted}", retry=self.retry, timeout=PATIENCE)
            return sorted(item.table_id for item in found if not item.table_id.startswith(OURS))

    # --- jobs ---

    def run(self, sql: str, *, job_id: str | None = None, dry: bool = False) -> QueryJob:
        """Run a query or a script to its end. It is cancelled when this process is asked to stop meanwhile."""
        from google.cloud.bigquery import QueryJobConfig

        config = QueryJobConfig(dry_run=dry, use_query_cache=not dry, labels=labels())
        if self.dataset:
            config.default_dataset = f"{self.project}.{self.dataset}"
        if (most := self.address.options.get("maximum_bytes_billed")) is not None:
            config.maximum_bytes_billed = int(_number(self.address, "maximum_bytes_billed", 0, most))
        with self.errors():
            job = self.client.query(
                sql, job_config=config, job_id=job_id, retry=self.retry, timeout=PATIENCE, job_retry=None
            )
            if not dry:
                self._await(job)
        return job

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        job = self.run(sql)
        with self.errors():
            return [tuple(row.values()) for row in job.result(retry=self.retry, timeout=PATIENCE)]

    def listed(self, name: TableName, fields: Any) -> list[tuple[Any, ...]]:
        """These columns of a small table, without a job, which would cost time and money."""
        from google.cloud.bigquery import TableReference

        with self.errors():
            table = TableReference.from_string(name.id)
            found = self.client.list_rows(table, selected_fields=fields, retry=self.retry, timeout=PATIENCE)
            return [tuple(row.values()) for row in found]

    def changed(self, sql: str) -> int:
        """How many rows a statement has changed."""
        return int(self.run(sql).num_dml_affected_rows or 0)

    def _await(self, job: QueryJob) -> None:
        self.await_job(job, lambda: job.result(retry=self.retry, max_results=0, job_retry=None))

    def await_job(self, job: Any, end: Callable[[], object]) -> None:
        """Wait for the end of a job, cancel it when this process is asked to stop meanwhile, and note what it cost."""
        try:
            end()
        except BaseException as exc:
            if not isinstance(exc, Exception):  # a signal
                with suppress(Exception):
                    job.cancel(timeout=5)
            raise
        finally:
            self._note(job)

    def _note(self, job: Any) -> None:
        """Note what a job cost; a load job is free."""
        processed, billed = (
            int(getattr(job, name, None) or 0) for name in ("total_bytes_processed", "total_bytes_billed")
        )
        note_job(processed=processed, billed=billed)
        self._jobs += 1
        self._billed += billed


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
