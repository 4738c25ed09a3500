"""The compose file that an export writes: in full, as compose itself reads it, and its secrets."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import missing
from windlass.targets.compose.target import TARGET, ComposeOptions
from windlass.targets.exporting import export

Project = Callable[..., Path]

HERE = Path(__file__).parent
ODD = {
    "windlass.yaml": """\
project: Odd-Project_
pools: {few: 3}
connections:
  pg_x: {type: postgres, dev: {init: ["sql/a $b.sql", sql/c.sql]}}
  with-dash: {type: postgres}
  chat: {type: slack}
""",
    "sql/a $b.sql": "SELECT 1",
    "sql/c.sql": "SELECT 1",
    "pipelines/p.yaml": "pipeline: p\ntasks: {a: {pool: few, sql: {connection: pg_x, statement: SELECT 1}}}\n",
}


def as_compose_reads_it(folder: Path, **variables: str) -> dict[str, Any]:
    """The file, checked against compose's own schema, with every variable filled in."""
    beside = Path(sys.executable).with_name("docker-compose")
    program = str(beside) if beside.exists() else shutil.which("docker-compose")
    if program is None:
        missing("docker-compose")
    done = subprocess.run(
        [program, "--file", str(folder / "compose.yaml"), "config", "--format", "json"],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.defpath, "HOME": str(folder), **variables},
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    read: dict[str, Any] = json.loads(done.stdout)
    return read


def test_the_compose_file_of_a_project_with_everything_in_it(
    tmp_path: Path, golden: Callable[[str, Path], None]
) -> None:
    root = tmp_path / "project"
    (root / "pipelines").mkdir(parents=True)
    shutil.copy(HERE / "windlass.yaml", root)
    for name in ("everything.yaml", "follow.yaml"):
        shutil.copy(HERE / name, root / "pipelines")
    export(TARGET, root, root, ComposeOptions(pgadmin=True, windlass="windlass[all]"))
    for name in ("compose.yaml", "Dockerfile", "requirements.txt", "servers.json"):
        golden((root / "compose" / name).read_text(encoding="utf-8"), HERE / "golden" / "compose" / name)


def test_compose_accepts_every_way_to_write_it(project: Project) -> None:
    root = project(ODD | {"compose/tasks.env": "OTEL_SERVICE_NAME=etl\n"})
    for executor, runtime, pgadmin in product(("celery", "local"), ("process", "docker"), (True, False)):
        options = ComposeOptions(executor=executor, runtime=runtime, pgadmin=pgadmin, workers=3)  # type: ignore[arg-type]
        export(TARGET, root, root, options)
        read = as_compose_reads_it(root / "compose", AIRFLOW_CONN_CHAT="https://chat.example.com")
        services = read["services"]
        assert read["name"] == "odd-project"
        assert ("worker" in services, "broker" in services) == (executor == "celery",) * 2
        assert ("pgadmin" in services) == pgadmin
        for name, service in services.items():
            once = name == "init"
            assert ("healthcheck" in service) != once, name
            assert service["restart"] == ("no" if once else "unless-stopped"), name
            assert service["logging"]["options"] == {"max-size": "10m", "max-file": "3"}, name
            assert ":" in service["image"], name
            assert {port["host_ip"] for port in service.get("ports", ())} <= {"127.0.0.1"}, name
        executing = services["worker" if executor == "celery" else "scheduler"]
        assert [n for n, s in services.items() if "OTEL_SERVICE_NAME" in s.get("environment", {})] == [
            "worker" if executor == "celery" else "scheduler"
        ]
        mounted = {volume["target"]: volume["source"] for volume in executing["volumes"]}
        if runtime == "process":
            assert mounted["/opt/windlass/project"] == str(root)
            assert executing["tmpfs"] == ["/opt/windlass/project/compose"], "where the keys are"
        else:
            assert mounted["/var/run/docker.sock"] == "/var/run/docker.sock"
            assert "workspace" in [volume["source"] for volume in services["init"]["volumes"]]
            plan = json.loads((root / "compose" / "dags" / "plan.json").read_text())
            assert plan["runtime"]["options"]["network_mode"] == "odd-project_default"
            (workspace,) = plan["runtime"]["options"]["mounts"]
            assert read["volumes"]["workspace"]["name"] == workspace["source"], "which down --volumes removes"
        assert executing["user"] == f"{os.getuid()}:0"
        assert executing["depends_on"]["dev-pg_x"] == {"condition": "service_healthy", "required": True}
        given = services["api-server"]["environment"]
        assert given["AIRFLOW_CONN_CHAT"] == "https://chat.example.com"
        assert given["AIRFLOW_CONN_PG_X"].endswith("@dev-pg_x:5432/postgres")
        assert given["AIRFLOW_CONN_WITH-DASH"].endswith("@dev-with-dash:5432/postgres")
        inits = {volume["target"]: volume["source"] for volume in services["dev-pg_x"]["volumes"]}
        assert inits["/docker-entrypoint-initdb.d/01-a $$b.sql"] == str(root / "sql" / "a $$b.sql")
        assert services["init"]["command"][-1] == "airflow db migrate && airflow pools set few 3 windlass"
    (root / "compose" / "tasks.env").unlink()
    own = as_compose_reads_it(root / "compose", AIRFLOW_CONN_PG_X="postgresql://db.example.com/shop")
    given = own["services"]["api-server"]["environment"]
    assert given["AIRFLOW_CONN_PG_X"] == "postgresql://db.example.com/shop"
    assert given.get("AIRFLOW_CONN_CHAT") is None


def test_secrets_are_made_once_for_their_owner_and_are_in_no_other_file(project: Project) -> None:
    root = project(ODD)
    keys = root / "compose" / ".env"
    assert str(keys) in export(TARGET, root, root, ComposeOptions(pgadmin=True)).written
    first = keys.read_text()
    made = dict(line.split("=", 1) for line in first.splitlines())
    secret = {name: value for name, value in made.items() if name not in ("AIRFLOW_UID", "DOCKER_GID")}
    assert len(secret) == len(set(secret.values())) == 7
    assert keys.stat().st_mode & 0o777 == 0o600
    assert (root / "compose" / ".gitignore").read_text().splitlines()[1:] == [".env", "tasks.env"]
    others = [file.read_text() for file in (root / "compose").rglob("*") if file.is_file() and file != keys]
    assert not [text for text in others for value in secret.values() if value in text]

    keys.write_text(first.replace(f"JWT_SECRET={secret['JWT_SECRET']}\n", "") + "AIRFLOW_CONN_CHAT=mine")
    keys.chmod(0o644)
    export(TARGET, root, root, ComposeOptions())
    again = dict(line.split("=", 1) for line in keys.read_text().splitlines())
    assert again.pop("AIRFLOW_CONN_CHAT") == "mine"
    assert again.pop("JWT_SECRET") not in ("", made.pop("JWT_SECRET"))
    assert again == made
    assert keys.stat().st_mode & 0o777 == 0o600


def test_without_its_secrets_compose_says_who_makes_them(project: Project) -> None:
    root = project(ODD)
    export(TARGET, root, root, ComposeOptions())
    (root / "compose" / ".env").unlink()
    with pytest.raises(AssertionError, match="is made by windlass export compose"):
        as_compose_reads_it(root / "compose")
