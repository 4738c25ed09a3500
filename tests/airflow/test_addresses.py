"""Connections that `windlass up` creates in Airflow: a task reads the very same address from them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from tests.conftest import missing
from windlass.connections import parse_address
from windlass.stack.addresses import for_airflow

URIS = (
    "postgresql://etl:p%40ss%3Aw%2Frd@db.example.com:5433/sales?sslmode=require",
    "postgresql://etl@[2001:db8::1]/sales",
    "sqlite:////srv/data/shop.db",
    "duckdb:////srv/data/shop.duckdb",
    "http://127.0.0.1:8080",
    "https://me:s3cret@api.example.com:8443/v1/things",
    "https://api.example.com/v1?page=1",
)
WEBHOOK = "https://hooks.slack.com/services/T000/B000/XXXX"
SECRET_URLS = (
    (WEBHOOK, "slack"),
    ("slack://:xoxb-1-2-3@slack.com", "slack"),
    ("https://prod-7.logic.azure.com:443/workflows/a1/invoke?api-version=2016-06-01&sig=Xy_9-Zz", "teams"),
    ("pagerduty://R0UTINGKEY@events.pagerduty.com", "pagerduty"),
    ("http://t0ken@hooks.example.com:8080/in?team=data", "webhook"),
)
MAIL = "smtp://me:s3cret@mail.example.com:587/?to=a%40example.com"
SECRETS = ("xoxb-1-2-3", "Xy_9-Zz", "R0UTINGKEY", "t0ken")

# Airflow warns when it is imported, so it is asked in a process of its own
ASK = """
import json, sys
from airflow.sdk import Connection
from windlass.targets.airflow.loader.windlass_airflow.connections import address_of
for given, form in json.load(sys.stdin):
    print(address_of(Connection(conn_id=given.pop("connection_id"), **given), form))
"""


def as_a_task_reads(connections: list[tuple[dict[str, object], str | None]], home: Path) -> list[str]:
    if find_spec("airflow") is None:
        missing("Airflow")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "WINDLASS_"))}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ASK],
        env={**environment, "AIRFLOW_HOME": str(home)},
        input=json.dumps(connections),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_task_reads_the_address_that_windlass_found(tmp_path: Path) -> None:
    addresses = [parse_address(uri, "a test") for uri in URIS]
    addresses += [parse_address(uri, "a test", kind) for uri, kind in (*SECRET_URLS, (MAIL, "smtp"))]
    given = [(for_airflow("c", address), address.form) for address in addresses]
    key: dict[str, object] = {"connection_id": "c", "conn_type": "pagerduty_events", "password": "KEY7"}
    *read, pager = as_a_task_reads([*given, (key, "secret_url")], tmp_path)
    assert parse_address(pager, "a test", "pagerduty").password == "KEY7", "as Airflow's own provider has it"
    found = [
        parse_address(text, "a test", address.type) for text, address in zip(read, addresses, strict=True)
    ]
    assert [replace(a, scheme="") for a in found] == [replace(a, scheme="") for a in addresses]
    assert [a.scheme for a in found if a.type in ("http", "slack")] == [
        a.scheme for a in addresses if a.type in ("http", "slack")
    ]


def test_what_is_secret_of_an_address_is_in_a_field_that_airflow_encrypts() -> None:
    for uri, kind, secret in (
        (URIS[0], "postgres", "p@ss:w/rd"),
        (URIS[5], "http", "s3cret"),
        (WEBHOOK, "slack", "T000/B000/XXXX"),
        *((uri, kind, secret) for (uri, kind), secret in zip(SECRET_URLS[1:], SECRETS, strict=True)),
        (MAIL, "smtp", "s3cret"),
    ):
        connection = for_airflow("c", parse_address(uri, "a test", kind))
        assert secret in str(connection.pop("password"))
        assert secret not in json.dumps(connection)
    connection = for_airflow("c", parse_address("https://api.example.com/v1?key=s3cret", "a test", "http"))
    assert "s3cret" in str(connection.pop("extra"))
    assert "s3cret" not in json.dumps(connection)
