"""Bad input gets a clear error and the right exit code, never a traceback."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Call = Callable[..., Any]
Project = Callable[..., Path]

ONE = "pipeline: one\ntasks: {a: {run: {command: [echo, hello]}}}\n"


@pytest.fixture
def refused(windlass: Call, tmp_path: Path) -> Callable[..., str]:
    """A copy of some content to a Parquet file, that must fail: its message."""

    def copy(content: bytes | None, *options: str, name: str = "in.csv", code: int = 1) -> str:
        if content is not None:
            (tmp_path / name).write_bytes(content)
        done = windlass("copy", name, "out.parquet", *options)
        assert done.code == code, done.stderr
        assert "Traceback" not in done.stderr
        assert "defect" not in done.stderr
        assert not (tmp_path / "out.parquet").exists()
        assert done.stdout == ""
        return str(done.stderr)

    return copy


def test_a_missing_file_is_named_with_a_near_name(refused: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text("id\n1\n")
    shown = refused(None, name="order.csv")
    assert "there is no file 'order.csv'" in shown
    assert "did you mean 'orders.csv'?" in shown


def test_an_empty_file_or_folder_says_so(refused: Callable[..., str], tmp_path: Path) -> None:
    assert "is empty" in refused(b"")
    (tmp_path / "folder").mkdir()
    assert "is a folder without files" in refused(None, name="folder")


def test_a_file_of_another_encoding_is_told_with_row_offset_and_encodings(
    refused: Callable[..., str], windlass: Call
) -> None:
    shown = refused("id,name\n1,a\n2,caf\u00e9\n".encode("latin-1"))
    for part in ("in.csv:3", "byte 0xe9 at offset 17", "latin-1", "cp1252"):
        assert part in shown
    assert windlass("copy", "in.csv", "out.csv", "--encoding", "latin-1").code == 0
    assert "unknown encoding 'klingon'" in refused(b"a\n1\n", "--encoding", "klingon")


def test_a_value_that_does_not_fit_is_told_with_row_column_value_and_type(
    refused: Callable[..., str],
) -> None:
    rows = b"id,day\n1,2020-01-01\n2,soon\n"
    for option in ((), ("--on-bad-row", "quarantine", "--max-bad-rows", "0")):
        assert "in.csv:3: column 'day': 'soon' does not fit date" in refused(
            rows, "--select", "day:date", *option
        )


def test_a_line_that_is_no_json_is_told_with_its_number(refused: Callable[..., str]) -> None:
    assert "in.ndjson:2: the line is not valid JSON" in refused(b'{"a": 1}\n{"a": \n', name="in.ndjson")


def test_an_unknown_column_or_type_is_told(refused: Callable[..., str]) -> None:
    assert "did you mean 'amount'?" in refused(b"id,amount\n1,2\n", "--select", "amuont")
    assert "unknown type 'moneyy'" in refused(b"id\n1\n", "--select", "id:moneyy")
    assert "'bit(3)': a length of bits is not kept" in refused(b"id\n1011\n", "--select", "id:bit(3)")


def test_a_table_that_does_not_exist_is_told_with_near_names(windlass: Call, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("id\n1\n")
    for address in ("sqlite:///x.db", "duckdb:///x.duckdb"):
        assert windlass("copy", "in.csv", f"{address}?table=orders").code == 0
        done = windlass("copy", f"{address}?table=order", "out.csv")
        assert (done.code, "did you mean 'orders'?" in done.stderr) == (1, True)


def test_a_server_that_refuses_may_work_later(windlass: Call, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("id\n1\n")
    done = windlass("copy", "in.csv", "postgresql://me:very-secret@127.0.0.1:1/db?table=t")
    assert (done.code, "refuses connections" in done.stderr) == (3, True)
    assert "very-secret" not in done.stderr


def test_files_of_a_project_that_cannot_be_read_are_told(project: Project, windlass: Call) -> None:
    root = project({"pipelines/one.yaml": ONE})
    (root / "pipelines/empty.yaml").touch()
    (root / "pipelines/latin.yaml").write_bytes(b"pipeline: caf\xe9")
    (root / "pipelines/gone.yaml").symlink_to("nowhere")
    done = windlass("-C", root, "validate")
    assert done.code == 2
    assert "pipelines/empty.yaml: error[W0101]: is empty" in done.stderr
    assert "pipelines/latin.yaml: error[W0101]: is not UTF-8: byte 0xe9 at offset 13" in done.stderr
    assert windlass("-C", root, "run", "one").code == 0


def test_every_problem_of_every_file_is_shown_at_once(project: Project, windlass: Call) -> None:
    root = project(
        {
            "pipelines/a.yaml": "pipeline: a\ntasks: {t: {needs: nothing, run: {command: date}}}\n",
            "pipelines/b.yaml": "pipeline: b\ntasks: {t: {trigger: {pipeline: c, param: {}}}}\n",
            "pipelines/c.yaml": "]",
            "pipelines/d.yaml": "pipeline: d\ntasks: {t: {trigger: {pipeline: c}}}\n",
        }
    )
    done = windlass("-C", root, "validate", "--json")
    assert done.code == 2
    found = [(problem["file"], problem["line"]) for problem in done.json["problems"]]
    assert found == [("pipelines/a.yaml", 2), ("pipelines/b.yaml", 2), ("pipelines/c.yaml", 1)]


def test_another_file_s_problems_do_not_stop_a_run(project: Project, windlass: Call) -> None:
    root = project({"pipelines/one.yaml": ONE, "pipelines/broken.yaml": "]"})
    assert windlass("-C", root, "run", "one").code == 0
    assert windlass("-C", root, "run").code == 2


# --- what the system refuses ---------------------------------------------------------------------


@pytest.fixture
def unwritable(project: Project) -> Iterator[Path]:
    """A project in a folder in which nobody may write, not even root."""
    root = project({"pipelines/one.yaml": ONE})
    state = root / ".windlass"
    if os.geteuid() == 0:
        state.write_text("a file in the way")
        yield root
        return
    root.chmod(0o555)
    yield root
    root.chmod(0o755)


def test_a_folder_in_which_windlass_may_not_write_is_named(unwritable: Path, windlass: Call) -> None:
    done = windlass("-C", unwritable, "run", "one")
    assert done.code == 1
    assert ".windlass" in done.stderr
    assert "Traceback" not in done.stderr
    assert "defect" not in done.stderr


def test_a_destination_that_cannot_be_written_is_named(windlass: Call, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("id\n1\n")
    (tmp_path / "file").touch()
    done = windlass("copy", "in.csv", "file/out.csv")
    assert (done.code, "file" in done.stderr) == (1, True)
    assert "defect" not in done.stderr


def test_a_port_that_is_taken_is_named(project: Project, windlass: Call) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        text = (
            f"pipeline: p\ntasks:\n  api: {{service: {{command: [sleep, '60'], port: {port}}}}}\n"
            "  use: {uses: api, run: {command: [echo, used]}}\n"
        )
        done = windlass("-C", project({"pipelines/p.yaml": text}), "run", "p", "--json")
    assert done.code == 1
    assert f"port {port} is taken" in done.json["tasks"][0]["error"]
    assert done.json["tasks"][1]["status"] == "upstream_failed"


# --- output that nobody takes --------------------------------------------------------------------


def shell(command: str, root: Path) -> subprocess.CompletedProcess[str]:
    program = f'windlass() {{ "{sys.executable}" -m windlass "$@"; }}; set -o pipefail; '
    return subprocess.run(
        ["bash", "-c", program + command], cwd=root, capture_output=True, text=True, check=False, timeout=60
    )


def test_a_reader_that_goes_away_ends_a_command_quietly(hello: Path) -> None:
    for command in ("windlass runs | head -0", "windlass schema | head -c 10"):
        assert shell(command, hello).stderr == ""


def test_a_reader_of_the_log_that_goes_away_stops_no_run(project: Project) -> None:
    root = project({"pipelines/one.yaml": ONE})
    shell("windlass run one 2>&1 | head -0", root)
    assert json.loads(shell("windlass runs --json", root).stdout)[0]["status"] == "success"


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams_change_nothing_of_a_run(closed: str, project: Project) -> None:
    root = project({"pipelines/one.yaml": ONE})
    done = shell(f"windlass run one {closed}", root)
    assert (done.returncode, done.stderr if "2>" in closed else "") == (0, "")
    assert json.loads(shell("windlass runs --json", root).stdout)[0]["status"] == "success"


def test_a_full_disk_behind_the_output_may_work_later(hello: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("only Linux has a full disk at hand")
    done = shell("windlass schema > /dev/full", hello)
    assert (done.returncode, done.stderr) == (
        3,
        "error[W0006]: No space left on device\n  hint: free some space and try again\n",
    )
