"""JSON that goes straight into `jsonb` columns is what the server keeps as it is; it is asked about all other."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest

from tests.connectors.database import Database
from windlass.connectors import scratch
from windlass.connectors.postgres.wire.jsonb import surely_kept
from windlass.plan.model import Mode
from windlass.testing import Copier, destination_of, source_of

USUAL = [
    '{"a": 1, "b": "it\'s: {a} [b], c"}',
    '{"a":{"id":1,"tags":["x","y"]},"b":[{"id":1},{"id":2}],"id":3}',
    r'{"text":"a \"quote\", a \\ and é","ü":"\u00fc \ud83d\ude00 \\u0000"}',
    '{"n":null,"t":true,"f":false,"i":"inf, NaN","x":[-0.5,1.5e-05,1E+20,12345678901234567890.123]}',
    *('"text"', "null", "17", "{}", "[]", "[[], {}]", '""', "Ω".join('""')),
]
ODD = [
    '{"a":1,"a":2}',
    '{"x":{"b":1,"a":{},"b":2}}',
    r'{"a":1,"\u0061":2}',
    r'{"a\\":1,"a\\":2}',
    '{"name of sixteen_":1,"name of sixteen_":2}',
    *('{"a":1,}', "[1,]", "[1, ]", "NaN", "[nan]", "[Infinity]", "-inf", r'"\u0000"', r'{"\u0000":1}'),
    *("1e131072", "1e-16384", "[1E+200000]", "1" * 140_000, "0." + "1" * 16_384, "[" * 7000 + "]" * 7000),
]
PIECES = [
    "a",
    "b",
    "aa",
    "ab",
    r"\\",
    r"\"",
    r"\u0061",
    r"\u0000",
    "\u00e9",
    ":",
    ",",
    "{",
    "]",
    " ",
    "12345678",
]
SCALARS = ["1", "-2.50", "1e5", "1e-400", "2E9999", "null", "true", "NaN", "Infinity", "9e131073", "[]", "{}"]
ASK = """
SELECT pg_input_is_valid(d, 'jsonb') AND CASE WHEN pg_input_is_valid(d, 'json') THEN d IS JSON WITH UNIQUE KEYS END
FROM unnest(ARRAY[{}]) WITH ORDINALITY AS t (d, i) ORDER BY i"""


def text(rng: random.Random, depth: int = 3) -> str:
    """JSON, or nearly so: of few names, so that they meet again."""
    sort = rng.choice(["list", "object", "object", "scalar"]) if depth else "scalar"
    if sort == "scalar":
        return rng.choice([name(rng), rng.choice(SCALARS)])
    values = [text(rng, depth - 1) for _ in range(rng.randrange(4))]
    space, end = rng.choice(["", "", " ", "\n"]), rng.choice(["", "", "", "", " ", ","]) if values else ""
    if sort == "list":
        return "[" + f",{space}".join(values) + end + "]"
    gap = rng.choice(["", "", "", " "])
    return "{" + f",{space}".join(f"{name(rng)}{gap}:{space}{value}" for value in values) + end + "}"


def name(rng: random.Random) -> str:
    return '"' + "".join(rng.choices(PIECES, k=rng.randrange(3))) + '"'


def test_what_goes_straight_is_kept_as_it_is(postgres: Database) -> None:
    rng = random.Random(8)
    made = USUAL + ODD + [text(rng) for _ in range(6000)]
    with scratch.Scratch() as duckdb:
        valid = duckdb.rows("SELECT list(d) FROM (SELECT unnest(?) AS d) WHERE json_valid(d)", [made])[0][0]
    assert set(USUAL + ODD) - set(valid) == {"[" * 7000 + "]" * 7000} - set(valid)
    kept = {
        d
        for d, (is_kept,) in zip(
            valid, postgres.rows(ASK.format(", ".join(map(scratch.literal, valid)))), strict=True
        )
        if is_kept
    }
    sure = {d for d in valid if surely_kept(pa.array([d]))}
    assert sure <= kept
    assert set(USUAL) <= sure
    assert len(sure) > len(kept) / 3
    assert len(kept) < len(valid) - 500
    for _ in range(2000):  # and together they are what they are by themselves
        some = rng.choices(valid, k=2) + rng.choices(sorted(sure), k=4) + [None, *rng.choices(USUAL, k=2)]
        begin = rng.randrange(4)
        expected = all(d is None or d in sure for d in some[begin:])
        assert surely_kept(pa.array(some)[begin:]) == expected, some[begin:]


@pytest.mark.parametrize("mode", ["append", "replace", "merge"])
def test_documents_behind_a_doubted_one_arrive_too(
    postgres: Database, copier: Copier, mode: Mode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scratch, "_BATCH_ROWS", 1)
    documents = [f'{{"a": {n}}}' for n in range(40)]
    documents[20], documents[21], documents[39] = '{"a" : 1}', '{"a": 1, "a": 2}', r'"\u0000"'
    quoted = (document.replace('"', '""') for document in documents)
    rows = "".join(f'{n},"{document}"\n' for n, document in enumerate(quoted))
    (copier.folder / "in.csv").write_text(f"id,v\n{rows}")
    if mode != "merge":
        postgres.run("CREATE TABLE t (id int, v jsonb); INSERT INTO t VALUES (-1, '0')")
    copier.addresses["y"] = postgres.address
    key = ("id",) if mode == "merge" else ()
    to = destination_of(connection="y", table="t", mode=mode, key=key)
    counts = copier(source_of(path="in.csv", columns={"v": "jsonb"}), to, on_bad_row="quarantine").counts
    assert (counts.read, counts.written, counts.quarantined) == (40, 38, 2)
    assert counts.inserted == (38 if mode == "merge" else None)
    assert [(row["line"], row["reason"]) for row in copier.quarantined] == [
        (23, "loses_precision"),
        (41, "loses_precision"),
    ]
    there = [(-1, "0")] if mode == "append" else []
    wanted = there + [(n, d.replace(" :", ":")) for n, d in enumerate(documents) if n not in (21, 39)]
    assert postgres.rows("SELECT id, v::text FROM t ORDER BY id") == wanted
