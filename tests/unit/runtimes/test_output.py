"""What a process prints, of any size and shape, costs a bounded amount of memory and disk."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass import logs
from windlass.kept_log import KeptLog, read_log
from windlass.masking import Secrets
from windlass.runtimes.lines import TaskLog, parse_line
from windlass.runtimes.splitting import batches_of


class Pipe(io.BytesIO):
    """Gives what was written into it piece by piece."""

    def __init__(self, *pieces: bytes) -> None:
        super().__init__()
        self._pieces = [*pieces]

    def read1(self, _: int | None = -1) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""


def lines_of(*pieces: bytes) -> list[str]:
    return [line for batch in batches_of(Pipe(*pieces)) for line in batch]


def without_progress(lines: list[str]) -> list[str]:
    return [line for line in lines if parse_line(line)["event"] != "progress"]


@pytest.mark.parametrize(
    ("pieces", "lines"),
    [
        ([b"one\ntwo\n"], ["one", "two"]),
        ([b"o", b"ne\ntw", b"o"], ["one", "two"]),
        ([b"one\r\ntwo\r", b"\n\n"], ["one", "two", ""]),
        ([b"\xc3", b"\xa9\n\xff\n"], ["é", "\ufffd"]),
        ([b"\r1%\r2%", b"\r3%\rdone\n"], ["done"]),
        ([b"\r1%\r2%"], ["2%"]),
        ([b" 10%\r", b" 20%\r", b"\n"], [" 20%"]),
        ([b""], []),
    ],
)
def test_lines_are_those_that_a_terminal_would_show_at_last(pieces: list[bytes], lines: list[str]) -> None:
    assert without_progress(lines_of(*pieces)) == lines


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n"))), st.data())
def test_pieces_of_any_size_give_the_same_lines(lines: list[str], data: st.DataObject) -> None:
    whole = "".join(f"{line}\n" for line in lines).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)))))
    pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True) if a < b]
    assert lines_of(*pieces) == lines


def test_states_of_a_progress_bar_are_told_as_they_come() -> None:
    batches = [*batches_of(Pipe(b"start\n\r1%", b"\r2%\r3%\r4", b"%\r5%\n", b"end\n"))]
    told = [parse_line(line) for batch in batches for line in batch]
    shown = [record["message"] for record in told if record["event"] == "progress"]
    assert shown == ["3%"]
    assert [record["message"] for record in told if record["event"] == "output"] == ["start", "5%", "end"]


def test_a_line_without_an_end_is_cut_and_says_so(tmp_path: Path) -> None:
    piece = b"x" * 65536
    lines = lines_of(*[piece] * 1000, b"y\nnext\n", *[piece] * 20)
    assert [len(line) < 1_100_000 for line in lines] == [True] * 3
    assert lines[1] == "next"
    log = TaskLog(tmp_path / "log", {"task": "a"})
    for line in lines:
        log.write(parse_line(line))
    log.close()
    long, _, last = [json.loads(line)["message"] for line in (tmp_path / "log").read_text().splitlines()]
    assert long == "x" * 65536 + f" … ({65536 * 999 + 1:,} more bytes)"
    assert last == "x" * 65536 + f" … ({65536 * 19:,} more bytes)"


def test_a_record_may_be_longer_than_a_line_of_text(tmp_path: Path) -> None:
    record = {"event": "result", "detail": {"samples": ["x" * 300_000]}}
    (line,) = lines_of(json.dumps(record).encode() + b"\n")
    assert parse_line(line) == record


def test_a_secret_is_not_cut_into_two_that_nobody_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "SECRETS", Secrets(["hunter2-canary"]))
    log = TaskLog(tmp_path / "log", {"task": "a"})
    for before in range(65536 - 20, 65536 + 5):
        log.write(parse_line("-" * before + "hunter2-canary and more"))
    log.close()
    assert "hunter2" not in (tmp_path / "log").read_text()


def test_output_that_says_other_things_than_output_does_is_logged_as_it_is(tmp_path: Path) -> None:
    said: list[dict[str, object]] = [
        {"x": 1},
        {"message": 5},
        {"message": None},
        {},
        {"message": "a", "x": 1},
    ]
    log = TaskLog(tmp_path / "log", {})
    log.write_all([parse_line(json.dumps({"event": "output", **fields})) for fields in said])
    log.close()
    records = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [
        {k: v for k, v in record.items() if k not in ("time", "level", "event")} for record in records
    ] == said


# --- the log ---


def note(lines: int, size: int) -> str:
    return json.dumps({"event": "left_out", "lines": lines, "bytes": size}) + "\n"


def numbered(first: int, count: int) -> list[str]:
    return [f'{{"n": {n}}}\n' for n in range(first, first + count)]


@pytest.mark.parametrize("count", [1, 10, 100, 250, 1000, 5000])
def test_the_beginning_and_the_end_of_a_log_are_kept(count: int, tmp_path: Path) -> None:
    file = tmp_path / "log"
    log = KeptLog(file, note, beginning=1000, segment=800)
    for first in range(0, count, 7):
        log.write(numbered(first, min(7, count - first)))
    records = [json.loads(line) for line in read_log(file)]
    log.close()
    assert [path.name for path in tmp_path.iterdir()] == ["log"]
    assert [json.loads(line) for line in read_log(file)] == records
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 1000 + 2 * 800 + 1000
    kept = [record["n"] for record in records if "n" in record]
    left_out = [(i, record) for i, record in enumerate(records) if "event" in record]
    if count <= 100:
        assert kept == [*range(count)]
        assert left_out == []
        return
    assert kept[0] == 0
    assert kept[-1] == count - 1
    assert len(kept) + sum(record["lines"] for _, record in left_out) == count
    for i, record in left_out:  # at the very place where they were
        assert records[i + 1]["n"] - records[i - 1]["n"] == record["lines"] + 1


def test_a_log_that_is_opened_again_goes_on(tmp_path: Path) -> None:
    for first in (0, 10):
        log = KeptLog(tmp_path / "log", note)
        log.write(numbered(first, 10))
        log.close()
    assert [json.loads(line)["n"] for line in read_log(tmp_path / "log")] == [*range(20)]
    assert [*read_log(tmp_path / "none")] == []


def test_a_log_that_cannot_be_written_fails_no_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[logs.Record] = []
    monkeypatch.setattr(logs, "_sink", told.append)
    (tmp_path / "file").touch()
    log = TaskLog(tmp_path / "file/log", {"task": "a"})
    assert log.write({"event": "output", "message": "x"})["message"] == "x"
    log.close()
    assert [record["event"] for record in told] == ["log_incomplete"]
