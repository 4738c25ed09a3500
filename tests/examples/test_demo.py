"""`make demo`, in a copy of the repository: what a stranger types first."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp

import pytest

from tests.conftest import ROOT, missing
from tests.examples.expected import (
    DRUGS_NODES,
    DRUGS_ROWS,
    IN_ARTICLES,
    IN_JOURNALS,
    SALES,
    TRIPS,
    TRIPS_OF_A_MONTH,
)
from windlass.connections import Address

_ROWS = sum(DRUGS_ROWS.values())
_GRAPH = sum(DRUGS_NODES.values()) + len(IN_ARTICLES | IN_JOURNALS)
_TRIP_FILE = ROOT / "examples" / "taxi" / "data" / "yellow_tripdata_2021-01.csv"
TABLE = {
    "pg2pg transfer_data": f"success {SALES:,} {SALES:,} 0",
    "orchestrator import": f"success {_ROWS} {_ROWS} 0",
    "orchestrator process": f"success {_ROWS} {_GRAPH}",
    "import import_sources": f"success {_ROWS} {_ROWS} 0",
    "process build_graph": f"success {_ROWS} {_GRAPH}",
    "taxi curl_task": "success",
    "taxi ingest_task": f"success {TRIPS_OF_A_MONTH} {TRIPS_OF_A_MONTH}",
    "taxi check_task": f"success {TRIPS_OF_A_MONTH}",
    "taxi_csv curl_task": f"success {_TRIP_FILE.stat().st_size:,}",
    "taxi_csv ingest_task": f"success {TRIPS + 1:,} {TRIPS:,} 1",
    "taxi_csv check_task": f"success {TRIPS:,}",
    "project_tasks fetch": "success 3 3 0",
    "project_tasks age": "success 3",
    "project_tasks load": "success 3 3 0",
    "yield_curve fetch": "success 4 3 1",
    "yield_curve dates": "success 3",
    "yield_curve load": "success 3 3 0",
}
ENSEMBL = {
    "etl1 extract": "success 20 20",
    "etl1 transform_load": "success 20 20",
    "etl1 check": "success 20",
}
INSTEAD = {
    "etl1_postgres extract": "success 20 20",
    "etl1_postgres load": "success 20 20 0",
    "etl1_postgres check": "success 20",
}
"""Where there is no MongoDB."""

AGAIN = {"yield_curve load": "success 1 1 0"}
"""What is otherwise the second time: an incremental copy reads what is as new as the newest row."""

WITHOUT_DRUGS = {"pg2pg", "taxi", "taxi_csv", "project_tasks", "yield_curve"}
NOT_ON_A_BARE_MACHINE = (
    *("docker", "podman", "mongod", "ferretdb"),
    *("node", "nodejs", "npm", "npx", "corepack"),
)
NOBODY = 65534


@pytest.fixture(scope="module")
def clone() -> Iterator[Path]:
    """A copy of the repository, without what was made in it."""
    folder = Path(mkdtemp(prefix="windlass-demo-"))
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def bare(tmp_path: Path) -> str:
    """A PATH on which there is whatever this machine has, but for container engines, MongoDB and Node.js."""
    for folder in map(Path, os.get_exec_path()):
        for program in folder.iterdir() if folder.is_dir() else ():
            if program.name not in NOT_ON_A_BARE_MACHINE and not (tmp_path / program.name).is_symlink():
                (tmp_path / program.name).symlink_to(program)
    return str(tmp_path)


def run(
    *command: str, cwd: Path, mongodb: Address | None = None, path: str | None = None
) -> subprocess.CompletedProcess[str]:
    # nothing of a `make test` that this may be part of: `make` would say in which folder it is
    ours = ("WINDLASS_", "VIRTUAL_ENV", "MAKE", "MFLAGS")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    environment["DOCKER_HOST"] = "unix:///nowhere/docker.sock"  # no image is to be pulled
    if mongodb is not None:
        environment["WINDLASS_CONN_ENSEMBL_TRANSFORMED"] = mongodb.uri()
    environment["PATH"] = (
        f"{Path(sys.executable).parent}{os.pathsep}{path or environment['PATH']}"  # there is uv
    )
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=300
    )


def shows_every_run(output: str, table: dict[str, str] = TABLE) -> bool:
    lines = [" ".join(line.split()) for line in output.splitlines()]
    return all(any(line.startswith(f"{task} {rest}") for line in lines) for task, rest in table.items())


@pytest.fixture
def somewhere(request: pytest.FixtureRequest) -> Address | None:
    """A database of a MongoDB, where there is one for the tests; the demo goes without one, too."""
    if os.environ.get("WINDLASS_TEST_MONGODB", "none") == "none" and shutil.which("mongod") is None:
        return None
    address: Address = request.getfixturevalue("mongodb")
    return address


def test_it_runs_everything_and_says_what_to_try_next(clone: Path, somewhere: Address | None) -> None:
    done = run("make", "demo", cwd=clone, mongodb=somewhere)
    assert done.returncode == 0, done.stdout + done.stderr
    assert shows_every_run(done.stdout), done.stdout
    assert shows_every_run(done.stdout, INSTEAD if somewhere is None else ENSEMBL), done.stdout
    assert "  ingest_task: success\n" in done.stderr  # progress, off a terminal
    assert '"event"' not in done.stderr
    assert (clone / "examples" / "drugs" / "processed_data" / "graph.html").exists()
    first, second = (line.strip() for line in done.stdout.splitlines()[-2:])
    assert f"{TRIPS + 2}: expected 18 fields, found 2" in run("bash", "-c", first, cwd=clone).stdout
    own = run("bash", "-c", second, cwd=clone)
    assert own.returncode == 0, own.stdout + own.stderr
    assert "success" in own.stdout


def test_it_can_be_run_again_on_a_bare_machine_and_says_if_something_fails(clone: Path, bare: str) -> None:
    (clone / "examples" / "drugs" / "data" / "drugs.csv").write_text("")
    broken = run("make", "demo", cwd=clone, path=bare)
    assert broken.returncode != 0
    others = {task: end for task, end in TABLE.items() if task.split()[0] in WITHOUT_DRUGS}
    assert shows_every_run(broken.stdout, others | AGAIN | INSTEAD), broken.stdout
    assert shows_every_run(broken.stdout, {"import import_sources": "failed"})
    [why] = [line for line in broken.stdout.splitlines() if line.startswith("ensembl: ")]
    assert "etl1_postgres ran instead of etl1. connection 'ensembl-transformed' is not configured" in why
    assert "a container of mongo:8: no container engine answers" in why
    assert "set WINDLASS_CONN_ENSEMBL_TRANSFORMED=mongodb://" in why
    assert "is empty" in broken.stderr


@pytest.fixture
def endless(clone: Path) -> Iterator[Path]:
    """The copy of the repository, with a first task that only ends when it is stopped."""
    pipeline = clone / "examples" / "pg2pg" / "pipelines" / "pg2pg.yaml"
    written = pipeline.read_text()
    before, _, _ = written.partition("    copy:\n")
    pipeline.write_text(f"{before}    run: {{command: [sleep, infinity]}}\n")
    yield clone
    pipeline.write_text(written)


def test_ctrl_c_stops_it_in_order(endless: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "examples/demo.py"],
        cwd=endless,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    with process.stdout as output:
        next(line for line in output if "running" in line)
        os.killpg(process.pid, signal.SIGINT)
        rest = output.read()
    assert process.wait() == 130
    assert "transfer_data: cancelled" in rest
    assert "Traceback" not in rest
    assert "drugs" not in rest


@pytest.mark.skipif(os.geteuid() != 0, reason="the other tests do not run as root")
def test_it_runs_as_a_user_who_is_not_root(bare: str) -> None:
    if (setpriv := shutil.which("setpriv")) is None:
        missing("setpriv (util-linux)")
    folder = Path(mkdtemp(prefix="windlass-demo-"))
    made = shutil.ignore_patterns(".windlass", "downloads", "imported_data", "processed_data")
    try:
        shutil.copytree(ROOT / "examples", folder / "examples", ignore=made)
        for place in (folder, *folder.rglob("*")):
            os.chown(place, NOBODY, NOBODY)
        # it may read this test's Python, which may be below /root, and write nothing but its own
        may_read = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
        as_nobody = (setpriv, f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *may_read)
        home = ("env", f"HOME={folder}", f"UV_CACHE_DIR={folder / 'cache'}")
        some = ("pg2pg", "ensembl")  # between them: dev services, HTTP, files, and a step with an environment
        done = run(*as_nobody, *home, sys.executable, "examples/demo.py", *some, cwd=folder, path=bare)
        assert done.returncode == 0, done.stdout + done.stderr
        transferred = {task: end for task, end in TABLE.items() if task.startswith("pg2pg")}
        assert shows_every_run(done.stdout, transferred | INSTEAD), done.stdout
        assert (folder / "examples" / "pg2pg" / ".windlass" / "state.db").stat().st_uid == NOBODY
    finally:
        shutil.rmtree(folder, ignore_errors=True)
