"""A request for each of other rows: which values go where, in which order records come, and what is an error."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Output
from tests.connectors.apis import Api, Asked, answer
from windlass.connectors.http.options import Parent
from windlass.connectors.http.options import Source as HttpSource
from windlass.connectors.http.parents import side_by_side
from windlass.errors import FatalError, WindlassError
from windlass.options import read_options
from windlass.testing import Copier, destination_of, source_of

Read = Callable[..., list[dict[str, Any]]]
Make = Callable[..., Api]


def echo(asked: Asked) -> bytes:
    """One record: what was asked for."""
    return answer(json.dumps([{"path": asked.path, "body": asked.body.decode()}]))


def test_values_go_into_path_query_headers_and_body_and_their_fields_into_records(
    make_api: Make, copier: Copier
) -> None:
    api = make_api(answering=echo)
    copier.addresses["api"] = api.address
    source = source_of(
        connection="api",
        path="/a/{issue.id}/b",
        method="POST",
        query={"n": "x{issue.of.n}", "all": True},
        headers={"X-Id": "{issue.of.n}"},
        retry={"attempts": 1},
        body={"id": "{issue.of.n}", "text": "n is {issue.of.n}, {other}", "query": "{issue.of.n { x } }"},
        parent={
            "as": "issue",
            "values": [{"id": "ä/b?", "of": {"n": 7}}, {"id": True, "of": {"n": 12345678901234567890}}],
            "fields": {"issue": "id", "n": "of.n"},
        },
    )
    copier(source, destination_of(path="out.ndjson"))
    assert [(asked.path, asked.headers["x-id"]) for asked in api.asked] == [
        ("/v1/a/%C3%A4%2Fb%3F/b?n=x7&all=true", "7"),
        ("/v1/a/true/b?n=x12345678901234567890&all=true", "12345678901234567890"),
    ]
    assert json.loads(api.asked[0].body) == {
        "id": 7,
        "text": "n is 7, {other}",
        "query": "{issue.of.n { x } }",
    }
    assert json.loads(api.asked[1].body)["id"] == 12345678901234567890
    rows = [json.loads(line) for line in (copier.folder / "out.ndjson").read_text().splitlines()]
    assert [row["n"] for row in rows] == [7, 12345678901234567890]


def test_parents_may_be_values_a_file_a_table_or_another_api_and_are_asked_for_in_order(
    make_api: Make, read: Read, copier: Copier
) -> None:
    """Each with several pages, which may be the same as those of another parent; also side by side."""
    numbers = [3, 1, 2, 11, 5]
    (copier.folder / "ids.csv").write_text("id\n" + "".join(f"{number:03}\n" for number in numbers))
    (copier.folder / "ids.ndjson").write_text("".join(f'{{"id": {number}}}\n' for number in numbers))
    copier(source_of(path="ids.ndjson"), destination_of(connection="sqlite", table="ids"), run_key="prepare")
    copier.addresses["other"] = make_api(
        answering=lambda _: answer(json.dumps({"ids": [{"id": number} for number in numbers]}))
    ).address

    def pages(asked: Asked) -> bytes:
        page, number = int(asked.query["page"]), int(asked.path.split("/")[2].split("?")[0])
        return answer(json.dumps([{"of": number, "page": 0 if page == 1 else page}] if page < 3 else []))

    for parent in (
        {"values": numbers, "as": "id"},
        {"path": "ids.csv"},
        {"path": "ids.ndjson"},
        {"connection": "sqlite", "table": "ids"},
        {"connection": "sqlite", "query": "SELECT id FROM ids ORDER BY rowid"},
        {"connection": "other", "path": "/ids", "records": "ids"},
    ):
        for concurrency in (1, 3):
            api = make_api(answering=pages)
            named = "{id}" if "values" in parent else "{parent.id}"
            copier.addresses["api"] = api.address
            source = source_of(
                connection="api",
                path=f"/{named}",
                parent={**parent, "concurrency": concurrency},
                paginate={"type": "page_number"},
            )
            copier(source, destination_of(path="out.ndjson"))
            found = [json.loads(line) for line in (copier.folder / "out.ndjson").read_text().splitlines()]
            assert [(row["of"], row["page"]) for row in found] == [(n, p) for n in numbers for p in (0, 2)]
            if "path" in parent and "csv" in parent["path"]:
                assert api.asked[0].path.startswith("/v1/003?") or concurrency > 1


def test_values_of_a_file_are_text_in_a_path_and_keep_their_type_in_fields_and_body(
    make_api: Make, copier: Copier
) -> None:
    """As they are written, numbers as numbers; what may be no number, such as a version 1.50, stays text."""
    big = 12345678901234567890
    lines = (
        f'{{"id": 0, "big": {big}, "part": 0.10, "size": 1e300, "on": true, "mixed": 1, "of": {{"n": 7}}}}',
        '{"id": -7, "big": 1, "part": 3, "size": null, "on": false, "mixed": "a", "of": null}',
    )
    (copier.folder / "p.ndjson").write_text("\n".join(lines))
    (copier.folder / "p.csv").write_text(
        "id,code,version,share,odd,far,on\n7,007,1.50,1.25,nan,1e9999,true\n8,011,2.25,3,1.5,1,false\n"
    )
    cases: dict[str, list[dict[str, Any]]] = {
        "p.ndjson": [
            {"id": 0, "big": big, "part": 0.1, "size": 1e300, "on": True, "mixed": "1", "of": {"n": 7}},
            {"id": -7, "big": 1, "part": 3, "size": None, "on": False, "mixed": "a", "of": None},
        ],
        "p.csv": [
            {
                "id": 7,
                "code": "007",
                "version": "1.50",
                "share": 1.25,
                "odd": "nan",
                "far": "1e9999",
                "on": True,
            },
            {"id": 8, "code": "011", "version": "2.25", "share": 3, "odd": "1.5", "far": "1", "on": False},
        ],
    }
    for path, parents in cases.items():
        api = make_api(answering=lambda _: answer('[{"x": 1}]'))
        copier.addresses["api"] = api.address
        source = source_of(
            connection="api",
            path="/{p.id}/{p.on}",
            method="POST",
            body={"id": "{p.id}", "text": "{p.id}!"},
            parent={"as": "p", "path": path, "fields": {name: name for name in parents[0]}},
        )
        copier(source, destination_of(path="out.ndjson"))
        for asked, parent in zip(api.asked, parents, strict=True):
            assert asked.path == f"/v1/{parent['id']}/{json.dumps(parent['on'])}"
            assert json.loads(asked.body) == {"id": parent["id"], "text": f"{parent['id']}!"}
        rows = [json.loads(line) for line in (copier.folder / "out.ndjson").read_text().splitlines()]
        assert rows == [{**parent, "x": 1} for parent in parents]


def test_what_is_wrong_names_the_parent(make_api: Make, read: Read, copier: Copier) -> None:
    by_id = {
        "path": "/{p.id}",
        "headers": {"X": "{p.id}"},
        "parent": {"as": "p", "path": "ids.ndjson", "fields": {"of": "id"}},
    }
    copier.addresses["api"] = make_api(answer('[{"x": 1}]'), answer('{"no": []}')).address
    cases = {
        '{"id":1}\n{"id":2}\n': r"api: /\{p.id\}: p.id=2: the answer has no list of records",
        '{"id":1}\n{"id":null}\n': "api: p 2 has no p.id",
        '{"id":1}\n{"i\n': "cannot be read",
        '{"id":"a\\r\\nX: y"}\n': "the header 'X' for .* has a line end",
        '{"id":"€"}\n': "or characters that no header has",
    }
    for text, says in cases.items():
        (copier.folder / "ids.ndjson").write_text(text)
        api = make_api(answer('[{"x": 1}]'), answer('{"no": []}'))
        copier.addresses["api"] = api.address
        with pytest.raises(WindlassError, match=says):
            copier(
                source_of(connection="api", **by_id, retry={"attempts": 1}), destination_of(path="o.ndjson")
            )
    (copier.folder / "ids.ndjson").write_text('{"id":1}\n')
    copier.addresses["api"] = make_api(answer('[{"of": 1}]')).address
    with pytest.raises(FatalError, match=r"p.id=1: a record has of of its own"):
        copier(source_of(connection="api", **by_id), destination_of(path="o.ndjson"))


def test_no_more_are_worked_on_at_once_and_an_error_begins_no_others() -> None:
    at_once, most, begun, lock = 0, 0, list[int](), threading.Lock()

    def work(number: int) -> int:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
            begun.append(number)
        with lock:
            at_once -= 1
        if number == 7:
            raise ValueError(number)
        return number

    assert list(side_by_side(work, range(6), 3)) == list(range(6))
    assert most <= 3
    begun.clear()
    with pytest.raises(ValueError, match="7"):
        list(side_by_side(work, range(100), 3))
    assert max(begun) <= 9


def test_the_connection_of_the_parents_reaches_the_task(
    windlass: Callable[..., Output], project: Callable[[dict[str, str]], Path], make_api: Make
) -> None:
    parent = "{connection: %s, table: ids, as: row}"
    task = "copy: {from: {connection: api, path: '/{row.id}', parent: %s}, to: {path: out.ndjson}}"
    root = project(
        {
            "windlass.yaml": "project: p\nconnections:\n  api: {type: http}\n"
            "  db: {type: sqlite, dev: {init: ids.sql}}\n",
            "ids.sql": "CREATE TABLE ids (id integer); INSERT INTO ids VALUES (1), (2);",
            "pipelines/p.yaml": f"pipeline: p\ntasks:\n  a: {{{task % parent % 'dbb'}}}\n",
        }
    )
    assert "unknown connection 'dbb'" in windlass("-C", root, "validate").stderr
    (root / "pipelines/p.yaml").write_text(
        f"pipeline: p\ntasks:\n  a: {{{task % parent % 'db'}}}\n"
        "  b: {needs: a, check: {from: {connection: api, path: '/{row.id}', parent: "
        + parent % "db"
        + "}, rows: 2}}\n"
    )
    api = make_api(answering=echo)
    done = windlass("-C", root, "run", "p", env={"WINDLASS_CONN_API": f"http://127.0.0.1:{api.port}"})
    assert done.code == 0, done.stderr
    assert [asked.path for asked in api.asked] == ["/1", "/2"] * 2


@pytest.mark.parametrize(
    ("model", "written", "said"),
    [
        (Parent, {}, "needs one of `values`, `path` and `connection`"),
        (Parent, {"values": [1], "path": "x"}, "needs one of `values`, `path` and `connection`"),
        (Parent, {"path": "x", "table": "t"}, "need `connection`"),
        (Parent, {"values": [1], "as": "a b"}, "`as` is a name"),
        (Parent, {"values": [1], "fields": {"a": "b..c"}}, "`fields` has what leads to"),
        (
            HttpSource,
            {"path": "/x", "format": "csv", "parent": {"values": [1], "fields": {"a": ""}}},
            "not added to CSV",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(model: Any, written: dict[str, Any], said: str) -> None:
    with pytest.raises(FatalError, match=said):
        read_options(model, written)
