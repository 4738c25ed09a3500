"""Every problem of a file is shown at once, at its place, with what may have been meant."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.messages import plain
from windlass.errors import SpecError
from windlass.plan.compiler import compile_project
from windlass.spec import load_project

BROKEN = Path(__file__).with_name("broken")

PROJECT = """\
project: test
connections:
  pg_x: {type: postgres}
  pg_y: {type: postgres}
  site: {type: http}
  slack: {type: slack}
  db: {type: sqlite}
"""

Project = Callable[..., Path]


def problems_of(root: Path) -> str:
    with pytest.raises(SpecError) as caught:
        compile_project(load_project(root))
    return str(caught.value)


@pytest.mark.parametrize("file", sorted(BROKEN.glob("*.yaml")), ids=lambda file: file.stem)
def test_a_broken_file_is_explained(
    file: Path, project: Project, golden: Callable[[str, Path], None]
) -> None:
    root = project({"windlass.yaml": PROJECT})
    (root / "pipelines").mkdir()
    (root / "pipelines" / "broken.yaml").write_bytes(file.read_bytes())
    golden(f"{problems_of(root)}\n", file.with_suffix(".txt"))


def test_the_problems_of_all_files_are_shown_at_once(project: Project) -> None:
    root = project(
        {
            "windlass.yaml": "project: test\nconection: {}\n",
            "pipelines/a.yaml": "pipeline: a\ntask: {}\n",
            "pipelines/deep/b.yml": "- b",
        }
    )
    shown = plain(problems_of(root))
    assert "windlass.yaml:2:1: unknown key 'conection'" in shown
    assert "pipelines/a.yaml:2:1: unknown key 'task'" in shown
    assert "pipelines/deep/b.yml:1:1: expected a mapping" in shown


def test_two_pipelines_of_one_name_are_refused(project: Project) -> None:
    text = "pipeline: same\ntasks: {a: {run: {command: [date]}}}\n"
    root = project({"pipelines/a.yaml": text, "pipelines/b.yaml": text})
    assert "pipelines/b.yaml:1:11: 'same' is also the name of pipelines/a.yaml" in plain(problems_of(root))


@pytest.mark.parametrize(
    ("key", "files", "expected"),
    [
        ("file: gone.sql", {}, "cannot read 'gone.sql'"),
        ("file: ../out.sql", {"../out.sql": "SELECT 1"}, "'../out.sql' is outside the project"),
        ("file: /etc/passwd", {}, "'/etc/passwd' is outside the project"),
        ("file: pipelines", {}, "cannot read 'pipelines'"),
    ],
)
def test_a_file_that_a_pipeline_names_must_be_there(
    key: str, files: dict[str, str], expected: str, project: Project
) -> None:
    text = f"pipeline: p\ntasks:\n  a:\n    sql: {{{key}}}\n"
    assert f"pipelines/p.yaml:4:17: {expected}" in plain(
        problems_of(project({"pipelines/p.yaml": text, **files}))
    )


def test_a_named_file_that_is_not_utf_8_is_told_with_its_offset(project: Project) -> None:
    root = project({"pipelines/p.yaml": "pipeline: p\ntasks: {a: {sql: {file: a.sql}}}\n"})
    (root / "a.sql").write_bytes(b"SELECT '\xe9'")
    assert "cannot read 'a.sql': it is not UTF-8: byte 0xe9 at offset 8" in plain(problems_of(root))


def test_a_schema_file_that_is_no_json_schema_is_refused(project: Project) -> None:
    text = "pipeline: p\ntasks: {a: {check: {path: a.csv, json_schema: s.json}}}\n"
    for schema, expected in (("{", "'s.json' is not JSON"), ("[]", "expected an object")):
        assert expected in plain(problems_of(project({"pipelines/p.yaml": text, "s.json": schema})))


def test_what_a_dev_service_takes_depends_on_its_type(project: Project) -> None:
    root = project(
        {
            "windlass.yaml": "project: test\nconnections:\n"
            "  a: {type: postgres, dev: {serve: folder}}\n"
            "  b: {type: http, dev: {serve: [folder]}}\n"
            "  c: {type: slack, dev: {init: a.sql}}\n"
            "  d: {type: sqlite, dev: {inits: a.sql}}\n"
            "  e: {type: db2, dev: {init: a.sql}}\n"
        }
    )
    shown = plain(problems_of(root))
    assert "windlass.yaml:3:29: unknown key 'serve' in connections.a.dev" in shown
    assert "windlass.yaml:4:32: serve: expected text, got a list" in shown
    assert "windlass.yaml:5:20: dev: the dev service of a slack connection takes no keys" in shown
    assert "windlass.yaml:6:27: unknown key 'inits' in connections.d.dev" in shown
    assert "did you mean 'init'?" in shown
    assert (
        "windlass.yaml:7:13: type: expected adbc, azure, bigquery, dlt, duckdb, gcs, http, influxdb, mongodb, mssql, mysql, oracle, pagerduty, postgres, s3, sftp, slack, smtp, spark, sqlite, teams, webhook, got 'db2'"
        in shown
    )
    assert shown.count("windlass.yaml:") == 5
