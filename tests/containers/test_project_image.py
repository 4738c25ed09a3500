"""What windlass does itself, and commands without a folder, in the image of the project, on a real engine."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.conftest import Output
from windlass.plan.compiler import compile_project
from windlass.plan.travel import VARIABLE, pack
from windlass.runtimes.docker.engine import Engine
from windlass.spec import load_project

Windlass = Callable[..., Output]
Containers = Callable[[], list[str]]

FILES = {
    "windlass.yaml": """
project: in-containers
connections:
  lite: {type: sqlite}
  api: {type: http, auth: {type: bearer}, dev: {serve: served}}
images: {project: {files: said.py}}
runtimes: {default: docker}
""",
    "said.py": "import os, sys\nprint(*sys.argv[1:], os.getcwd(), os.path.exists('windlass.yaml'))\n",
    "served/rows.json": '[{"id": 1}, {"id": 2}]',
    "orders.csv": "id,amount\n1,10\n2,x\n3,30\n",
    "pipelines/p.yaml": """
pipeline: p
params: {more: 1}
tasks:
  load:
    copy:
      from: {path: orders.csv}
      to: {connection: lite, table: orders, mode: replace}
      select: {id: {type: int}, amount: {type: int}}
      on_bad_row: quarantine
  change: {needs: load, sql: {connection: lite, statement: "UPDATE orders SET amount = amount + {{ params.more }}"}}
  write: {needs: change, copy: {from: {connection: lite, query: "SELECT amount FROM orders ORDER BY 1"}, to: {path: out.csv}}}
  right: {needs: change, check: {connection: lite, table: orders, rows: {exactly: 2}}}
  wrong: {needs: change, check: {connection: lite, table: orders, rows: {exactly: 3}}}
  ask: {copy: {from: {connection: api, path: rows.json}, to: {path: asked.csv}}}
  say: {run: {command: [python, said.py, "{{ params.more }}"]}}
  here: {run: {runtime: process, command: [sh, -c, "pwd"]}}
  long: {needs: change, sql: {connection: lite, statement: "CREATE TABLE long AS SELECT 'LONG' AS text"}}
""",
}


REHEARSED = """
pipeline: rehearsed
schedule: none
tasks:
  api:
    kubernetes: {entrypoint: []}
    service: {image: python:3.12-slim, command: [python, -m, http.server, "8099", --bind, 0.0.0.0], port: 8099, health: /}
  first:
    kubernetes: {entrypoint: []}
    run: {image: debian:bookworm-slim, command: [sh, -c, 'printf "id,on\\n1,{{ ds }}\\nx,\\n" > /data/in.csv']}
  second:
    needs: first
    uses: api
    kubernetes: {entrypoint: []}
    run:
      image: python:3.12-slim
      command: [python, -c, "import sys, urllib.request as u; assert u.urlopen(sys.argv[1]).status == 200", "{{ services.api.url }}"]
      env: {HOOK: {secret: slack, key: HOOK}}
  ask: {needs: second, copy: {from: {connection: api, path: rows.json}, to: {path: asked.csv}}}
  third:
    needs: ask
    copy: {from: {path: in.csv}, to: {path: out.csv}, select: {id: {type: int}}, on_bad_row: quarantine}
