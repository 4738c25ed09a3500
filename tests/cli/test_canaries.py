"""Canaries in every secret part of every kind of connection: no command prints one, no file keeps one.

Whatever is printed and whatever stands below `.windlass` is searched for them in the forms in which programs print
a secret; also when a command fails, and when a server or a step says one aloud.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from tests.conftest import Output
from windlass.connections import Address
from windlass.connectors.postgres.session import Session

CANARIES = {
    "password": "C4n1:p@ss/w?rd#xCanaryA",
    "several lines": "new\nline3CanaryC\nand line4/CanaryC",
    "option": "queryPass10CanaryJ",
    "unknown option": "extra12CanaryL+",
    "webhook": "webhook11CanaryK",
    "query": "httpPw13Canary",
    "token": "tokenOnly14Canary",
    "nested extra": "-----BEGIN PRIVATE KEY-----\\nMIICanaryN0123456789",
    "proxy": "proxyPw15Canary",
    "index": "indexPw16Canary",
}
PROJECT = """
project: test
connections:
  c1: {type: postgres}
  c2: {type: postgres}
  opt: {type: postgres}
  hook: {type: slack}
  web: {type: http}
  token: {type: http}
  air: {type: postgres}
  target: {type: postgres}
"""
PIPELINE = """
pipeline: p
on_failure: [hook]
tasks:
  tells: {run: {command: [python3, tells.py], connections: [c1, c2, opt, web, token, air]}}
  fails: {run: {command: [sh, -c, "cat .env; python3 tells.py; exit 3"], connections: [c1, c2]}}
  refused: {copy: {from: {path: in.csv}, to: {connection: target, table: t, mode: append}}}
  quarantined:
    copy: {from: {path: in.csv}, to: {connection: target, table: t, mode: append}, on_bad_row: quarantine}
  unreachable: {sql: {connection: c1, statement: "SELECT 1"}}
  gone: {download: {connection: web, path: x.csv, to: x.csv}}
  installs: {run: {build: steps/n, command: [python, -c, "print(1)"]}}
"""
TELLS = """
import base64, html, json, os, sys
from urllib.parse import quote, quote_plus, unquote, urlsplit
for name, uri in os.environ.items():
    if not name.startswith(("WINDLASS_CONN_", "http_proxy")):
        continue
    parts = urlsplit(uri)
    for s in filter(None, (uri, unquote(parts.password or ""), unquote(parts.query), unquote(parts.username or ""))):
        s = s.rpartition("=")[2] if s == unquote(parts.query) else s
        print(s, quote(s), quote(s, safe=""), quote_plus(s), html.escape(s), json.dumps(s), repr(s), flush=True)
        print(json.dumps(json.dumps({"k": s})), base64.b64encode(s.encode()).decode(), file=sys.stderr, flush=True)
        print(json.dumps({"event": "told", "secret": [s], s: 1}), flush=True)
        print(json.dumps({"event": "failed", "error": "told: " + s}), flush=True)
