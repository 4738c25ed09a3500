"""Services of a pipeline, and dev services: started, waited for, stopped."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.runner.conftest import eventually, processes_with

Run = Callable[..., dict[str, Any]]
Call = Callable[..., Any]
Project = Callable[..., Path]
Start = Callable[..., subprocess.Popen[bytes]]

SERVER = """\
import http.server, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    calls = 0
    def do_GET(self):
        Handler.calls += 1
        ready = self.path != '/healthz' or Handler.calls > 3
        self.send_response(200 if ready else 503)
        self.end_headers()
        self.wfile.write(b'the answer')
    def log_message(self, *_):
        pass
print('listening', flush=True)
http.server.HTTPServer(('127.0.0.1', int(os.environ['PORT'])), Handler).serve_forever()
"""


def test_a_service_is_up_and_healthy_while_its_users_run_and_no_longer(run: Run) -> None:
    fetch = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).read().decode())"
    result = run(
        "tasks:\n"
        "  api: {service: {command: [sh, -c, 'exec python3 server.py'], health: /healthz}}\n"
        "  use: {run: {command: [sh, -c, 'python3 fetch.py {{ services.api.url }}/x']}}\n",
        files={"server.py": SERVER, "fetch.py": fetch},
    )
    assert (result["code"], {task["status"] for task in result["tasks"].values()}) == (0, {"success"})
    output = [record["message"] for record in result["log"] if record["event"] == "output"]
    assert output == ["listening", "the answer"]
    eventually(lambda: processes_with(f"WINDLASS_RUN_ID={result['run']}") == [])


def test_a_service_that_does_not_come_up_fails_what_uses_it(run: Run) -> None:
    result = run(
        "tasks:\n"
        "  ends: {service: {command: [sh, -c, 'echo no; exit 4']}}\n"
        "  hangs: {service: {command: [sleep, '600'], ready_timeout: 300ms}}\n"
        "  gone: {service: {command: [no-such-program]}}\n"
        "  dies: {service: {command: [sh, -c, 'python3 -m http.server --bind 127.0.0.1 $PORT & while ! test -e up; do sleep 0.05; done; kill $!']}}\n"
        "  a: {uses: ends, run: {command: [touch, a]}}\n"
        "  b: {uses: hangs, run: {command: [touch, b]}}\n"
        "  c: {uses: gone, run: {command: [touch, c]}}\n"
        "  d: {uses: dies, run: {command: [sh, -c, 'touch up; sleep 1; true']}}\n"
        "  e: {needs: d, uses: dies, run: {command: [touch, e]}}\n"
        "  unused: {service: {command: [touch, unused]}}\n"
    )
    errors = {name: task["error"] for name, task in result["tasks"].items() if task["status"] == "failed"}
    assert errors == {
        "ends": "the service ended before it was ready: exit code 4\n    no",
        "hangs": f"the service was not ready after 0.3 s (port {port_of(errors['hangs'])})",
        "gone": "there is no program 'no-such-program'",
        "dies": "the service ended by itself: exit code 0",
    }
    others = {name: task["status"] for name, task in result["tasks"].items() if name not in errors}
    assert others == {
        "a": "upstream_failed", "b": "upstream_failed", "c": "upstream_failed", "d": "success",
        "e": "upstream_failed", "unused": "skipped",
    }  # fmt: skip
    assert result["code"] == 1
    assert not [name for name in ("a", "b", "c", "e", "unused") if (result["root"] / name).exists()]


def port_of(error: str) -> str:
    return error.rpartition("port ")[2].rstrip(")")


# --- dev services --------------------------------------------------------------------------------

PROJECT = {
    "windlass.yaml": "project: p\nconnections: {pg: {type: postgres, dev: {init: [a.sql, b.sql]}}}\n",
    "a.sql": "CREATE TABLE t (id serial PRIMARY KEY, at timestamptz DEFAULT now());",
    "b.sql": "INSERT INTO t DEFAULT VALUES;",
}
COUNT = "tasks: {a: {sql: {connection: pg, statement: 'INSERT INTO t DEFAULT VALUES'}}, b: {needs: a, check: {connection: pg, table: t, rows: %d}}}\n"


def test_a_dev_postgres_is_initialised_once_on_loopback_and_stopped(run: Run) -> None:
    result = run(COUNT % 2, files=PROJECT)
    assert result["code"] == 0, result["stderr"]
    assert [r["event"] for r in result["log"]].count("dev_service_initialised") == 2
    eventually(lambda: processes_with(str(result["root"])) == [])
    again = run(COUNT % 3, files=PROJECT)
    assert again["code"] == 0, again["stderr"]
    assert "dev_service_initialised" not in again["stderr"]
    changed = run(COUNT % 2, files={**PROJECT, "b.sql": "INSERT INTO t (id) VALUES (DEFAULT);"})
    assert changed["code"] == 0, changed["stderr"]


def test_a_dev_service_is_shared_by_runs_at_once_and_listens_on_loopback_only(
    project: Project, start: Start
) -> None:
    step = "{run: {command: [sh, -c, 'echo $WINDLASS_CONN_PG > %s; while ! test -e go; do sleep 0.05; done'], connections: pg}}"
    names = ("p", "q")
    root = project(
        {**PROJECT, **{f"pipelines/{n}.yaml": f"pipeline: {n}\ntasks: {{a: {step % n}}}\n" for n in names}}
    )
    processes = [start(root, "run", name, "--json") for name in names]
    eventually(lambda: all((root / name).exists() and (root / name).read_text() for name in names))
    uri = (root / "p").read_text().strip()
    assert (root / "q").read_text().strip() == uri
    port = int(uri.rpartition(":")[2].partition("/")[0])
    listening = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    listening += [line.split() for line in Path("/proc/net/tcp6").read_text().splitlines()[1:]]
    hosts = {
        fields[1].rpartition(":")[0]
        for fields in listening
        if fields[1].endswith(f":{port:04X}") and fields[3] == "0A"
    }
    assert hosts == {"0100007F"}  # 127.0.0.1
    (root / "go").touch()
    assert {json.loads(process.communicate()[0])["status"] for process in processes} == {"success"}
    eventually(lambda: processes_with(str(root)) == [])


def test_an_init_file_that_is_missing_or_wrong_is_named(run: Run) -> None:
    missing = run(
        COUNT % 2, files={**PROJECT, "windlass.yaml": PROJECT["windlass.yaml"].replace("a.sql", "aa.sql")}
    )
    assert "there is no init file 'aa.sql'" in missing["tasks"]["a"]["error"]
    wrong = run(COUNT % 2, files={**PROJECT, "b.sql": "INSERT INTO tt DEFAULT VALUES;"})
    assert wrong["tasks"]["a"]["error"].startswith("b.sql: ")
    assert run(COUNT % 2, files=PROJECT)["code"] == 0  # mended: it begins with empty data


def test_a_configured_connection_is_used_instead_of_a_dev_service(run: Run, database: Any) -> None:
    text = "tasks: {a: {sql: {connection: pg, statement: CREATE TABLE mine (id int)}}}\n"
    configured = {"WINDLASS_CONN_PG": database.uri()}
    assert run(text, files=PROJECT, env=configured)["code"] == 0
    assert "already exists" in run(text, files=PROJECT, env=configured)["tasks"]["a"]["error"]


def test_a_task_names_the_place_where_its_run_found_a_connection(run: Run) -> None:
    text = "tasks: {a: {sql: {connection: pg, statement: SELECT 1}}}\n"
    address = "WINDLASS_CONN_PG=postgresql://me@127.0.0.1:1/db\n"
    result = run(text, files={**PROJECT, ".env": address})
    where = result["root"] / ".env"
    assert f"the address comes from WINDLASS_CONN_PG in {where}" in result["tasks"]["a"]["error"]


def test_a_configuration_that_cannot_be_read_is_an_error_and_no_dev_service(run: Run) -> None:
    result = run(COUNT % 2, files=PROJECT, env={"WINDLASS_CONN_PG": "very-secret"})
    assert result["code"] == 1
    assert "WINDLASS_CONN_PG cannot be read" in result["tasks"]["a"]["error"]
    assert "very-secret" not in result["stderr"]
    assert not (result["root"] / ".windlass/dev").exists()


def test_an_http_dev_service_serves_files_and_parts_of_them(run: Run) -> None:
    result = run(
        "tasks: {get: {download: {connection: site, path: a/b.txt, to: got.txt}}, none: {download: {connection: site, path: c, to: c}}}\n",
        files={
            "windlass.yaml": "project: p\nconnections: {site: {type: http, dev: {serve: files}}}\n",
            "files/a/b.txt": "content",
        },
    )
    assert (result["root"] / "got.txt").read_text() == "content"
    assert "answered 404" in result["tasks"]["none"]["error"]
    assert not (result["root"] / "c").exists()


NO_HTTP = """\
import os, socket
server = socket.create_server(("127.0.0.1", int(os.environ["PORT"])))
while True:
    client, _ = server.accept()
    client.sendall({answer})
    {end}
