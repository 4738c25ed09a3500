"""CSV files of every shape, against Python's own reader: the same rows, none lost, none quarantined.

The files are random: line ends of one or several kinds, within quotes too, blank lines, quotes, marks at the beginning.
`--seed` plays the same ones again, `--faults` says how many.
"""

from __future__ import annotations

import csv
import io
import json
import random

import pytest

from windlass.connectors.files.reading import csv_rewriting
from windlass.connectors.files.reading.csv_rewriting import to_one_line_end
from windlass.testing import Copier, destination_of, source_of

LINE_ENDS = (["\n"], ["\r\n"], ["\r"], ["\n", "\r\n"], ["\n", "\r"], ["\r\n", "\n", "\r"])
BEGINNINGS = ("\n", "\r\n", "\r", "\n\n", "\r\n\n", "\ufeff", "sep=,\n", "")


def field(dice: random.Random) -> str:
    if dice.random() < 0.5:
        return dice.choice(["1", "22", "x", "abc", "-3.5", "é", "", '""'])
    inside = ("a", "b", ",", " ", '""', "\n", "\r\n", "\r", "é", ";")
    return f'"{"".join(dice.choice(inside) for _ in range(dice.randint(0, 6)))}"'


def document(dice: random.Random) -> tuple[list[str], str]:
    """A header, and the text of a file."""
    ends, columns = dice.choice(LINE_ENDS), [f"c{i}" for i in range(dice.randint(2, 3))]
    lines = [",".join(columns)]
    for _ in range(dice.randint(1, 8)):
        lines += [""] * (dice.random() < 0.15)
        lines.append(",".join(field(dice) for _ in columns))
    text = "".join(line + dice.choice(ends) for line in lines)
    text = text.rstrip("\r\n") if dice.random() < 0.2 else text
    return columns, (dice.choice(BEGINNINGS) if dice.random() < 0.3 else "") + text


def as_python_reads(text: str) -> list[list[str | None]]:
    body = text.lstrip("\ufeff\r\n").removeprefix("sep=,\n")
    _, *rows = (row for row in csv.reader(io.StringIO(body, newline="")) if row)
    return [[value or None for value in row] for row in rows]


def test_the_rows_are_those_that_python_reads(copier: Copier, pytestconfig: pytest.Config) -> None:
    first, count = int(pytestconfig.getoption("seed")), int(pytestconfig.getoption("faults"))
    for seed in range(first, first + count):
        columns, text = document(random.Random(seed))
        (copier.folder / "in.csv").write_bytes(text.encode())
        source = source_of(path="in.csv", columns=dict.fromkeys(columns, "text"))
        outcome = copier(source, destination_of(path="out.ndjson"), on_bad_row="quarantine")
        lines = (copier.folder / "out.ndjson").read_text().splitlines()
        found = [[json.loads(line)[name] or None for name in columns] for line in lines]
        assert (found, outcome.counts.quarantined) == (as_python_reads(text), 0), f"--seed={seed}: {text!r}"


@pytest.mark.parametrize("piece", [1, 2, 3, 7, 1 << 20])
def test_line_ends_are_made_one_wherever_a_piece_ends(monkeypatch: pytest.MonkeyPatch, piece: int) -> None:
    monkeypatch.setattr(csv_rewriting, "_PIECE", piece)
    for seed in range(300):
        _, text = document(random.Random(seed))
        made = io.BytesIO()
        to_one_line_end(io.BytesIO(text.encode()), made, ",", '"')
        again = as_python_reads(made.getvalue().decode())
        assert again == as_python_reads(text), f"{seed}: {text!r}"
