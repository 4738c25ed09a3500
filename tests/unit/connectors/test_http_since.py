"""The bound that an API is told: below what was loaded, in the form that it wants."""

from __future__ import annotations

import pytest

from windlass.connectors import source
from windlass.connectors.cursors import Family, Mark
from windlass.connectors.http.options import Since
from windlass.connectors.http.since import bound


@pytest.mark.parametrize(
    ("highest", "family", "lookback", "format_", "sent"),
    [
        ("12345678901234567890", "number", None, "iso", 12345678901234567889),
        ("1.5", "number", 0.25, "iso", "0.25"),
        ("-3", "number", 2, "unix", -6),
        ("b", "text", None, "iso", "b"),
        ("2024-03-01", "time", None, "iso", "2024-02-29"),
        ("2024-03-01", "time", "1d", "unix", 1709078400),
        ("2024-03-01 00:00:00.75+00", "time", None, "iso", "2024-02-29T23:59:59Z"),
        ("2024-03-01 00:00:00.75", "time", "1h", "iso", "2024-02-29T22:59:59"),
        ("2024-03-01 02:00:00.75+02", "time", None, "date", "2024-02-29"),
        ("2024-03-01 00:00:00.75+00", "time", None, "unix_ms", 1709251199000),
        ("2024-03-01 00:00:00.75+00", "time", None, "%Y-%m-%d %H:%M:%S", "2024-02-29 23:59:59"),
        ("2024-03-01 12:00:00+00", "time", None, "%d.%m.%Y", "29.02.2024"),
    ],
)
def test_the_bound_lies_below_the_highest_value(
    highest: str, family: Family, lookback: float | str | None, format_: str, sent: object
) -> None:
    mark = Mark("at", highest, family).to_json()
    said = Since(param="since", format=format_, start="first")
    assert bound(said, source.Since(last=mark, cursor="at", lookback=lookback)) == sent
    assert bound(said, source.Since(cursor="at")) == "first"
    assert bound(said, None) == "first"
