"""`windlass copy` as a shell user calls it: folders, links, pipes, and addresses of elsewhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Output
from tests.connectors.test_places import tree

Windlass = Callable[..., Output]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "a.csv").write_text("a\n1\n")
    (tmp_path / "thesis.txt").write_text("precious")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "y").write_text("x")
    return tmp_path


def shell(home: Path, script: str) -> Output:
    """Run a line of bash in which `windlass` is the one that is tested."""
    done = subprocess.run(
        ["bash", "-c", f'windlass() {{ "{sys.executable}" -m windlass "$@"; }}\n{script}'],
        cwd=home,
        env={k: v for k, v in os.environ.items() if not k.startswith("WINDLASS_")},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return Output(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("to", ["./", "../", "sub/", "sub", ".", "{home}/", "sub/../"])
@pytest.mark.parametrize("options", ["", "--mode append"])
def test_a_copy_into_a_folder_in_use_removes_nothing(
    windlass: Windlass, home: Path, to: str, options: str
) -> None:
    before = tree(home)
    done = windlass("copy", "a.csv", to.format(home=home), *options.split())
    if to == "sub/" and options:
        assert done.code == 0
        assert {name: tree(home).get(name) for name in before} == before
    else:
        assert done.code == 1
        assert "folder" in done.stderr or "did not write" in done.stderr
        assert tree(home) == before


UNSUPPORTED = {
    "s3://bucket/x.parquet": "s3:// is not supported",
    "gs://bucket/x.parquet": "gs:// is not supported",
    "mysql://u@h/d?table=t": "mysql:// is not supported",
    "https://host/x.csv": "fetch it first with a `download` task",
}


@pytest.mark.parametrize("address", UNSUPPORTED)
def test_an_address_that_nobody_handles_is_refused_at_either_end(
    windlass: Windlass, home: Path, address: str
) -> None:
    before = tree(home)
    for arguments in ((address, "out.csv"), ("a.csv", address)):
        done = windlass("copy", *arguments)
        assert (done.code != 0, UNSUPPORTED[address] in done.stderr) == (True, True), done
    assert tree(home) == before


def test_a_file_address_is_a_file(windlass: Windlass, home: Path) -> None:
    assert windlass("copy", f"file://{home}/a.csv", f"file://{home}/b.csv").code == 0
    assert (home / "b.csv").read_text() == "a\n1\n"


PIPES = {
    "windlass copy - - --from-format csv --to-format ndjson < a.csv": '{"a":1}\n',
    "cat a.csv | windlass copy /dev/stdin - --from-format csv --to-format csv": "a\n1\n",
    "windlass copy <(cat a.csv) - --from-format csv --to-format csv": "a\n1\n",
    "windlass copy a.csv /dev/stdout --to-format csv | cat": "a\n1\n",
    "windlass copy a.csv - --to-format csv > out.csv; cat out.csv": "a\n1\n",
    "echo before > out.csv; windlass copy a.csv - --to-format csv >> out.csv; cat out.csv": "before\na\n1\n",
    "windlass copy a.csv /dev/fd/3 --to-format csv 3> out.csv >&2; cat out.csv": "a\n1\n",
    "windlass copy a.csv - --to-format csv --json": "a\n1\n",
    "windlass copy a.csv >(cat) --to-format csv | cat": "a\n1\n",
    "gzip -k a.csv; windlass copy a.csv.gz - --to-format csv": "a\n1\n",
}


@pytest.mark.parametrize("script", PIPES)
def test_standard_input_and_output_are_ends_like_others(home: Path, script: str) -> None:
    done = shell(home, script)
    assert done.code == 0, done
    expected = PIPES[script]
    if ">(cat)" in script:  # the summary has standard output for itself
        assert expected in done.stdout
    else:
        assert done.stdout == expected
        assert "1 rows" in done.stderr or json.loads(done.stderr)["rows_written"] == 1
    assert not (home / "-").exists()


def test_the_format_of_standard_input_and_output_has_to_be_said(windlass: Windlass, home: Path) -> None:
    assert "--from-format" in windlass("copy", "-", "b.csv").stderr
    assert "--to-format" in windlass("copy", "a.csv", "-").stderr


def test_a_reader_that_goes_away_is_said_in_a_line(home: Path) -> None:
    (home / "large.csv").write_text("a\n" + "x" * 999 + "\n" * 1 + ("y" * 99 + "\n") * 100_000)
    done = shell(home, "windlass copy large.csv - --to-format csv | head -c 10; exit ${PIPESTATUS[0]}")
    assert (done.code, done.stdout) == (1, "a\n" + "x" * 8)
    assert done.stderr.count("\n") == 1
    assert "closed before all of it was written" in done.stderr


def test_bad_rows_of_standard_input_wait_in_a_file_with_a_name(home: Path) -> None:
    script = "printf 'a,b\\n1,2\\n3\\n' | windlass copy - b.csv --from-format csv --on-bad-row quarantine"
    assert shell(home, script).code == 0
    assert (home / "stdin.quarantine.ndjson").read_text().count("ragged_row") == 1
