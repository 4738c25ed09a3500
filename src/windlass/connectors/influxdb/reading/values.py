"""The columns of an answer and their types.

Of a measurement the server says the types; the values of a query tell them: numbers are whole if all of them are. A time has
microseconds, with a zone; or nanoseconds, without one, where some value needs them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from windlass.connectors.influxdb.answers import Series
from windlass.connectors.matching import alike
from windlass.errors import FatalError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Values"]

_TIME = "time"
_MICROSECOND = 1000
_LARGEST = 2**63 - 1


class Values:
    """What has been seen of an answer. `name` is what errors call it, `types` are those that are known."""

    def __init__(self, name: str, types: Mapping[str, str]) -> None:
        self._name, self._known = name, types
        self._seen: dict[str, set[type]] = {}
        self._is_fine = False
        self.rows = 0

    def see(self, series: Series) -> None:
        """Look at some rows."""
        self.rows += len(series.values)
        for tag in series.tags:
            self._seen.setdefault(tag, set()).add(str)
        for position, name in enumerate(series.columns):
            seen = self._seen.setdefault(name, set())
            if name == _TIME:
                self._is_fine = self._is_fine or any(row[position] % _MICROSECOND for row in series.values)
            elif name not in self._known:
                seen.update(_kind(row[position]) for row in series.values)

    def schema(self) -> pa.Schema:
        """The columns. Raises FatalError for names that cannot stand beside each other in a table."""
        import pyarrow as pa

        if twice := alike(list(self._seen)):
            shown = ", ".join(map(repr, twice))
            hint = "give them other names in a `query`: SELECT a AS b"
            raise FatalError(f"{self._name}: the columns {shown} differ only in case", hint=hint)
        return pa.schema([(name, self._type(name)) for name in self._seen])

    def batch(self, series: Series) -> pa.RecordBatch:
        """Rows of the answer."""
        import pyarrow as pa

        schema, count = self.schema(), len(series.values)
        given = dict(zip(series.columns, zip(*series.values, strict=True), strict=True))
        given |= {tag: (value or None,) * count for tag, value in series.tags.items()}
        arrays = [self._array(each.name, given.get(each.name, (None,) * count), each.type) for each in schema]
        return pa.RecordBatch.from_arrays(arrays, schema=schema)

    def _array(self, name: str, values: tuple[Any, ...], kind: pa.DataType) -> pa.Array:
        import pyarrow as pa

        if name == _TIME:
            values = values if self._is_fine else tuple(value // _MICROSECOND for value in values)
            return pa.array(values, pa.int64()).cast(kind)
        if pa.types.is_floating(kind):
            values = tuple(None if value is None else float(value) for value in values)
        return pa.array(values, kind)

    def _type(self, name: str) -> pa.DataType:
        import pyarrow as pa

        if name == _TIME:
            return pa.timestamp("ns") if self._is_fine else pa.timestamp("us", tz="UTC")
        known = {
            "integer": pa.int64(),
            "unsigned": pa.uint64(),
            "float": pa.float64(),
            "boolean": pa.bool_(),
            "string": pa.string(),
        }
        return known.get(self._known.get(name, ""), self._type_seen(name))

    def _type_seen(self, name: str) -> pa.DataType:
        import pyarrow as pa

        seen = self._seen[name] - {type(None)}
        if seen == {bool}:
            return pa.bool_()
        if seen and seen <= {int, _Huge}:
            return pa.uint64() if _Huge in seen else pa.int64()
        return pa.float64() if seen and seen <= {int, float} else pa.string()


class _Huge:
    """A whole number that has no sign."""


def _kind(value: Any) -> type:
    return _Huge if isinstance(value, int) and value > _LARGEST else type(value)
