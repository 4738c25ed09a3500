"""`check` tasks: assertions on a table, a query or a file, all tried, with sample rows of what fails."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from windlass.connectors import scratch
from windlass.connectors.database import Database, identifier, literal
from windlass.errors import Code, FatalError
from windlass.plan.model import Check, Freshness, JsonSchema, RowCount
from windlass.tasks.context import Context, TaskResult
from windlass.tasks.subject import rows_of
from windlass.units import counted

__all__ = ["CheckResult", "ChecksFailedError", "run_check"]

_SAMPLES = 5


@dataclass
class CheckResult:
    """One assertion: what it says, whether it holds, how many rows speak against it, and a few of them."""

    check: str
    passed: bool
    found: str = ""
    failing: int | None = None
    samples: list[dict[str, Any]] = field(default_factory=list)

    def __str__(self) -> str:
        text = f"{self.check}: {self.found or ('holds' if self.passed else 'does not hold')}"
        return text + "".join(f"\n    {sample}" for sample in self.samples)


class ChecksFailedError(FatalError):
    """At least one assertion does not hold; `results` has all of them."""

    code = Code.CHECK_FAILED

    def __init__(self, results: list[CheckResult]) -> None:
        failed = [result for result in results if not result.passed]
        lines = "".join(f"\n  {result}" for result in failed)
        super().__init__(f"{len(failed)} of {len(results)} checks failed{lines}")
        self.results = results


def run_check(action: Check, context: Context) -> TaskResult:
    """Try every assertion. Raises ChecksFailedError when one does not hold."""
    with rows_of(action, context) as (database, rows):
        results = list(_Checker(database, rows).results(action))
        count = int(database.query(f"SELECT count(*) FROM {rows}").rows[0][0])
    if not all(result.passed for result in results):
        raise ChecksFailedError(results)
    return TaskResult(rows_read=count, path="sql", detail={"checks": [asdict(result) for result in results]})


class _Checker:
    """Tries assertions on some rows."""

    def __init__(self, database: Database, rows: str) -> None:
        self._database, self._rows = database, rows

    def results(self, action: Check) -> Iterator[CheckResult]:
        if action.rows is not None:
            yield self._row_count(action.rows)
        for columns in action.unique:
            yield self._unique(columns)
        for column in action.not_null:
            yield self._none(f"{column} is not NULL", f"{self._named(column)} IS NULL")
        for column, values in action.accepted.items():
            accepted = ", ".join(literal(self._database, value) for value in values)
            shown = ", ".join(map(scratch.literal, values))
            yield self._none(f"{column} is one of {shown}", f"{self._named(column)} NOT IN ({accepted})")
        if action.freshness is not None:
            yield self._freshness(action.freshness)
        for expression in action.expressions:
            yield self._none(expression, f"NOT ({expression})")
        if action.json_schema is not None:
            yield self._json_schema(action.json_schema)

    def _row_count(self, expected: RowCount) -> CheckResult:
        count = int(self._value(f"SELECT count(*) FROM {self._rows}"))
        wanted = [
            (f"exactly {expected.exactly}", expected.exactly is None or count == expected.exactly),
            (f"at least {expected.min}", expected.min is None or count >= expected.min),
            (f"at most {expected.max}", expected.max is None or count <= expected.max),
        ]
        said = [text for text, _ in wanted if "None" not in text]
        return CheckResult(
            f"rows: {' and '.join(said)}", all(holds for _, holds in wanted), counted(count, "row")
        )

    def _unique(self, columns: tuple[str, ...]) -> CheckResult:
        names = ", ".join(map(self._named, columns))
        groups = (
            f"SELECT {names}, count(*) AS occurrences FROM {self._rows} GROUP BY {names} HAVING count(*) > 1"
        )
        return self._failing(f"{', '.join(columns)} is unique", groups)

    def _none(self, check: str, condition: str) -> CheckResult:
        """A check that no row satisfies the condition."""
        return self._failing(check, f"SELECT * FROM {self._rows} WHERE {condition}")

    def _failing(self, check: str, query: str) -> CheckResult:
        count = int(self._value(f"SELECT count(*) FROM ({query}) AS failing"))
        if count == 0:
            return CheckResult(check, passed=True, failing=0)
        samples = self._database.query(query, _SAMPLES)
        shown = [dict(zip(samples.columns, row, strict=True)) for row in samples.rows]
        return CheckResult(check, passed=False, found=_against(count), failing=count, samples=shown)

    def _freshness(self, freshness: Freshness) -> CheckResult:
        check = f"{freshness.column} is at most {freshness.within:g} s old"
        newest = _moment(self._value(f"SELECT max({self._named(freshness.column)}) FROM {self._rows}"))
        if newest is None:
            return CheckResult(check, passed=False, found="there is no value")
        age = (datetime.now(UTC) - newest).total_seconds()
        return CheckResult(
            check, age <= freshness.within, f"the newest, {newest.isoformat()}, is {age:.0f} s old"
        )

    def _json_schema(self, schema: JsonSchema) -> CheckResult:
        from windlass.connectors.json_schema import compiled

        error_of = compiled(schema)
        result = self._database.query(f"SELECT * FROM {self._rows}")
        failing: list[dict[str, Any]] = []
        for row in result.rows:
            values = {name: _json_value(value) for name, value in zip(result.columns, row, strict=True)}
            if wrong := error_of(values):
                failing.append({**values, "wrong": wrong[0]})
        found = _against(len(failing)) if failing else ""
        return CheckResult(
            "every row satisfies the JSON Schema", not failing, found, len(failing), failing[:_SAMPLES]
        )

    def _named(self, column: str) -> str:
        return identifier(self._database, column)

    def _value(self, sql: str) -> Any:
        return self._database.query(sql).rows[0][0]


def _against(rows: int) -> str:
    return f"{counted(rows, 'row')} {'speaks' if rows == 1 else 'speak'} against it"


def _moment(value: object) -> datetime | None:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError as exc:
            raise FatalError(f"{value!r} is not a date or time, which `freshness` needs") from exc
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    if value is None:
        return None
    raise FatalError(f"{value!r} is not a date or time, which `freshness` needs")


def _json_value(value: object) -> object:
    """A value of a database as JSON Schema sees it."""
    if isinstance(value, bool | int | float | str | list | dict) or value is None:
        return value
    return value.isoformat() if isinstance(value, date | datetime) else str(value)
