"""`windlass run --plan --fired-at`: what a pod starts, in a folder that has no pipelines."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

from tests.conftest import Output
from windlass.plan.bundle import bundle_to_json
from windlass.spec import load_project
from windlass.targets.exporting import compiled

Windlass = Callable[..., Output]

FILES = {
    "windlass.yaml": "project: shop\nconnections: {lite: {type: sqlite}}\n",
    "pipelines/outer.yaml": """
pipeline: outer
schedule: "0 6 * * *"
params: {id: 1}
tasks: {start: {trigger: {pipeline: inner, params: {id: "{{ params.id }}"}}}}
""",
    "pipelines/inner.yaml": """
pipeline: inner
schedule: "0 6 * * *"
params: {id: 7}
tasks:
  load:
    copy:
      from: {connection: lite, query: "SELECT {{ params.id }} AS id, '{{ ds }}' AS day"}
      to: {connection: lite, table: loaded, mode: append}
""",
}


def test_a_run_by_a_plan_needs_no_pipelines_and_is_that_of_its_tick(
    windlass: Windlass, project: Callable[..., Path], tmp_path: Path
) -> None:
    plans = compiled(load_project(project(FILES))).open_plans
    (tmp_path / "plan.json").write_text(bundle_to_json("shop", plans, {}))
    empty = project({"windlass.yaml": "project: shop\n"}, "empty")
    database = tmp_path / "shop.db"
    database.touch()
    env = {"WINDLASS_CONN_LITE": f"sqlite:///{database}"}

    def run(pipeline: str, *arguments: str) -> Output:
        given = ("--plan", tmp_path / "plan.json", "--no-dev", "--json", *arguments)
        return windlass("-C", empty, "run", pipeline, *given, env=env)

    for tick in ("2026-02-01T06:00:00Z", "2026-02-01T07:00:00+01:00"):  # the same one
        assert run("outer", "--fired-at", tick).code == 0
    for _ in range(2):  # a Job that somebody made, whose pod is replaced
        assert run("inner", "--fired-at", "by-hand", "--param", "id=2").code == 0
    connection = sqlite3.connect(database)
    rows = connection.execute("SELECT id, day FROM loaded ORDER BY id").fetchall()
    keys = {key for (key,) in connection.execute("SELECT run_key FROM _windlass_loads")}
    connection.close()
    assert rows[0] == (1, "2026-01-31")
    assert [id for id, _ in rows] == [1, 2]
    assert keys == {"2026-01-31T06:00:00+00:00", "by-hand"}


def test_every_pod_of_a_job_has_one_run_id_so_what_it_loads_is_the_same(
    windlass: Windlass, project: Callable[..., Path], tmp_path: Path
) -> None:
    query = "SELECT '{{ run_id }}' AS run"
    pipeline = f"""
pipeline: named
schedule: none
tasks:
  load: {{copy: {{from: {{connection: lite, query: "{query}"}}, to: {{connection: lite, table: runs, mode: append}}}}}}
"""
    files = {"windlass.yaml": FILES["windlass.yaml"], "pipelines/named.yaml": pipeline}
    plans = compiled(load_project(project(files))).open_plans
    (tmp_path / "plan.json").write_text(bundle_to_json("shop", plans, {}))
    database = tmp_path / "shop.db"
    database.touch()
    env = {"WINDLASS_CONN_LITE": f"sqlite:///{database}"}
    for pod, job in (
        ("pod-1", "by-hand"),
        ("pod-2", "by-hand"),
        ("pod-3", "../by-hand"),
        ("pod-4", "2026.1"),
    ):
        folder = project({"windlass.yaml": "project: shop\n"}, pod)
        given = ("--plan", tmp_path / "plan.json", "--no-dev", "--json", "--fired-at", job)
        done = windlass("-C", folder, "run", "named", *given, env=env)
        assert done.code == 0, done.stderr
        assert (done.json["run_id"] == job) == (job != "../by-hand")
    with sqlite3.connect(database) as connection:
        runs = [run for (run,) in connection.execute("SELECT run FROM runs ORDER BY run")]
    connection.close()
    assert len(runs) == 3
    assert runs[:2] == ["2026.1", "by-hand"]


def test_what_makes_no_sense_is_refused(
    windlass: Windlass, project: Callable[..., Path], tmp_path: Path
) -> None:
    root = project(FILES)
    (tmp_path / "plan.json").write_text(bundle_to_json("shop", compiled(load_project(root)).plans, {}))
    for arguments, said in (
        (("inner", "--fired-at", "now", "--logical-date", "2026-02-01"), "leave out --logical-date"),
        (("--plan", str(tmp_path / "plan.json")), "which pipeline of the plan?"),
        (("inner", "--plan", str(tmp_path / "none.json")), "none.json: No such file"),
        (("inner", "--plan", str(tmp_path / "plan.json"), "--param", "id=9"), "takes no others"),
    ):
        done = windlass("-C", root, "run", *arguments)
        assert done.code != 0
        assert said in done.stderr
