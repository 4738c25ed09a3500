"""The password of a connection is in Airflow's database, encrypted, and nowhere else that people look."""

from __future__ import annotations

import os
from configparser import ConfigParser
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.airflow.proof import Proof, gate
from tests.faults.checker import query


@pytest.mark.usefixtures("alone_at_the_gate")
def test_a_password_is_nowhere_to_be_seen(proof: Proof) -> None:
    with gate(proof.databases.url("pg_x")) as somebody_waits:
        run = proof.up.trigger("secret")
        proof.up.until(somebody_waits)
        shown = {pid: line for pid, line in command_lines().items() if proof.canary in line}
        running = [line for line in command_lines().values() if "exec\0secret\0load" in line]
    assert shown == {}
    assert len(running) == 1, "the task was not running while its command line was looked at"
    assert proof.up.wait("secret", run) == "success"
    assert proof.databases.ask("pg_y", "SELECT count(*) FROM secretly") == [(10_000,)]
    assert "I connect to postgres://etl:***@" in proof.up.log("secret", run, "tell")
    answers = [
        proof.up.call("GET", f"/dags/secret/dagRuns/{quote(run, safe='')}/taskInstances"),
        proof.up.call("GET", "/connections/vault"),
        proof.up.call("GET", f"/dags/secret/dagRuns/{quote(run, safe='')}/taskInstances/load/xcomEntries"),
        proof.up.call("GET", "/dags/secret/details"),
    ]
    assert "rendered_fields" in str(answers[0])
    assert proof.canary not in str(answers)
    assert_nowhere(proof.canary, dump(airflows_database(proof.up.project)))
    assert files_with(proof.canary, proof.up.project) == [proof.up.project / ".env"]


def command_lines() -> dict[int, str]:
    """The command lines of all processes."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            found[int(folder.name)] = os.fsdecode((folder / "cmdline").read_bytes())
        except OSError:
            continue
    return found


def airflows_database(project: Path) -> str:
    """The address of the database that Airflow keeps its state in."""
    config = ConfigParser(interpolation=None)
    config.read(project / ".windlass" / "up" / "airflow" / "airflow.cfg")
    return config["database"]["sql_alchemy_conn"].replace("+psycopg2", "")


def dump(url: str) -> dict[str, str]:
    """Every table of a database, as text."""
    names = query(
        url, "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname = 'public'"
    )
    return {name: str(query(url, f"SELECT t::text FROM {name} AS t")) for (name,) in names}


def assert_nowhere(canary: str, tables: dict[str, str]) -> None:
    assert "vault" in tables["public.connection"]
    assert "secret" in tables["public.task_instance"]
    assert [name for name, text in tables.items() if canary in text] == []


def files_with(text: str, folder: Path) -> list[Path]:
    """The files below a folder that contain the text: logs, plans, and databases as they are on disk."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return [path for path in files if os.access(path, os.R_OK) and text.encode() in path.read_bytes()]
