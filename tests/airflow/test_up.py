"""`windlass up` with a real Airflow: what is up, what follows an edit, and that nothing outlives it."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.airflow.client import Up
from tests.airflow.conftest import free_port
from tests.airflow.processes import gone, processes_of, what_it_shows
from tests.conftest import missing
from windlass.connections import parse_address
from windlass.connectors.postgres.session import Session

CANARY = "CanaryOfTheShell41"
SECRETS = (
    "WINDLASS_CONN_PROD",
    "AWS_SECRET_ACCESS_KEY",
    "MY_TOKEN",
    "PGPASSWORD",
    "AIRFLOW__CORE__FERNET_KEY",
)
COMPONENTS = {"api-server", "dag-processor", "scheduler", "triggerer", "pgadmin"}


@pytest.fixture(scope="module")
def up(bring_up: Callable[..., Up], example_copy: Callable[[str], Path]) -> Up:
    """The example pg2pg, up, with pgAdmin."""
    if find_spec("pgadmin4") is None:
        missing("pgAdmin")
    secrets = dict.fromkeys(SECRETS, CANARY)
    return bring_up(example_copy("pg2pg"), "--pgadmin", "--pgadmin-port", str(free_port()), env=secrets)


@pytest.fixture
def pipeline(up: Up) -> Iterator[Path]:
    """The file of the pipeline; it is put back after the test."""
    file = up.project / "pipelines" / "pg2pg.yaml"
    text = file.read_text()
    yield file
    file.write_text(text)


def tasks(up: Up, dag: str) -> set[str]:
    return {task["task_id"] for task in up.call("GET", f"/dags/{dag}/tasks")["tasks"]}


def test_status_shows_every_component_healthy(up: Up) -> None:
    status = up.status()
    parts = {part["name"]: part for part in status["parts"]}
    assert (status["up"], status["state"]) == (True, "healthy")
    assert {name for name, part in parts.items() if part["state"] == "healthy"} == {
        *COMPONENTS,
        "pipelines",
        "connection pg_x",
        "connection pg_y",
    }
    for name in COMPONENTS:
        os.kill(parts[name]["pid"], 0)  # there is such a process
    assert parts["api-server"]["address"].endswith(up.url.rpartition(":")[2])


def test_a_second_up_says_that_it_is_up_already(up: Up) -> None:
    again = up.windlass("up", "--detach")
    assert again.returncode == 0
    assert again.stdout.startswith("up already: http://localhost:")


def test_a_pipeline_triggered_in_airflow_moves_the_rows(up: Up) -> None:
    run = up.trigger("pg2pg")
    assert up.wait("pg2pg", run) == "success", up.log("pg2pg", run, "transfer_data")
    address = {part["name"]: part["address"] for part in up.status()["parts"]}["connection pg_y"]
    password = (up.project / ".windlass" / "dev" / "pg_y" / "password").read_text()
    session = Session(parse_address(address.replace("***", password), "status"))
    try:
        assert session.value("select count(*) from tb_trx_dest") > 0
    finally:
        session.close()


def test_windlass_run_uses_the_same_dev_services(up: Up) -> None:
    ports = [(up.project / ".windlass" / "dev" / name / "port").read_text() for name in ("pg_x", "pg_y")]
    assert up.windlass("run", "pg2pg").returncode == 0
    again = [(up.project / ".windlass" / "dev" / name / "port").read_text() for name in ("pg_x", "pg_y")]
    assert again == ports
    assert up.status()["state"] == "healthy"


def test_an_edited_pipeline_becomes_another_dag(up: Up, pipeline: Path) -> None:
    pipeline.write_text(pipeline.read_text().replace("transfer_data:", "move_rows:"))
    up.until(lambda: tasks(up, "pg2pg") == {"move_rows"})


def test_a_broken_edit_keeps_the_last_good_plan_and_says_so(up: Up, pipeline: Path) -> None:
    up.until(lambda: tasks(up, "pg2pg") == {"transfer_data"})
    good = pipeline.read_text()
    pipeline.write_text(good.replace("mode:", "mood:"))
    up.until(lambda: "did you mean 'mode'?" in (up.status()["problems"] or ""))
    log = (up.project / ".windlass" / "up" / "logs" / "supervisor.log").read_text()
    assert "the last good plan stays in use" in log
    assert tasks(up, "pg2pg") == {"transfer_data"}
    pipeline.write_text(good)
    up.until(lambda: up.status()["problems"] is None)


def test_pgadmin_wants_a_password_and_has_every_postgres_connection(up: Up) -> None:
    with urllib.request.urlopen(up.status()["pgadmin"], timeout=30) as page:
        assert page.url.partition("?")[0].endswith("/login")
    home = up.project / ".windlass" / "up" / "pgadmin"
    with closing(sqlite3.connect(home / "pgadmin4.db")) as database:
        found = database.execute("select name, host, port, password from server order by name").fetchall()
    ports = [(up.project / ".windlass" / "dev" / name / "port").read_text() for name in ("pg_x", "pg_y")]
    assert found == [("pg_x", "127.0.0.1", int(ports[0]), None), ("pg_y", "127.0.0.1", int(ports[1]), None)]
    [passwords] = home.glob("storage/*/passwords")
    assert passwords.stat().st_mode & 0o777 == 0o600
    assert len(passwords.read_text().splitlines()) == 2


def test_connections_are_in_airflow_without_their_passwords_in_sight(up: Up) -> None:
    found = {c["connection_id"]: c for c in up.call("GET", "/connections")["connections"]}
    assert set(found) == {"pg_x", "pg_y"}
    assert {c["password"] for c in found.values()} == {"***"}


def test_secrets_are_for_their_owner_only_and_in_no_command_line_or_environment(up: Up) -> None:
    home = up.project / ".windlass" / "up"
    assert home.stat().st_mode & 0o777 == 0o700
    for name in ("keys.json", "airflow/airflow.cfg", "airflow/passwords.json"):
        assert (home / name).stat().st_mode & 0o777 == 0o600, name
    secrets = [os.fsencode(secret) for secret in json.loads((home / "keys.json").read_text()).values()]
    secrets += [
        os.fsencode((up.project / ".windlass" / "dev" / name / "password").read_text())
        for name in ("pg_x", "pg_y")
    ]
    for pid in processes_of(home):
        assert not [secret for secret in secrets if secret in what_it_shows(pid)]
    with_canary = {pid for pid in processes_of(up.project) if os.fsencode(CANARY) in what_it_shows(pid)}
    assert with_canary == {up.status()["pid"]}, "only the supervisor has what the shell had"
    logs = b"".join(file.read_bytes() for file in home.rglob("*.log"))
    assert not [secret for secret in secrets if secret in logs]


def test_down_leaves_nothing_and_up_comes_back_with_what_was_there(up: Up) -> None:
    home = up.project / ".windlass"
    before = {run["dag_run_id"] for run in up.call("GET", "/dags/pg2pg/dagRuns")["dag_runs"]}
    assert up.windlass("down").stdout == "down\n"
    assert gone(home)
    assert up.windlass("status").stdout == "nothing is up\n"
    again = up.windlass("up", "--detach", "--port", up.url.rpartition(":")[2])
    assert again.returncode == 0, again.stderr
    assert up.password not in again.stdout
    after = {run["dag_run_id"] for run in up.call("GET", "/dags/pg2pg/dagRuns")["dag_runs"]}
    assert before <= after


def server_of(up: Up, connection: str) -> int:
    """The process of a dev service: the only child of its launcher."""
    lock = os.fsencode(up.project / ".windlass" / "dev" / connection / "users.lock")
    [launcher] = [pid for pid in processes_of(up.project) if lock in what_it_shows(pid).split(b"\0")]
    return int(Path(f"/proc/{launcher}/task/{launcher}/children").read_text())


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")
def test_a_dev_service_that_dies_is_started_again_with_its_data(up: Up) -> None:
    first = server_of(up, "pg_x")
    os.kill(first, signal.SIGKILL)
    log = up.project / ".windlass" / "up" / "logs" / "supervisor.log"
    up.until(lambda: "the dev service of 'pg_x' has ended; the end of its log:" in log.read_text())
    up.until(lambda: {p["name"]: p["state"] for p in up.status()["parts"]}["connection pg_x"] == "healthy")
    assert server_of(up, "pg_x") != first
    run = up.trigger("pg2pg")
    assert up.wait("pg2pg", run) == "success", up.log("pg2pg", run, "transfer_data")
    up.until(lambda: up.status()["state"] == "healthy")


def test_a_component_that_dies_takes_the_others_with_it(up: Up) -> None:
    pids = {part["name"]: part["pid"] for part in up.status()["parts"]}
    os.kill(pids["dag-processor"], signal.SIGKILL)
    assert gone(up.project / ".windlass")
    log = (up.project / ".windlass" / "up" / "logs" / "supervisor.log").read_text()
    assert "dag-processor has ended: killed by SIGKILL; the end of its log:" in log


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")
def test_a_supervisor_that_is_killed_leaves_no_orphan(up: Up) -> None:
    started = up.windlass("up", "--detach", "--port", up.url.rpartition(":")[2])
    assert started.returncode == 0, started.stderr
    os.kill(up.status()["pid"], signal.SIGKILL)
    assert gone(up.project / ".windlass")
    assert up.windlass("down").stdout == "nothing is up\n"
