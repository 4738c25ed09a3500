"""`windlass copy` as a shell user calls it: folders, links, pipes, and addresses of elsewhere."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
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
    "ftp://bucket/x.parquet": "ftp:// is not supported",
    "hdfs://bucket/x.parquet": "hdfs:// is not supported",
    "db2://u@h/d?table=t": "db2:// is not supported",
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


@pytest.fixture
def site(home: Path) -> Iterator[str]:
    """A web server with the files of a folder. `/broken/…` ends too early, `/twice/…` works the second time."""
    asked: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            if self.path.startswith("/broken/"):
                self.send_response(200)
                self.send_header("Content-Length", "1000")
                self.end_headers()
                self.wfile.write(b"a\n1\n")
                return
            if self.path.startswith("/twice/"):
                if asked.count(self.path) == 1:
                    self.send_error(503)
                    return
                self.path = self.path.removeprefix("/twice")
            if self.path.startswith("/private/"):
                if self.headers.get("Authorization") != "Basic YWRhOnMzY3JldA==":
                    self.send_error(401)
                    return
                self.path = self.path.removeprefix("/private")
            super().do_GET()

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(home)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_file_of_a_web_server_is_read_whole(windlass: Windlass, home: Path, site: str) -> None:
    (home / "b.csv.gz").write_bytes(gzip.compress(b"a\n2\n"))
    for name in ("a.csv?version=3", "b.csv.gz", "twice/a.csv"):
        done = windlass("copy", f"http://{site}/{name}", "-", "--to-format", "csv")
        assert (done.code, done.stdout) == (0, "a\n2\n" if "gz" in name else "a\n1\n"), done
    secret = windlass("copy", f"http://ada:s3cret@{site}/private/a.csv", "-", "--format", "csv")
    assert (secret.code, secret.stdout, "s3cret" in secret.stderr) == (0, "a\n1\n", False)


def test_what_a_web_server_does_not_have_or_sends_in_part_is_an_error(
    windlass: Windlass, home: Path, site: str
) -> None:
    before = tree(home)
    missing = windlass("copy", f"http://{site}/none.csv", "x.csv")
    assert (missing.code, "answered 404" in missing.stderr) == (1, True)
    broken = windlass("copy", f"http://{site}/broken/a.csv", "x.csv")
    assert (broken.code, "broke off" in broken.stderr) == (3, True)
    refused = windlass("copy", "a.csv", f"http://{site}/x.csv")
    assert (refused.code, "can only be read" in refused.stderr) == (1, True)
    assert tree(home) == before


def test_a_pipeline_reads_from_a_web_server_too(
    windlass: Windlass, home: Path, site: str, project: Callable[..., Path]
) -> None:
    copy = f"tasks: {{t: {{copy: {{from: {{path: http://{site}/a.csv}}, to: {{path: out.csv}}}}}}}}\n"
    root = project({"pipelines/p.yaml": f"pipeline: p\n{copy}"})
    assert windlass("run", "p", cwd=root).code == 0
    assert (root / "out.csv").read_text() == "a\n1\n"


IN_FLAGS = {
    "printf 'a,b\n1,2\n3\n' > b.csv; windlass copy b.csv c.csv": "bad rows with --on-bad-row quarantine",
    "windlass copy a.csv table.out": "--from-format or --to-format",
    "printf 'a\n\\351\n' > b.csv; windlass copy b.csv c.csv": "--encoding",
    "windlass copy a.csv c.csv --select b": "--select names 'b'",
    "windlass copy a.csv shop.db": "sqlite:///FILE?table=NAME",
}


@pytest.mark.parametrize("script", IN_FLAGS)
def test_a_message_names_the_options_of_the_command(home: Path, script: str) -> None:
    done = shell(home, script)
    assert done.code != 0
    assert IN_FLAGS[script] in done.stderr
    assert "`" not in done.stderr


def test_one_flag_says_the_format_of_both_ends(home: Path) -> None:
    assert shell(home, "cat a.csv | windlass copy - - --format csv").stdout == "a\n1\n"
    assert shell(home, "cat a.csv | windlass copy - b.ndjson --format csv; cat b.ndjson").stdout.endswith(
        '{"a":1}\n'
    )


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
        assert "1 row" in done.stderr or json.loads(done.stderr)["rows_written"] == 1
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
