"""The types that are inferred from text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import pytest

from windlass.connectors.files.reading.infer import infer_types, values_of
from windlass.connectors.scratch import Scratch, identifier

BEYOND_THE_HEAD = 500


@pytest.fixture
def scratch() -> Iterator[Scratch]:
    with Scratch() as scratch:
        yield scratch


def inferred(scratch: Scratch, columns: Mapping[str, Sequence[str | None]]) -> dict[str, str | None]:
    scratch.rows(f"CREATE TABLE given ({', '.join(f'{identifier(name)} VARCHAR' for name in columns)})")
    places = ", ".join("?" for _ in columns)
    scratch.connection.executemany(
        f"INSERT INTO given VALUES ({places})", list(zip(*columns.values(), strict=True))
    )
    return infer_types(scratch, partial(values_of, "given"), list(columns))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1", "-20", None], "BIGINT"),
        (["1", "2", "x"], None),
        (["1", "2", "2.5"], "DOUBLE"),
        (["1", "99999999999999999999"], "DECIMAL(20,0)"),
        (["0.12345678901234567890", "7"], "DECIMAL(21,20)"),
        (["007", "8"], None),
        (["true", "F"], "BOOLEAN"),
        (["true", "1"], None),
        (["2024-02-29", "2023-01-01"], "DATE"),
        (["2024-02-29", "2023-02-29"], None),
        (["2024-02-29 10:00", "2024-02-29T10:00:00.5"], "TIMESTAMP"),
        (["2024-02-29 10:00Z", "2024-02-29 10:00:00+02:00"], "TIMESTAMP WITH TIME ZONE"),
        (["2024-02-29", "2024-02-29 10:00"], None),
        (["1" * 400, "1"], None),
        ([None, None], None),
        (["1", ""], None),
    ],
)
def test_the_narrowest_type_that_all_values_fit(
    values: Sequence[str | None], expected: str | None, scratch: Scratch
) -> None:
    assert inferred(scratch, {"a": values}) == {"a": expected}


@pytest.mark.parametrize(("odd", "expected"), [("x", None), ("0.5", "DOUBLE"), (None, "BIGINT")])
def test_what_the_first_rows_show_is_checked_on_all(
    odd: str | None, expected: str | None, scratch: Scratch
) -> None:
    values = [*map(str, range(BEYOND_THE_HEAD)), odd]
    assert inferred(scratch, {"a": values})["a"] == expected


def test_values_that_begin_behind_the_first_rows_count(scratch: Scratch) -> None:
    assert inferred(scratch, {"a": [*[None] * BEYOND_THE_HEAD, "1.5"]})["a"] == "DOUBLE"


def test_columns_of_any_name_are_told_apart(scratch: Scratch) -> None:
    values = {"name": "1", "value": "x", "kind": "true", "a \"b\" 'c'": "2024-01-01"}
    found = inferred(scratch, {name: [value] for name, value in values.items()})
    assert found == dict(zip(values, ["BIGINT", None, "BOOLEAN", "DATE"], strict=True))
