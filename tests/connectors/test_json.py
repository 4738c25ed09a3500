"""JSON as a source: what is in the file arrives, or waits in quarantine with its place, or is refused."""

from __future__ import annotations

import bz2
import gzip
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.connectors.database import Database
from windlass.errors import FatalError
from windlass.testing import Copier, destination_of, source_of

OUT = destination_of(path="out.ndjson")


def copied(copier: Copier, content: bytes, name: str) -> list[str]:
    """The records that arrive, as text."""
    (copier.folder / name).write_bytes(content)
    copier(source_of(path=name), OUT, on_bad_row="quarantine")
    return lines(copier.folder / "out.ndjson")


def lines(file: Path) -> list[str]:
    return [line for line in file.read_text("utf-8").split("\n") if line]


ONE_AND_TWO = ['{"a":1}', '{"a":2}']
LAYOUTS: dict[str, tuple[bytes, str, list[str]]] = {
    "lines": (b'{"a":1}\n{"a":2}\n', "in.ndjson", ONE_AND_TWO),
    "lines of Windows, and blank ones": (b'\r\n{"a":1}\r\n\r\n{"a":2}', "in.ndjson", ONE_AND_TWO),
    "lines called .json": (b'{"a":1}\n{"a":2}\n', "in.json", ONE_AND_TWO),
    "lines behind two byte order marks": (
        b'\xef\xbb\xbf\xef\xbb\xbf{"a":1}\n{"a":2}\n',
        "in.ndjson",
        ONE_AND_TWO,
    ),
    "array": (b'[{"a":1},\n{"a":2}]', "in.json", ONE_AND_TWO),
    "array behind two byte order marks": (
        b'\xef\xbb\xbf\xef\xbb\xbf[{"a":1},{"a":2}]',
        "in.json",
        ONE_AND_TWO,
    ),
    "one after the other": (b'{"a":1}{"a":2}', "in.json", ONE_AND_TWO),
    "one after the other, indented": (b'{\n "a": 1\n}\n{\n "a": 2\n}\n', "in.json", ONE_AND_TWO),
    "commas at the end": (b'{"a":1,}\n{"a":2}\n', "in.ndjson", ONE_AND_TWO),
    "gz": (gzip.compress(b'{"a":1}\n{"a":2}\n'), "in.ndjson.gz", ONE_AND_TWO),
    "bz2": (bz2.compress(b'[{"a":1},{"a":2}]'), "in.json.bz2", ONE_AND_TWO),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_is_read(copier: Copier, layout: str) -> None:
    content, name, expected = LAYOUTS[layout]
    assert copied(copier, content, name) == expected
    assert copier.quarantined == []


VALUES: dict[str, tuple[bytes, list[str]]] = {
    "integers past 2^53": (b'{"a":9007199254740993}', ['{"a":9007199254740993}']),
    "integers past 2^64": (b'{"a":12345678901234567890123}\n{"a":1}', ['{"a":12345678901234567890123}', '{"a":1}']),
    "integers past 2^64, nested": (b'{"a":{"b":12345678901234567890123}}', ['{"a":{"b":12345678901234567890123}}']),
    "fractions": (b'{"a":0.1}\n{"a":0.30000000000000004}', ['{"a":0.1}', '{"a":0.30000000000000004}']),
    "numbers past a double": (b'{"a":1e400}', ['{"a":"1e400"}']),
    "several types: text holds all of them": (b'{"a":1}\n{"a":"x"}\n{"a":true}\n{"a":null}', ['{"a":"1"}', '{"a":"x"}', '{"a":"true"}', '{"a":null}']),
    "nested": (b'{"a":{"b":[1,{"c":null}]}}\n{"a":[]}\n{"a":1}', ['{"a":{"b":[1,{"c":null}]}}', '{"a":[]}', '{"a":1}']),
    "a field that only the last record has": (b'{"a":1}\n' * 30_000 + b'{"b":2}', ['{"a":1,"b":null}'] * 30_000 + ['{"a":null,"b":2}']),
    "deep": (b'{"a":' + b"[" * 50_000 + b"]" * 50_000 + b"}", ['{"a":' + "[" * 50_000 + "]" * 50_000 + "}"]),
    "odd names": (
        b'{"a.b":1,"a\\"b":2,"$":3,"a\\\\b":4,"\xe6\x97\xa5":5,"*":6,"a[0]":7,"/~":8,"0":9}',
        ['{"a.b":1,"a\\"b":2,"$":3,"a\\\\b":4,"日":5,"*":6,"a[0]":7,"/~":8,"0":9}'],
    ),
    "text that looks like more": (b'{"a":"007","b":"2020-01-01","c":"true"}', ['{"a":"007","b":"2020-01-01","c":"true"}']),
    "a NUL": (b'{"a":"x\\u0000y"}', ['{"a":"x\\u0000y"}']),
}  # fmt: skip


@pytest.mark.parametrize("case", VALUES)
def test_values_stay_what_they_are(copier: Copier, case: str) -> None:
    content, expected = VALUES[case]
    assert copied(copier, content, "in.ndjson") == expected
    assert copier.quarantined == []


SET_ASIDE: dict[str, tuple[bytes, tuple[str, int, int, str]]] = {
    "no JSON": (b'{"a":1}\nhello\n{"a":2}\n', ("malformed_json", 2, 8, "hello")),
    "cut off": (b'{"a":1}\n{"a":2}\n{"a":3,"b":', ("malformed_json", 3, 16, '{"a":3,"b":')),
    "text behind": (b'{"a":1} x\n{"a":1}\n{"a":2}\n', ("malformed_json", 1, 0, '{"a":1} x')),
    "single quotes": (b'{"a":1}\n{\'a\':1}\n{"a":2}\n', ("malformed_json", 2, 8, "{'a':1}")),
    "leading zeros": (b'{"a":1}\n{"a":2}\n{"a":007}\n', ("malformed_json", 3, 16, '{"a":007}')),
    "a raw NUL": (b'{"a":1}\n{"a":"\x00"}\n{"a":2}\n', ("malformed_json", 2, 8, '{"a":"\x00"}')),
    "half a pair": (b'{"a":1}\n{"a":"\\ud800"}\n{"a":2}\n', ("malformed_json", 2, 8, '{"a":"\\ud800"}')),
    "wrong encoding": (b'{"a":1}\n{"a":"\xe9"}\n{"a":2}\n', ("wrong_encoding", 2, 8, '{"a":"\\xe9"}')),
    "no object": (b'{"a":1}\n{"a":2}\n[1]\n', ("not_an_object", 3, 16, "[1]")),
    "null": (b'{"a":1}\n{"a":2}\nnull\n', ("not_an_object", 3, 16, "null")),
    "a name twice": (b'{"a":3,"a":4}\n{"a":1}\n{"a":2}\n', ("duplicate_name", 1, 0, '{"a":3,"a":4}')),
    "more digits than a double keeps": (
        b'{"a":1}\n{"a":2}\n{"a":0.12345678901234567890}\n',
        ("loses_precision", 3, 16, '{"a":0.12345678901234567890}'),
    ),
}


@pytest.mark.parametrize("name", ["in.ndjson", "in.ndjson.gz", "in.ndjson.bz2"])
@pytest.mark.parametrize("case", SET_ASIDE)
def test_a_bad_line_is_quarantined_with_its_place(copier: Copier, case: str, name: str) -> None:
    content, bad = SET_ASIDE[case]
    if name.endswith(".gz"):
        content = gzip.compress(content)
    elif name.endswith(".bz2"):
        content = bz2.compress(content)
    arrived = copied(copier, content, name)
    assert [json.loads(line)["a"] in (1, 2, "1", "2") for line in arrived] == [True, True]
    assert [(row["reason"], row["line"], row["offset"], row["raw"]) for row in copier.quarantined] == [bad]


def test_a_record_of_an_array_that_is_no_object_is_quarantined(copier: Copier) -> None:
    assert copied(copier, b'[{"a":1},5,null,{"a":2}]', "in.json") == ONE_AND_TWO
    assert [(row["reason"], row["raw"]) for row in copier.quarantined] == [
        ("not_an_object", "5"),
        ("not_an_object", "null"),
    ]


REFUSED: dict[str, tuple[bytes, str, str]] = {
    "an array that is cut off": (b'[{"a":1},{"a":2', "in.json", "in.json:1:16: Expecting ','"),
    "single quotes": (b"[{'a':1}]", "in.json", "in.json:1:3: Expecting property name"),
    "another encoding": (b'[{"a":"\xe9"}]', "in.json", "byte 0xe9 at offset 7 is not UTF-8"),
    "UTF-16": ('{"a":1}\n'.encode("utf-16"), "in.ndjson", "in.ndjson:1: byte 0xff, 0 bytes into the line"),
    "an array, line by line": (b'[{"a":1}]', "in.ndjson", "in.ndjson:1: no line is a JSON object"),
    "an empty array": (b"[]", "in.json", "no records with fields"),
    "empty objects": (b"{}\n{}\n", "in.ndjson", "no line is a JSON object|no records with fields"),
    "blank": (b" \n\n", "in.ndjson", "no records with fields"),
    "nothing": (b"", "in.ndjson", "is empty"),
    "names that differ in case": (b'{"a":1,"A":2}', "in.ndjson", "differ only in case"),
    "an empty name": (b'{"":1}', "in.ndjson", "empty name"),
    "more fields than memory": (
        (json.dumps({f"f{i}": 0 for i in range(1800)}) + "\n").encode() * 100,
        "in.ndjson",
        "in.ndjson has 1,800 columns, and there is memory for 1,706",
    ),
    "a damaged gz": (gzip.compress(b'{"a":1}\n' * 9999)[:-20], "in.ndjson.gz", "not a complete gzip file"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_read_is_refused_with_its_place(copier: Copier, case: str) -> None:
    content, name, message = REFUSED[case]
    with pytest.raises(FatalError, match=message):
        copied(copier, content, name)
    assert not (copier.folder / "out.ndjson").exists()


def test_a_few_records_with_many_fields_take_little_memory(copier: Copier) -> None:
    records = [{f"f{i}": i * row if i % 9 else {"a": row} for i in range(150)} for row in range(2500)]
    (copier.folder / "in.ndjson").write_text("".join(json.dumps(record) + "\n" for record in records))
    assert copier(source_of(path="in.ndjson"), OUT, memory=400_000_000).counts.written == len(records)
    with (copier.folder / "out.ndjson").open() as lines:
        assert list(map(json.loads, lines)) == records


def test_a_document_that_is_too_deep_for_postgres_is_quarantined(copier: Copier, postgres: Database) -> None:
    copier.addresses["pg"] = postgres.address
    deep = b'{"a":' + b"[" * 50_000 + b"]" * 50_000 + b"}"
    (copier.folder / "in.ndjson").write_bytes(b'{"a":{}}\n' + deep + b'\n{"a":[]}\n')
    copier(source_of(path="in.ndjson"), destination_of(connection="pg", table="t"), on_bad_row="quarantine")
    assert postgres.rows("SELECT a::text FROM t") == [("{}",), ("[]",)]
    assert [row["line"] for row in copier.quarantined] == [2]


text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=8)
number = st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False)
document = st.recursive(
    st.none() | st.booleans() | number | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.dictionaries(text, document, max_size=3), min_size=1, max_size=6))
def test_documents_come_back_as_they_were_from_json_by_postgres(
    copier: Copier, postgres: Database, documents: list[dict[str, Any]]
) -> None:
    copier.addresses["pg"] = postgres.address
    with (copier.folder / "in.ndjson").open("w", encoding="utf-8") as file:
        file.writelines(json.dumps({"n": i, "d": d}) + "\n" for i, d in enumerate(documents))
    copier(source_of(path="in.ndjson"), destination_of(connection="pg", table="t"))
    copier(source_of(connection="pg", query="SELECT * FROM t ORDER BY n"), OUT)
    given, found = (exactly(lines(copier.folder / name)) for name in ("in.ndjson", "out.ndjson"))
    assert found == given


def exactly(documents: list[str]) -> list[Any]:
    """The documents, with numbers as they are written."""
    return [json.loads(text, parse_float=Decimal, parse_int=Decimal) for text in documents]
