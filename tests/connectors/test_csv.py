"""CSV as a source: what is in the file arrives, or waits in quarantine with its place, or is refused."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import random
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from windlass.connectors.files.options import Csv
from windlass.errors import FatalError
from windlass.plan.model import SelectColumn
from windlass.testing import Copier, destination_of, source_of

RFC_4180 = Csv()
OUT = destination_of(path="out.ndjson")


def rows(copier: Copier) -> list[dict[str, Any]]:
    text = (copier.folder / "out.ndjson").read_text("utf-8")
    return [json.loads(line) for line in text.split("\n") if line]


def copied(
    copier: Copier, content: bytes | str, name: str = "in.csv", options: Csv = RFC_4180
) -> list[list[Any]]:
    """The values that arrive, as lists."""
    data = content if isinstance(content, bytes) else content.encode()
    (copier.folder / name).write_bytes(data)
    copier(source_of(path=name, csv=options), OUT, on_bad_row="quarantine")
    return [list(row.values()) for row in rows(copier)]


READ: dict[str, tuple[bytes, list[list[Any]]]] = {
    "BOM of UTF-8": (b"\xef\xbb\xbfa,b\n1,x\n", [[1, "x"]]),
    "two BOMs of UTF-8": (b"\xef\xbb\xbf\xef\xbb\xbfa,b\n1,x\n", [[1, "x"]]),
    "Excel's line about the delimiter": (b"sep=;\r\na;b\r\n1;2,5\r\n", [[1, "2,5"]]),
    "Excel's line, behind a BOM and before a blank line": (
        b"\xef\xbb\xbfsep=|\n\na|b\n1|x;y;z\n",
        [[1, "x;y;z"]],
    ),
    "Excel's line in UTF-16": ("sep=\t\na\tb\n1\té\n".encode("utf-16"), [[1, "é"]]),
    "BOM of UTF-8 and quotes": (b'\xef\xbb\xbf"a","b"\n"1","x"\n', [[1, "x"]]),
    "BOM of UTF-16, low byte first": ("a,b\n1,é\n".encode("utf-16"), [[1, "é"]]),
    "BOM of UTF-16, high byte first": (b"\xfe\xff" + "a,b\n1,é\n".encode("utf-16-be"), [[1, "é"]]),
    "line ends of Windows": (b"a,b\r\n1,x\r\n2,y\r\n", [[1, "x"], [2, "y"]]),
    "line ends of old Macs": (b"a,b\r1,x\r2,y\r", [[1, "x"], [2, "y"]]),
    "mixed line ends": (b"a,b\r\n1,x\n2,y\r3,z\r\n", [[1, "x"], [2, "y"], [3, "z"]]),
    "mixed line ends, also in quotes": (
        b'a,b\r\n1,"x\ny"\n2,"y\r\nz"\r3,"q\rq"\r\n',
        [[1, "x\ny"], [2, "y\r\nz"], [3, "q\rq"]],
    ),
    "no line end at the end": (b"a,b\n1,x", [[1, "x"]]),
    "quotes": (
        b'a,b\n1,"x ""q"" y"\n2,"a,b"\n3,""\n4,\n5,"a , ""b"" , c"\n',
        [[1, 'x "q" y'], [2, "a,b"], [3, ""], [4, None], [5, 'a , "b" , c']],
    ),
    "a quote in the middle": (b'a,b\n1,5" pipe\n2,y\n', [[1, '5" pipe'], [2, "y"]]),
    "blank lines": (b"\r\n\r\na,b\r\n\r\n1,x\r\n\r\n", [[1, "x"]]),
    "an empty field behind the last": (b"a,b\n1,x,\n", [[1, "x"]]),
    "a NUL": (b"a,b\n1,x\x00y\n", [[1, "x\x00y"]]),
    "semicolons": (b"a;b\n1,5;x\n", [["1,5", "x"]]),
    "bars": (b"a|b\n1|x\n", [[1, "x"]]),
    "a quoted header": (b'"a,1";"b\nc"\n1;x\n', [[1, "x"]]),
    "empty names": (b"a,,b\n1,2,3\n", [[1, 2, 3]]),
    "odd names": ('select,"a""b","a.b",日本,f0,?\n1,2,3,4,5,6\n'.encode(), [[1, 2, 3, 4, 5, 6]]),
    "only a header": (b"a,b\n", []),
    "only a header without a line end": (b"a,b", []),
    "leading zeros, long numbers, other dates": (
        b"a,b,c\n007,12345678901234567,03/04/2020\n",
        [["007", 12345678901234567, "03/04/2020"]],
    ),
}


@pytest.mark.parametrize("case", READ)
def test_what_is_in_the_file_arrives(copier: Copier, case: str) -> None:
    content, expected = READ[case]
    assert copied(copier, content) == expected
    assert copier.quarantined == []


DECLARED: dict[str, tuple[bytes, Csv, list[list[Any]]]] = {
    "latin-1": (b"a,caf\xe9\n1,\xe9\n", Csv(encoding="latin-1"), [[1, "é"]]),
    "cp1252": (b"a,b\n1,\x80\n", Csv(encoding="cp1252"), [[1, "€"]]),
    "utf-16-be": ("a,b\n1,é\n".encode("utf-16-be"), Csv(encoding="utf-16-be"), [[1, "é"]]),
    "shift-jis": ("a,b\n1,日\n".encode("shift-jis"), Csv(encoding="shift-jis"), [[1, "日"]]),
    "delimiter": (b"a~b\n1~x\n", Csv(delimiter="~"), [[1, "x"]]),
    "quote": (b"a,b\n1,'x,y'\n", Csv(quote="'"), [[1, "x,y"]]),
    "escape": (b'a,b\n1,"x \\"q\\" y"\n', Csv(escape="\\"), [[1, 'x "q" y']]),
    "null": (b'a,b\n1,NULL\n2,"NULL"\n', Csv(null="NULL"), [[1, None], [2, "NULL"]]),
    "spaces beside quotes": (b'a,b\n1, "x" \n', Csv(skip_spaces=True), [[1, "x"]]),
    "two BOMs and no header": (
        b"\xef\xbb\xbf\xef\xbb\xbf1,x\n2,y\n",
        Csv(header=False),
        [[1, "x"], [2, "y"]],
    ),
    "no header": (b"\xef\xbb\xbf1,x\n2,y\n", Csv(header=False), [[1, "x"], [2, "y"]]),
}


@pytest.mark.parametrize("case", DECLARED)
def test_what_is_declared_is_obeyed(copier: Copier, case: str) -> None:
    content, options, expected = DECLARED[case]
    assert copied(copier, content, options=options) == expected


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".zst": lambda data: bytes(pa.compress(data, codec="zstd", asbytes=True)),
}
SET_ASIDE: dict[str, tuple[bytes, list[list[Any]], list[tuple[str, int, int, str]]]] = {
    "ragged": (
        b"a,b\n1\n2,y\n3,z,w\n",
        [[2, "y"]],
        [("ragged_row", 2, 4, "1"), ("ragged_row", 4, 10, "3,z,w")],
    ),
    "ragged and long": (b"a,b\n" + b"x" * 30_000 + b"\n1,y\n", [[1, "y"]], [("ragged_row", 2, 4, "x" * 30_000)]),
    "text behind a quote": (b'a,b\n1,"x"y\n2,ok\n', [[2, "ok"]], [("malformed_csv", 2, 4, '1,"x"y')]),
    "open quote": (b'a,b\n0,y\n1,"x\n2,ok\n', [[0, "y"]], [("unterminated_quote", 3, 8, '1,"x\n2,ok')]),
    "wrong encoding": (b"a,b\n1,caf\xe9\n2,ok\n", [[2, "ok"]], [("wrong_encoding", 2, 4, "1,caf\\xe9")]),
    "the end-of-file mark of DOS": (b"a,b\n1,x\n\x1a", [[1, "x"]], [("ragged_row", 3, 8, "\x1a")]),
}  # fmt: skip


@pytest.mark.parametrize("pack", ["", ".gz", ".bz2", ".zst"])
@pytest.mark.parametrize("case", SET_ASIDE)
def test_a_broken_line_is_quarantined_with_its_place(copier: Copier, case: str, pack: str) -> None:
    content, expected, bad = SET_ASIDE[case]
    assert copied(copier, PACKED[pack](content), f"in.csv{pack}") == expected
    found = [(row["reason"], row["line"], row["offset"], row["raw"]) for row in copier.quarantined]
    assert found == bad


def test_bad_rows_behind_excels_line_have_their_places(copier: Copier) -> None:
    assert copied(copier, "sep=;\na;b\n1;x\n2\n3;y\n") == [[1, "x"], [3, "y"]]
    assert [(row["reason"], row["line"], row["raw"]) for row in copier.quarantined] == [
        ("ragged_row", 4, "2")
    ]
    source = source_of(path="in.csv", columns={"b": "integer"})
    copier(source, OUT, on_bad_row="quarantine")
    assert {(row["line"], row["reason"]) for row in copier.quarantined} == {
        (3, "type_mismatch"),
        (4, "ragged_row"),
        (5, "type_mismatch"),
    }


BEGINNINGS = (
    "",
    "\n",
    "\n\n\n",
    "\r\n\r\n",
    "\ufeff",
    "\ufeff\ufeff",
    "\ufeff\n",
    "sep=,\n",
    "\ufeffsep=,\n",
)


@pytest.mark.parametrize("second", BEGINNINGS)
def test_a_bad_row_has_its_place_however_the_files_begin(copier: Copier, second: str) -> None:
    """Files that begin differently are read from copies that do not, and the places are those of the originals."""
    (copier.folder / "in").mkdir()
    for first in BEGINNINGS:
        contents = {"a.csv": f"{first}id,v\n1,2\nx,3\n4,5,6\n", "b.csv": f"{second}id,v\n7,8\ny,9\n"}
        for name, content in contents.items():
            (copier.folder / "in" / name).write_text(content, encoding="utf-8", newline="")
        source = source_of(path="in/*.csv", columns={"id": "bigint", "v": "bigint"})
        outcome = copier(source, destination_of(path="out.csv"), on_bad_row="quarantine")
        assert (outcome.counts.written, outcome.counts.quarantined) == (2, 3), first
        for row in copier.quarantined:
            written = contents[row["source"].rpartition("/")[2]].encode()
            begin = written[row["offset"] :]
            wanted = row["raw"] or row["record"]["id"]
            assert begin.startswith(wanted.encode()), (first, row)
            assert row["line"] == written[: row["offset"]].count(b"\n") + 1, (first, row)


def test_files_with_and_without_excels_line_are_read_together(copier: Copier) -> None:
    (copier.folder / "in").mkdir()
    for name, content in {"1": "sep=;\na;b\n1;x\n", "2": "a;b\n2;y\n", "3": "\na;b\n3;z\n"}.items():
        (copier.folder / "in" / f"{name}.csv").write_text(content)
    copier(source_of(path="in/", format="csv"), OUT)
    assert rows(copier) == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}, {"a": 3, "b": "z"}]


def test_a_title_above_the_header_is_asked_about(copier: Copier) -> None:
    with pytest.raises(FatalError, match="is 'Orders of May' the header"):
        copier(source_of(path=_written(copier, "Orders of May\nid,v\n1,2\n")), OUT)


def _written(copier: Copier, content: str) -> str:
    (copier.folder / "in.csv").write_text(content)
    return "in.csv"


def test_files_with_the_columns_in_another_order_are_read_by_name(copier: Copier) -> None:
    """Also many small ones, which are read together; a bad row is told as its own file has it."""
    for i in range(70):
        (copier.folder / f"a{i:02}.csv").write_text("id,v\n1,a\n")
        (copier.folder / f"b{i:02}.csv").write_text("v,id\nq\nb,2\n")
    (copier.folder / "c.csv.bz2").write_bytes(bz2.compress(b"v,id\nc,x\n"))
    for path, times in (("*0.csv", 7), ("*.csv*", 70)):
        source = source_of(path=path, columns={"id": "int"}, format="csv")
        copier(source, OUT, on_bad_row="quarantine")
        assert (
            sorted(map(str, rows(copier)))
            == ["{'id': 1, 'v': 'a'}"] * times + ["{'id': 2, 'v': 'b'}"] * times
        )
        ragged = [row for row in copier.quarantined if row["reason"] == "ragged_row"]
        assert {(row["raw"], *row["columns"], row["line"]) for row in ragged} == {("q", "v", "id", 2)}
        assert len({row["source"] for row in ragged}) == times
    assert [row["source"] for row in copier.quarantined if row["value"] == "x"] == ["c.csv.bz2"]


REFUSED: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is empty"),
    "blank lines": (b"\n\r\n", "only blank lines"),
    "a name twice": (b"a,b,a\n1,2,3\n", "names 'a' more than once"),
    "a name twice but for case": (b"a,A\n1,2\n", "names 'A', 'a' more than once"),
    "a header that never ends": (b'"a,b\n1,2\n', "in.csv:1: the header is not valid CSV"),
    "a header in another encoding": (b"a,caf\xe9\n1,2\n", "byte 0xe9 at offset 5 is not UTF-8"),
    "spaces before a quote": (
        b'a,b\n1,"\n"\n2, "x"\n',
        r"in\.csv:4: there are spaces between a quote and a delimiter",
    ),
    "spaces behind a quote": (b'a,b\n1,"x" ,2\n', r"in\.csv:2: there are spaces"),
    "a reserved name": (b"__windlass_row,b\n1,2\n", "__windlass_"),
    "more columns than memory": (
        b",".join(b"c%d" % i for i in range(300_000)) + b"\n",
        "in.csv has 300,000 columns, and there is memory for 7,314",
    ),
    "a first record that is too long": (b"x" * (32 << 20) + b"x,b\n1,2\n", "longer than 32 MB"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_file_without_a_sound_header_is_refused(copier: Copier, case: str) -> None:
    content, message = REFUSED[case]
    with pytest.raises(FatalError, match=message):
        copied(copier, content)
    assert not (copier.folder / "out.ndjson").exists()


def test_a_long_header_is_read_whole(copier: Copier) -> None:
    names = [letter * 400_000 for letter in "abc"]
    (copier.folder / "in.csv").write_text(",".join(names) + "\n1,2,3\n")
    assert (
        copier(
            source_of(path="in.csv"), OUT, select=(SelectColumn(name="c", source=names[2]),)
        ).counts.written
        == 1
    )
    assert (copier.folder / "out.ndjson").read_text() == '{"c":3}\n'


def test_a_byte_that_the_declared_encoding_does_not_have_is_refused_with_its_place(copier: Copier) -> None:
    with pytest.raises(FatalError, match="not cp1252: byte 0x81 near offset 6"):
        copied(copier, b"a,b\n1,\x81\n", options=Csv(encoding="cp1252"))


def test_a_nul_cannot_be_stored_in_postgres(copier: Copier, postgres: Any) -> None:
    copier.addresses["pg"] = postgres.address
    (copier.folder / "in.csv").write_bytes(b"a,b\n1,x\x00y\n2,z\n")
    copier(source_of(path="in.csv"), destination_of(connection="pg", table="t"), on_bad_row="quarantine")
    assert postgres.rows("SELECT * FROM t") == [(2, "z")]
    assert [(row["reason"], row["line"]) for row in copier.quarantined] == [("nul_in_text", 2)]


MANY = b"a,b\n" + b"".join(b"%d,%x\n" % (i, random.Random(i).getrandbits(200)) for i in range(12_000))


@pytest.mark.parametrize(
    ("pack", "damage"),
    [(".gz", "cut off"), (".gz", "changed"), (".bz2", "cut off"), (".bz2", "changed"), (".zst", "cut off")],
)
def test_a_damaged_compressed_file_is_refused(copier: Copier, pack: str, damage: str) -> None:
    data = bytearray(PACKED[pack](MANY))
    if damage == "cut off":
        del data[-len(data) // 3 :]
    else:
        data[len(data) // 2] ^= 0x10
    with pytest.raises(FatalError, match=r"in\.csv\..* is not a complete"):
        copied(copier, bytes(data), f"in.csv{pack}")


def quoted(lines: int) -> bytes:
    """A row with a quoted field, the lines of which look like rows."""
    return b'1,"' + b"9,x\n" * lines + b'"\n'


@pytest.mark.parametrize(
    "content",
    [
        b"a,b\n" + b"".join(quoted(random.Random(i).randrange(5000)) for i in range(1800)),
        b"a,b\n" + quoted(250_000) * 12,
        b"a,b\n" + b"5,y\n" * 1_600_000 + quoted(100_000) * 12,
        b"a,b\n1,x\n" + quoted(700_000) + b"2,y\n" * 1_000_000 + quoted(700_000),
    ],
    ids=["rows of some KB", "rows of a MB", "late", "rows larger than a buffer"],
)
def test_line_ends_in_quotes_are_no_rows_wherever_buffers_end(
    copier: Copier, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "windlass.connectors.files.reading.quoting._AT_ONCE", 6 << 20
    )  # what is late is found late
    (copier.folder / "in.csv").write_bytes(content)
    copier(source_of(path="in.csv"), destination_of(path="out.csv"))
    csv.field_size_limit(1 << 30)
    assert content_of((copier.folder / "out.csv").read_bytes()) == content_of(content)


def content_of(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode(), newline="")))


def test_an_open_quote_behind_many_quoted_line_ends_is_quarantined(copier: Copier) -> None:
    content = b"a,b\n" + quoted(1000) * 2000 + b'1,"open\n2,y\n'
    (copier.folder / "in.csv").write_bytes(content)
    copier(source_of(path="in.csv"), destination_of(path="out.csv"), on_bad_row="quarantine")
    [row] = copier.quarantined
    assert (row["reason"], row["raw"]) == ("unterminated_quote", '1,"open\n2,y')
    assert row["offset"] == len(content) - len(b'1,"open\n2,y\n')
    assert len(content_of((copier.folder / "out.csv").read_bytes())) == 2001


def test_a_field_of_100_mb_arrives_within_the_memory_that_is_allowed(copier: Copier) -> None:
    with (copier.folder / "in.csv").open("wb") as out:
        out.write(b'a,b\n1,"')
        for _ in range(100):
            out.write(b"x" * 1_000_000)
        out.write(b'"\n2,y\n')
    command = [sys.executable, "-c", MEASURED, "copy", "in.csv", "out.parquet", "--json"]
    done = subprocess.run(command, cwd=copier.folder, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["rows_written"] == 2
    assert int(done.stderr.split()[-2]) < 600_000  # kB


def test_a_row_is_not_lost_for_being_long(copier: Copier) -> None:
    for megabytes in (40, 161):
        with pa.output_stream(copier.folder / f"{megabytes}.csv.zst", compression="zstd") as out:
            out.write(b"a,b\n1,x\n2,")
            for _ in range(megabytes):
                out.write(b"x" * (1 << 20))
            out.write(b"\n3,y\n")
    assert copier(source_of(path="40.csv.zst"), destination_of(path="out.parquet")).counts.written == 3
    with pytest.raises(FatalError, match=r"161\.csv\.zst:3: the line has more than 160 MB"):
        copier(source_of(path="161.csv.zst"), destination_of(path="out.parquet"))


MEASURED = """
import atexit, pathlib, sys
from windlass.cli.main import main
status = pathlib.Path("/proc/self/status")
atexit.register(lambda: print(next(l for l in status.open() if l.startswith("VmHWM")), file=sys.stderr))
sys.exit(main())
"""

text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(text, text), max_size=8), st.sampled_from([",", ";", "\t", "|"]))
def test_text_comes_back_as_it_was_from_csv_by_parquet(
    copier: Copier, values: list[tuple[str, str]], delimiter: str
) -> None:
    with (copier.folder / "in.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter, quoting=csv.QUOTE_ALL)
        writer.writerows([("a", "b"), *values])
    types = {"a": "text", "b": "text"}
    options = Csv(delimiter=delimiter)
    copier(source_of(path="in.csv", csv=options, columns=types), destination_of(path="on.parquet"))
    copier(source_of(path="on.parquet"), destination_of(path="out.csv", csv=options))
    copier(source_of(path="out.csv", csv=options, columns=types), OUT)
    assert [tuple(row.values()) for row in rows(copier)] == values