"""

EACH = """
pipeline: each
schedule: none
tasks:
  first:
    run:
      image: python:3.12-slim
      command: [python, -c, 'import json; rows = [("x", "$(HOME) $$"), ("y", chr(123) * 2 + " ds }}")];
        open("/data/list.ndjson", "w").write("".join(json.dumps({"name": n, "said": s}) + chr(10) for n, s in rows))']
  shout:
    for_each: {of: first, path: list.ndjson}
    kubernetes: {entrypoint: []}
    run: {image: "debian:bookworm-slim", command: [sh, -c, 'printf %s "$1" > "/data/{{ each.name }}.txt"', sh, "{{ each.said }}"]}
  copy:
    for_each: {of: first, path: list.ndjson}
    needs: shout
    copy: {from: {path: list.ndjson}, to: {path: "{{ each.name }}.csv"}}
"""

WHOLE = """
pipeline: whole
schedule: none
tasks:
  say: {run: {command: [python, -c, "import os, pathlib as p; p.Path(os.environ['WINDLASS_WORKSPACE'], 'said.csv').write_text('x,{{ ds }}')"]}}
  write: {needs: say, copy: {from: {path: said.csv}, to: {path: out.json}}}
"""


def events(done: Output, event: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    return [record for record in found if record.get("event") == event]


def test_what_windlass_does_itself_runs_in_the_image_of_the_project(
    windlass: Windlass, project: Callable[..., Path], containers: Containers, buildkit: Engine
) -> None:
    root = project(FILES)
    pipeline = root / "pipelines/p.yaml"
    # so much that it is in no variable: the file of the run is shown instead
    pipeline.write_text(pipeline.read_text().replace("LONG", os.urandom(140_000).hex()))
    (built,) = windlass("-C", root, "build", "--json").json["images"]
    assert (built["name"], built["image"].partition(":")[0]) == ("project", "in-containers")
    done = windlass("-C", root, "run", "p", "--json", "--param", "more=2")
    tasks = {task["task"]: task for task in done.json["tasks"]}
    assert {name: task["status"] for name, task in tasks.items()} == {
        **dict.fromkeys(tasks, "success"),
        "wrong": "failed",
    }
    assert (tasks["load"]["rows_read"], tasks["load"]["rows_quarantined"]) == (3, 1)
    assert (root / "out.csv").read_text() == "amount\n12\n32\n"
    assert (root / "asked.csv").read_text() == "id\n1\n2\n"
    assert (root / "out.csv").stat().st_uid == os.getuid()
    assert "2 rows" in tasks["wrong"]["error"]
    said = {record["task"]: record["message"] for record in events(done, "output")}
    assert said == {"say": "2 /project True", "here": str(root)}
    assert events(done, "image_build") == []
    assert containers() == []
    # whatever pipelines say is not in the image, so nothing is built when they change
    pipeline.write_text(pipeline.read_text().replace("exactly: 3", "exactly: 2"))
    assert windlass("-C", root, "build", "--plan").stdout.endswith("1 image, 0 to build\n")
    for target in ("kubernetes", "argo"):
        assert _rehearsed(windlass, root, target) == "id\n1\n"
    (root / "pipelines/each.yaml").write_text(EACH)
    done = windlass("-C", root, "run", "each", "--as", "argo", "--json")
    assert done.json["differences"] == []
    assert [(task["task"], task["exit_code"]) for task in done.json["tasks"]] == [
        (name, 0) for name in ("first", "shout", "copy")
    ]
    written = {file.name: file.read_text() for file in Path(done.json["workspace"]).glob("[xy].*")}
    assert (written["x.txt"], written["y.txt"]) == ("$(HOME) $$", "{{ ds }}")
    assert written["x.csv"].splitlines()[1] == "x,$(HOME) $$"
    (root / "pipelines/whole.yaml").write_text(WHOLE)
    done = windlass("-C", root, "run", "whole", "--as", "kubernetes", "--json")
    assert (Path(done.json["workspace"]) / "out.json").exists()
    assert containers() == []
    assert _as_a_scheduler_does(buildkit, root, built["image"]) == ["amount\n30\n10\n", "1000"]
    buildkit.client.remove_image(built["image"], force=True)


def _rehearsed(windlass: Windlass, root: Path, target: str) -> str:
    """What the text of an export writes, run here."""
    (root / "pipelines/rehearsed.yaml").write_text(REHEARSED)
    done = windlass(
        "-C", root, "run", "rehearsed", "--as", target, "--json", env={"WINDLASS_SECRET_SLACK_HOOK": "hook"}
    )
    assert done.json["differences"] == []
    codes = {task["task"]: (task["exit_code"], task["tries"]) for task in done.json["tasks"]}
    assert codes == dict.fromkeys(("first", "second", "ask", "third"), (0, 1))
    return (Path(done.json["workspace"]) / "out.csv").read_text()


def _as_a_scheduler_does(engine: Engine, root: Path, image: str) -> list[str]:
    """What a task says that is started with its plan and a volume, and nothing of this machine."""
    (root / "pipelines/q.yaml").write_text(
        "pipeline: q\ntasks: {sort: {copy: {from: {path: in.csv}, to: {path: out.csv}}}}\n"
    )
    plan = compile_project(load_project(root))["q"]
    given = {VARIABLE: pack(plan, plan.task("sort")), "WINDLASS_WORKSPACE": "/data"}
    work = "printf 'amount\\n30\\n10\\n' > /data/in.csv && windlass exec q sort >&2 && cat /data/out.csv && id -u"
    volume, client = f"windlass-test-{uuid4().hex}", engine.client
    host = client.create_host_config(binds={volume: {"bind": "/data", "mode": "rw"}})
    made = client.create_container(image, ["sh", "-c", work], environment=given, host_config=host)["Id"]
    try:
        client.start(made)
        assert client.wait(made)["StatusCode"] == 0, client.logs(made).decode()
        csv, _, user = client.logs(made, stderr=False).decode().strip().rpartition("\n")
        return [f"{csv}\n", user]
    finally:
        client.remove_container(made, force=True, v=True)
        client.remove_volume(volume, force=True)