"""


def addresses(server: Address) -> dict[str, str]:
    password, lines = (quote(CANARIES[name], safe="") for name in ("password", "several lines"))
    extra = {"token": CANARIES["unknown option"], "keyfile": {"key": CANARIES["nested extra"]}}
    return {
        "WINDLASS_CONN_C1": f"postgresql://c1:{password}@127.0.0.1:9/db",
        "WINDLASS_CONN_C2": f"postgresql://c2:{lines}@127.0.0.1:9/db?sslmode=disable",
        "WINDLASS_CONN_OPT": f"postgresql://opt@127.0.0.1:9/db?password={CANARIES['option']}",
        "WINDLASS_CONN_HOOK": f"http://127.0.0.1:9/services/T0CANARY/B0CANARY/{CANARIES['webhook']}",
        "WINDLASS_CONN_WEB": f"http://127.0.0.1:9/api?token={CANARIES['query']}",
        "WINDLASS_CONN_TOKEN": f"http://{CANARIES['token']}@127.0.0.1:9/",
        "AIRFLOW_CONN_AIR": json.dumps(
            {"conn_type": "postgres", "host": "127.0.0.1", "port": 9, "extra": extra}
        ),
        "WINDLASS_CONN_TARGET": server.uri(),
    }


OTHERS = {
    "http_proxy": f"http://me:{CANARIES['proxy']}@127.0.0.1:9",
    "UV_INDEX_URL": f"http://me:{CANARIES['index']}@127.0.0.1:9/simple",
    "PIP_INDEX_URL": f"http://me:{CANARIES['index']}@127.0.0.1:9/simple",
}
COMMANDS = (
    "run p",
    "--debug run p --json",
    "run p --task tells --task fails",
    "connections",
    "connections --json",
    "connections test",
    "connections test --json",
    "runs --json",
    "logs {run}",
    "logs {run} --json",
    "report",
    "docs",
    "status --board .windlass/board.html",
    "quarantine list --json",
    "quarantine show {run} quarantined",
    "--debug quarantine replay {run} quarantined",
    "doctor",
    "validate --json",
    "compile p --json",
    "export airflow --out exported",
    *(
        f"--debug exec p {task}"
        for task in ("tells", "fails", "refused", "quarantined", "unreachable", "gone")
    ),
    "--debug copy in.csv {target}?table=t --mode append",
    "--debug copy in.csv postgresql://me:{password}@127.0.0.1:9/db?table=t",
    "--debug copy in.csv postgresql://me:{password}@127.0.0.1:port/db?table=t",
)


@pytest.mark.one_of(2)
@pytest.mark.parametrize("where", ["environment", ".env"])
def test_no_secret_is_printed_or_kept(
    where: str, windlass: Callable[..., Output], project: Callable[..., Path], database: Address
) -> None:
    said = f"refused, the password was {CANARIES['password']}, and {CANARIES['option']}"
    _refuse_rows(database, said)
    root = project(
        {
            "windlass.yaml": PROJECT,
            "pipelines/p.yaml": PIPELINE,
            "tells.py": TELLS,
            "in.csv": "id\n1\n",
            "steps/n/requirements.txt": "no-such-package-of-anybody\n",
            ".env": "",
        }
    )
    variables, names = (
        addresses(database),
        {"target": database.uri(), "password": quote(CANARIES["password"], safe="")},
    )
    if where == ".env":
        (root / ".env").write_text("".join(f"{name}='{value}'\n" for name, value in variables.items()))
    env = OTHERS if where == ".env" else {**OTHERS, **variables}
    for command in COMMANDS:
        words = [word.format(**names) for word in command.split()]
        done = windlass("-C", root, *words, env=env, cwd=root)
        shown = done.stdout + done.stderr
        if command == "run p":
            assert done.code == 1, shown
            names["run"] = re.findall(r"p-\w+-\w+", done.stdout)[0]
        assert list(found_in(shown)) == [], f"{command}:\n{shown}"
        assert "Traceback" not in shown or "--debug" in command
    kept = {file.relative_to(root): list(found_in(text)) for file, text in files_below(root / ".windlass")}
    assert {file: found for file, found in kept.items() if found} == {}
    assert any("quarantine" in str(file) for file in kept)
    exported = {file: list(found_in(text)) for file, text in files_below(root / "exported")}
    assert {file: found for file, found in exported.items() if found} == {}


def _refuse_rows(database: Address, message: str) -> None:
    session = Session(database)
    session.execute(
        f"""CREATE TABLE t (id int);
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
        $f$ BEGIN RAISE EXCEPTION '{message.replace("'", "''")}'; END $f$;
        CREATE TRIGGER refuse BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION refuse();"""
    )
    session.close()


def files_below(folder: Path) -> Iterator[tuple[Path, str]]:
    for file in folder.rglob("*"):
        if file.is_file() and "envs" not in file.parts:
            yield file, file.read_bytes().decode("utf-8", "replace")


def found_in(text: str) -> Iterator[str]:
    """The canaries that are in a text, in any form."""
    for name, canary in CANARIES.items():
        for line in (canary, *canary.split("\n")):
            if len(line) >= 6 and any(form in text for form in forms_of(line)):
                yield name


def forms_of(secret: str) -> Iterator[str]:
    yield from (secret, quote(secret), quote(secret, safe=""), quote_plus(secret), html.escape(secret))
    yield from (repr(secret)[1:-1], json.dumps(secret)[1:-1], json.dumps(json.dumps(secret)[1:-1])[1:-1])
    for before in ("", "x", "xx"):
        yield base64.b64encode(f"{before}{secret}".encode()).decode().rstrip("=")[4:-3]
