"""Tasks as containers: an export for Docker on a real Airflow and a real engine, one container killed in the middle."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.airflow.proof import Proof
from tests.conftest import PYTHON
from tests.targets.exported import export_to_airflow
from windlass.runtimes.docker.engine import Engine

NAME = "in_containers"
API = """
import http.server, os

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello from the service")

http.server.HTTPServer(("", int(os.environ["PORT"])), Handler).serve_forever()
"""
ASK = """
import os, pathlib, sys, time, urllib.request

print("attempt", os.environ["WINDLASS_ATTEMPT"], "knows", os.environ["PASSWORD"], flush=True)
workspace = pathlib.Path("/app/data")
with (workspace / "attempts.txt").open("a") as said:
    print(os.environ["WINDLASS_ATTEMPT"], os.environ["USER_OF_VAULT"], file=said)
while os.environ["WINDLASS_ATTEMPT"] == "1":
    time.sleep(0.1)
print("the answer is", urllib.request.urlopen(sys.argv[1]).read().decode())
"""
PIPELINE = f"""
pipeline: {NAME}
tasks:
  api: {{service: {{image: {PYTHON}, command: [python, /data/api.py], port: 3000, health: /}}}}
  ask:
    uses: [api]
    retries: 1
    retry_delay: 0s
    run:
      image: {PYTHON}
      command: [python, /app/data/ask.py, "{{{{ services.api.url }}}}"]
      mount: /app/data
      env:
        PASSWORD: {{connection: vault, part: password}}
        USER_OF_VAULT: {{connection: vault, part: user}}
"""


@pytest.fixture
def workspace(proof: Proof, tmp_path: Path) -> Path:
    """What the containers share, of a pipeline that stands beside those of the proof from here on."""
    shared, project = tmp_path / "workspace", tmp_path / "project"
    shared.mkdir()
    (shared / "api.py").write_text(API)
    (shared / "ask.py").write_text(ASK)
    (project / "pipelines").mkdir(parents=True)
    (project / "pipelines" / f"{NAME}.yaml").write_text(PIPELINE)
    docker = f"{{workspace: {shared}, user: '{os.getuid()}:{os.getgid()}'}}"
    (project / "windlass.yaml").write_text(
        f"project: apart\nconnections: {{vault: {{type: postgres}}}}\nruntimes: {{docker: {docker}}}\n"
    )
    export_to_airflow(project, tmp_path / "out", "docker")
    # whole at once: Airflow may look at any time, and other tests look at its import errors
    (tmp_path / "out" / "dags").rename(proof.up.project / ".windlass" / "up" / "airflow" / "dags" / NAME)
    proof.up.until(lambda: NAME in {dag["dag_id"] for dag in proof.up.call("GET", "/dags?limit=100")["dags"]})
    return shared


def test_a_killed_container_is_tried_again_and_nothing_is_left(
    proof: Proof, workspace: Path, engine: Engine
) -> None:
    up, attempts = proof.up, workspace / "attempts.txt"

    def containers(task: str) -> list[str]:
        labels = [f"windlass.pipeline={NAME}", f"windlass.task={task}"]
        return [each["Id"] for each in engine.client.containers(all=True, filters={"label": labels})]

    run = up.trigger(NAME)
    up.until(lambda: attempts.exists() and attempts.read_text())
    assert len(containers("api")) == 1, "the service is there as long as somebody uses it"
    (asking,) = containers("ask")
    engine.client.kill(asking)
    assert up.wait(NAME, run) == "success"
    assert {name: task["try_number"] for name, task in up.tasks(NAME, run).items()} == {
        "api": 1, "ask": 2, "api__stop": 1
    }  # fmt: skip
    assert attempts.read_text() == "1 etl\n2 etl\n"
    assert attempts.stat().st_uid == os.getuid()
    first, second = up.log(NAME, run, "ask", 1), up.log(NAME, run, "ask", 2)
    assert "attempt 1 knows ***" in first
    assert "attempt 2 knows ***" in second
    assert "the answer is hello from the service" in second
    assert proof.canary not in first + second
    assert (containers("ask"), containers("api")) == ([], [])
