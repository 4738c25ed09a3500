"""SQL on BigQuery, for `sql` and `check` tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from windlass.connections import Address
from windlass.connectors.bigquery.client import Connection
from windlass.connectors.bigquery.scripts import refused_in_transaction, statements
from windlass.connectors.database import SqlResult
from windlass.errors import Code, FatalError, did_you_mean

if TYPE_CHECKING:
    from google.cloud.bigquery import QueryJob

__all__ = ["BigqueryDatabase"]


class BigqueryDatabase:
    """A connection. Implements `Database`."""

    def __init__(self, address: Address) -> None:
        self._connection = Connection(address)
        if self._connection.dataset:
            with self._connection.closed_on_error():
                self._connection.require_dataset(self._connection.project, self._connection.dataset)

    def execute(self, script: str, *, transaction: bool = True) -> SqlResult:
        parts = statements(script)
        if not parts:
            return SqlResult()
        if transaction and len(parts) > 1:
            if (word := next(filter(None, map(refused_in_transaction, parts)), None)) is not None:
                raise FatalError(
                    f"BigQuery has no {word} in a transaction",
                    hint="with `transaction: false` statements count one by one; or make it a task of its own",
                )
            script = ";\n".join(("BEGIN TRANSACTION", *parts, "COMMIT TRANSACTION")) + ";"
        job = self._run(script)
        return SqlResult(changed=job.num_dml_affected_rows)

    def query(self, sql: str, limit: int | None = None) -> SqlResult:
        job = self._run(sql.rstrip().rstrip(";"))
        with self._connection.errors():
            found = job.result(max_results=limit, retry=self._connection.retry)
            rows = tuple(tuple(row.values()) for row in found)
        return SqlResult(tuple(field.name for field in found.schema), rows)

    def rehearse(self, script: str) -> int | None:
        job = self._run(script, dry=True)
        return None if job.total_bytes_processed is None else int(job.total_bytes_processed)

    def tables(self) -> list[str]:
        return self._connection.tables()

    def close(self) -> None:
        self._connection.close()

    def _run(self, sql: str, *, dry: bool = False) -> QueryJob:
        try:
            return self._connection.run(sql, dry=dry)
        except FatalError as exc:
            if exc.code is not Code.NO_TABLE:
                raise
            wanted = (
                exc.message.partition("Table ")[2].partition(" ")[0].rpartition(".")[2].rpartition(":")[2]
            )
            raise FatalError(exc.message, hint=did_you_mean(wanted, self.tables()), code=exc.code) from exc
