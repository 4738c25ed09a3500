"""What a record is: items of a list, what each of them has, and fields that come to those it has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.connectors.apis import Api, answer
from windlass.connectors.http.options import Source
from windlass.errors import FatalError, WindlassError
from windlass.options import read_options

Read = Callable[..., list[dict[str, Any]]]
Make = Callable[..., Api]

NESTED = '{"list": [{"order": {"id": 1}, "lines": [{"n": 1}, {"n": 2}]}, {"order": {"id": 2}, "lines": []}]}'


@pytest.mark.parametrize(
    ("records", "body", "expected"),
    [
        ("list[].order", NESTED, [{"id": 1}, {"id": 2}]),
        ("list[].lines[]", NESTED, [{"n": 1}, {"n": 2}]),
        ("[].a", '[{"a": {"id": 1}}]', [{"id": 1}]),
        ("a.b[].c.d", '{"a": {"b": [{"c": {"d": {"x": 12345678901234567890}}}]}}', [{"x": 12345678901234567890}]),
        ("a[].b[].c", '{"a": [{"b": [{"c": {"x": 1}}]}, {"b": [{"c": {"x": 2}}]}]}', [{"x": 1}, {"x": 2}]),
        ("to_array(a)", '{"a": {"id": 1}}', [{"id": 1}]),
        ("to_array(@)", '[{"id": 1}, {"id": 2}]', [{"id": 1}, {"id": 2}]),
        ("to_array(@)", '{"id": 12345678901234567890}', [{"id": 12345678901234567890}]),
        ("to_array(a)", '{"b": {}}', "no list of records at 'to_array\\(a\\)'"),
        ("to_array(a)", '{"a": null}', "no list of records at 'to_array\\(a\\)'"),
        ("list[].order", '{"list": [{"order": null}, {"order": {"id": 2}}]}', None),  # a bad row
        ("list[].order", '{"list": [{"id": 7}]}', "item 1 of list has no 'order'"),
        ("list[].lines[]", '{"list": [{"lines": {}}]}', "'lines' of item 1 is not a list"),
        ("list[].order", "{}", "no list of records at 'list\\[\\].order'"),
    ],
)  # fmt: skip
def test_records_may_lie_within_the_items_of_a_list(
    make_api: Make, read: Read, records: str, body: str, expected: Any
) -> None:
    if isinstance(expected, list):
        assert read(make_api(answer(body)), records=records) == expected
    else:
        with pytest.raises(WindlassError, match=expected):
            read(make_api(answer(body)), records=records)


@pytest.mark.parametrize("records", ["[]a", "a[].", "[]..a", "a[][]", "a[1].b", "[a][].b"])
def test_other_ways_to_records_are_refused(records: str) -> None:
    with pytest.raises(FatalError, match="`records` is `\\[\\]` or the keys"):
        read_options(Source, {"path": "/x", "records": records})


def test_fields_may_come_to_those_that_a_record_has(make_api: Make, read: Read) -> None:
    body = '[{"id": 12345678901234567890, "name": "a", "at": {"city": "Lyon"}}, {"id": 2, "name": "b", "at": null}]'
    fields = {"*": "@", "city": "at.city", "name": "id"}
    assert read(make_api(answer(body)), fields=fields) == [
        {"id": 12345678901234567890, "name": 12345678901234567890, "at": {"city": "Lyon"}, "city": "Lyon"},
        {"id": 2, "name": 2, "at": None, "city": None},
    ]
    assert read(make_api(answer(body)), fields={"city": "at.city"}) == [{"city": "Lyon"}, {"city": None}]
    with pytest.raises(FatalError, match="all of a record as"):
        read_options(Source, {"path": "/x", "fields": {"*": "id"}})


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("left", ["3", "2", "0"]),
        ("state != 'done'", ['"a"', '"b"', '"done"']),
        ("state != 'done'", ["null", '"b"', '"done"']),
        ("state == 1", ["1", "1", "null"]),
        ("done != true", ["null", "false", "true"]),
        ("data", ["1", "1", "1"]),
    ],
)
def test_an_answer_says_in_its_own_way_that_it_is_the_last(
    make_api: Make, read: Read, more: str, says: list[str]
) -> None:
    """The cursor goes on and on, as that of an incremental export does."""
    key, pages = more.split()[0], []
    for number, said in enumerate(says):
        data = "[]" if key == "data" and number == 2 else f'[{{"id": {number}}}]'
        other = "" if key == "data" else f'"{key}": {said}, '
        pages.append(answer(f'{{{other}"data": {data}, "next": "c{number}"}}'))
    paginate = {"type": "cursor", "param": "c", "next": "next", "more": more}
    found = read(make_api(*pages), paginate=paginate, records="data")
    assert [row["id"] for row in found] == list(range(2 if key == "data" else 3))
