"""What processes get of our environment."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import windlass
from windlass.processes.environment import for_containers, inherited, installing

SOURCE = Path(windlass.__file__).parent

NEEDED = ("PATH", "HOME", "LANG", "TZ", "https_proxy", "NO_PROXY", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE",
          "NODE_EXTRA_CA_CERTS", "PIP_INDEX_URL", "PIP_CERT", "UV_INDEX_URL", "npm_config_registry")  # fmt: skip
SECRET = ("WINDLASS_CONN_PG", "AIRFLOW_CONN_PG", "AWS_SECRET_ACCESS_KEY", "MY_TOKEN", "CLIENT_CERT",
          "UV_PUBLISH_TOKEN", "UV_PUBLISH_PASSWORD", "TWINE_PASSWORD", "WINDLASS_RUN_ID")  # fmt: skip
FOR_PACKAGES = ("UV_INDEX_ACME_PASSWORD", "NPM_TOKEN", "npm_config__auth", "SSH_AUTH_SOCK")
EVERYTHING = dict.fromkeys((*NEEDED, *SECRET, *FOR_PACKAGES), "x")


def test_what_we_start_gets_what_it_needs_and_no_secret() -> None:
    assert set(inherited(EVERYTHING)) == {*NEEDED, "no_proxy"}


def test_an_installer_gets_at_private_packages_too_and_at_nothing_else() -> None:
    assert set(installing(EVERYTHING)) == {*NEEDED, "no_proxy", *FOR_PACKAGES}


def test_a_client_of_containers_is_told_where_they_are() -> None:
    where = dict.fromkeys(("DOCKER_HOST", "KUBECONFIG"), "x")
    assert set(for_containers({**EVERYTHING, **where, "DOCKER_PASSWORD": "x"})) == {
        *NEEDED,
        "no_proxy",
        *where,
    }


def test_no_proxy_is_asked_for_what_listens_on_this_machine() -> None:
    assert "no_proxy" not in inherited({"PATH": "/bin"})
    given = inherited({"http_proxy": "http://proxy:1", "NO_PROXY": "example.com"})
    assert given["no_proxy"] == given["NO_PROXY"] == "example.com,localhost,127.0.0.1"


WITH_EVERYTHING = {  # windlass itself, which resolves connections
    "api/backfilling.py",
    "runner/nested.py",
    "runtimes/process.py",
    "runtimes/warm.py",
    "stack/control.py",
}
STARTING = (
    "run",
    "Popen",
    "call",
    "check_call",
    "check_output",
    "launch",
    "execv",
    "execve",
    "posix_spawn",
    "system",
)
UNDER_THE_LAUNCHER = {"processes/launcher.py"}  # which has been given a filtered one


def test_nothing_is_started_with_all_of_our_environment() -> None:
    """Each place that starts a process says what it gets; `launch` filters where nothing is said."""
    places = {(file, ast.unparse(call)) for file, call in starting()}
    silent = {file for file, call in places if "env" not in call and not call.startswith("launch(")}
    assert silent <= UNDER_THE_LAUNCHER
    whole = {file for file, call in places if re.search(r"(dict\(|\*\*|=)os\.environ", call)}
    assert whole <= WITH_EVERYTHING
    assert len(places) > 10


def starting() -> Iterator[tuple[str, ast.Call]]:
    for file in SOURCE.rglob("*.py"):
        if "loader" not in file.parts:  # which runs where Airflow does
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and is_starting(ast.unparse(node.func)):
                    yield file.relative_to(SOURCE).as_posix(), node


def is_starting(function: str) -> bool:
    owner, _, name = function.rpartition(".")
    return name in STARTING and (owner in ("subprocess", "os") or function == "launch")
