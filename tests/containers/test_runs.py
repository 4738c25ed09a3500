"""Runs whose steps are containers, on a real engine: what they find, how they end, and that nothing stays."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.conftest import PYTHON, Output
from tests.runner.conftest import eventually
from tests.warm import Warm
from windlass.runtimes.docker.engine import Engine

Windlass = Callable[..., Output]
Project = Callable[..., Path]
Containers = Callable[[], list[str]]


def events(done: Output) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]


def said(done: Output, task: str) -> list[str]:
    """What a task printed."""
    return [e["message"] for e in events(done) if e.get("event") == "output" and e.get("task") == task]


def tasks(done: Output) -> dict[str, dict[str, Any]]:
    return {task["task"]: task for task in done.json["tasks"]}


# --- how containers end ------------------------------------------------------------------------------

ENDS = f"""
pipeline: p
tasks:
  well: {{run: {{image: {PYTHON}, command: [sh, -c, "umask 027; mkdir a; echo out; echo err >&2; printf end > $WINDLASS_WORKSPACE/well.txt"], mount: /tmp/work}}}}
  three: {{run: {{image: {PYTHON}, command: [sh, -c, "exit 5"]}}}}
  killed: {{run: {{image: {PYTHON}, command: [sh, -c, "sh -c 'kill -9 $$'"]}}}}
  hungry: {{run: {{image: {PYTHON}, command: [python, -c, "bytearray(400_000_000)"], resources: {{memory: 64MB, cpus: 0.5}}}}}}
  nothing: {{run: {{image: {PYTHON}, command: [there-is-none]}}}}
  absent: {{run: {{image: acme/absent:1, pull: never}}}}
  whoever: {{run: {{image: {PYTHON}, command: [id, -u], user: "1234"}}}}
  nowhere: {{run: {{image: {PYTHON}, command: ["true"], network: there-is-none}}}}
"""


def test_the_ends_of_containers_are_told_apart_and_nothing_is_left(
    windlass: Windlass, project: Project, containers: Containers, engine: Engine
) -> None:
    root = project({"pipelines/p.yaml": ENDS})
    root.chmod(0o755)
    done = windlass("-C", root, "run", "p", "--json", "--parallel", "3")
    found = {name: (task["status"], task["error"], task["code"]) for name, task in tasks(done).items()}
    if (
        engine.is_podman
    ):  # which does not always say why, and whose `init` ends with 1 where there is no program
        unsaid = {"hungry": ("killed by SIGKILL", "W0604"), "nothing": ("exit code 1", "W0603")}
        said_first = {name: (str(error).partition("\n")[0], code) for name, (_, error, code) in found.items()}
        found = {name: one for name, one in found.items() if said_first[name] != unsaid.get(name)}
    expected = {
        "well": ("success", None, None),
        "three": ("failed", "exit code 5", "W0603"),
        "killed": ("failed", "killed by SIGKILL", "W0604"),
        "hungry": (
            "failed",
            "killed, out of memory: it wanted more than 64.0 MB; `resources` says what it may use",
            "W0622",
        ),
        "nothing": ("failed", "there is no program 'there-is-none' in the image", "W0605"),
        "absent": (
            "failed",
            "the engine has no image acme/absent:1\n  hint: pull it, or leave out `pull: never`",
            "W0621",
        ),
        "whoever": ("success", None, None),
        "nowhere": ("failed", found["nowhere"][1], "W0002"),
    }
    assert found == {name: one for name, one in expected.items() if name in found}
    assert found.keys() == expected.keys() or engine.is_podman
    assert re.search("network .*there-is-none.* not found", str(found["nowhere"][1]))
    assert (sorted(said(done, "well")), said(done, "whoever")) == (["err", "out"], ["1234"])
    written = (root / "well.txt").stat()
    assert (written.st_uid, written.st_gid, written.st_mode & 0o777) == (os.getuid(), os.getgid(), 0o640)
    assert [e["engine"].split()[0] for e in events(done) if e["event"] == "engine"] == [
        engine.name.split()[0]
    ]
    assert containers() == []


# --- what containers reach ---------------------------------------------------------------------------

SERVER = """
import http.server, os

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello from " + os.environ["WHO"].encode())

http.server.HTTPServer(("", int(os.environ["PORT"])), Handler).serve_forever()
"""
ASK = """
import os, sys, urllib.request
from shared.greeting import said
print(said)
for url in sys.argv[1:]:
    print(url, urllib.request.urlopen(url).read().decode())