"""
BAD_ANSWERS = {
    "is_no_http": ("b'SSH-2.0-x\\r\\n'", "client.close()"),
    "has_a_long_header": ("b'HTTP/1.1 200 OK\\r\\nX: ' + bytes(70000)", "client.close()"),
    "hangs_up": ("b''", "client.close()"),
    "says_nothing": ("b''", "kept = client, *globals().get('kept', ())"),
}


def test_a_health_check_that_fails_in_whatever_way_ends_in_the_timeout(run: Run) -> None:
    tasks = "".join(
        f"  {name}: {{service: {{command: [python3, {name}.py], health: '/health check', ready_timeout: 1s}}}}\n"
        f"  u_{name}: {{uses: {name}, run: {{command: [touch, used]}}}}\n"
        for name in BAD_ANSWERS
    )
    files = {
        f"{name}.py": NO_HTTP.format(answer=answer, end=end) for name, (answer, end) in BAD_ANSWERS.items()
    }
    result = run("tasks:\n" + tasks, "--parallel", "8", files=files)
    assert result["code"] == 1
    for name in BAD_ANSWERS:
        told = result["tasks"][name]
        assert (told["status"], told["code"]) == ("failed", "W0607")
        assert "was not ready after 1 s (/health check)" in told["error"]
        assert result["tasks"][f"u_{name}"]["status"] == "upstream_failed"


def test_a_service_is_asked_without_a_proxy_and_by_its_whole_path(run: Run) -> None:
    server = SERVER.replace("self.path != '/healthz'", "self.path != '/health%20z?a=b'")
    result = run(
        "tasks:\n"
        "  api: {service: {command: [python3, server.py], health: '/health z?a=b'}}\n"
        "  use: {run: {command: [sh, -c, 'python3 fetch.py {{ services.api.url }}/x']}}\n",
        files={
            "server.py": server,
            "fetch.py": "import sys, urllib.request; urllib.request.urlopen(sys.argv[1])",
        },
        env={"http_proxy": "http://127.0.0.1:9"},
    )
    assert (result["code"], {task["status"] for task in result["tasks"].values()}) == (0, {"success"})