"""
DOCKERFILE = f"""
FROM {PYTHON} AS base
WORKDIR /app
COPY server.py ask.py ./
ARG WHO
ENV WHO=$WHO PYTHONPATH=/elsewhere
CMD ["python", "server.py"]
FROM base AS asking
ENTRYPOINT ["python", "ask.py"]
FROM base AS broken
RUN false
"""
REACH = """
pipeline: p
tasks:
  seed: {sql: {connection: lite, statement: "CREATE TABLE t AS SELECT 42 AS n"}}
  inside: {service: {build: {context: steps/api, target: base, args: {WHO: a container}}, port: 3000, command: [sh, -c, "sleep 1; exec python server.py"]}}
  outside: {service: {runtime: process, build: steps/api, command: [python3, server.py], env: {WHO: a process}}}
  both:
    uses: [inside, outside]
    run:
      build: {context: steps/api, target: asking}
      libraries: shared
      command: ["{{ services.inside.url }}", "{{ services.outside.url }}"]
  process:
    uses: [inside]
    run: {runtime: process, build: steps/api, libraries: [shared], command: [python3, ask.py, "{{ services.inside.url }}"]}
  database:
    needs: seed
    run:
      image: python:3.12-slim
      command: [python, -c, "import os, sqlite3; print(sqlite3.connect(os.environ['FILE'].partition('://')[2][1:]).execute('SELECT n FROM t').fetchall(), os.environ['HOOK'])"]
      env: {FILE: {connection: lite}, HOOK: {secret: hook}}
      mount: /app/data
"""


def test_services_connections_and_secrets_are_reached_from_containers_and_processes(
    windlass: Windlass, project: Project, containers: Containers, buildkit: Engine
) -> None:
    root = project(
        {
            "windlass.yaml": "project: test\nconnections: {lite: {type: sqlite}}\nruntimes: {default: docker}\n"
            "libraries: {shared: libraries/python/shared}\n",
            "libraries/python/shared/greeting.py": "said = 'shared code'\n",
            "pipelines/p.yaml": REACH,
            "steps/api/server.py": SERVER,
            "steps/api/ask.py": ASK,
            "steps/api/Dockerfile": DOCKERFILE,
            "steps/api/.dockerignore": "notes\n",
            "steps/api/of-this-test": uuid4().hex,
        }
    )
    env = {"WINDLASS_SECRET_HOOK": "cnry-8c1f0a"}
    done = windlass("-C", root, "run", "p", "--json", env=env)
    assert {name: task["status"] for name, task in tasks(done).items()} == dict.fromkeys(
        ("seed", "inside", "outside", "both", "process", "database"), "success"
    )
    shared, first, second = said(done, "both")
    assert shared == said(done, "process")[0] == "shared code"
    assert first == "http://inside:3000 hello from a container"
    assert second.endswith("hello from a process")
    assert said(done, "process")[1].startswith("http://127.0.0.1:")
    assert said(done, "database") == ["[(42,)] ***"]
    assert containers() == []
    # the same folder is the same image, whatever is in it that no image has; another stage of it is another one
    (root / "steps/api/notes").write_text("of nobody's business")
    (root / "pipelines/p.yaml").write_text(REACH.replace("target: asking", "target: broken"))
    broken = windlass("-C", root, "run", "p", "--task", "both", "--json", env=env)
    builds = [[e["image"] for e in events(run) if e["event"] == "image_build"] for run in (done, broken)]
    assert [len(images) for images in builds] == [2, 1]
    assert tasks(broken)["both"]["code"] == "W0621"
    assert "cannot build steps/api:\n" in tasks(broken)["both"]["error"]
    for image in builds[0]:
        buildkit.client.remove_image(image, force=True)


# --- how they are stopped ----------------------------------------------------------------------------

WAIT = f"""
pipeline: p
tasks:
  waits: {{run: {{image: {PYTHON}, command: [sh, -c, "trap 'echo stopped; exit 0' TERM; touch /data/ready; while :; do sleep 0.1; done"]}}}}
  later: {{needs: waits, run: {{command: ["true"]}}}}
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_container_ends_with_its_run_or_is_removed_by_the_next(
    number: signal.Signals, warm: Warm, windlass: Windlass, project: Project, containers: Containers
) -> None:
    root = project({"pipelines/p.yaml": WAIT, "pipelines/q.yaml": WAIT.replace("pipeline: p", "pipeline: q")})
    running = warm.start("windlass", "run", "p", "--json", cwd=root, env=dict(os.environ))
    eventually((root / "ready").exists)
    (held,) = containers()
    running.send_signal(number)
    done = running.wait(60)
    if number == signal.SIGTERM:
        assert done.returncode == 143
        assert '"message": "stopped"' in done.stderr
        assert containers() == []
        return
    assert containers() in (
        [held],
        [],
    )  # nobody was left to stop it; a run of another test may be the next one
    (root / "pipelines/q.yaml").write_text(f"pipeline: q\ntasks: {{a: {{run: {{image: {PYTHON}}}}}}}\n")
    following = windlass("-C", root, "run", "q")
    assert following.code == 0
    assert {e["container"] for e in events(following) if e["event"] == "orphan_ended"} <= {held[:12]}
    assert containers() == []
