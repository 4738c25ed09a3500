"""The JSON Schema, for editors, says yes and no where windlass does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from pydantic import ValidationError

from windlass.spec.pipeline import Pipeline
from windlass.spec.project import Project
from windlass.spec.schema import json_schema
from windlass.spec.yaml import Document, parse, read

ROOT = Path(__file__).parents[3]
PIPELINES = [*sorted(ROOT.glob("examples/*/pipelines/*.yaml")), ROOT / "tests/unit/plan/typical.yaml"]
PROJECTS = sorted(ROOT.glob("examples/*/windlass.yaml"))

pipeline_schema = jsonschema_rs.validator_for(json_schema("pipeline"))
project_schema = jsonschema_rs.validator_for(json_schema("project"))


@pytest.mark.parametrize("file", PIPELINES, ids=lambda file: f"{file.parts[-3]}-{file.stem}")
def test_pipelines_satisfy_the_schema(file: Path) -> None:
    pipeline_schema.validate(read(file, file.name).value)


@pytest.mark.parametrize("file", PROJECTS, ids=lambda file: file.parent.name)
def test_projects_satisfy_the_schema(file: Path) -> None:
    project_schema.validate(read(file, file.name).value)


TYPES = {"pg": "postgres", "db": "sqlite"}


def accepted(document: Document, model: Any) -> bool:
    try:
        model.model_validate(document.value, context=TYPES)
    except ValidationError:
        return False
    return True


TASKS = [
    "{run: {command: echo}}",
    "{run: {command: [echo, a]}, needs: a, uses: [b]}",
    "{run: {command: []}}",
    "{run: {command: [1]}}",
    "{run: {}}",
    "{run: {command: echo, env: {A: b}}}",
    "{run: {command: echo, env: {A: 1}}}",
    "{run: {command: echo, env: {'': b}}}",
    "{run: {command: echo, env: {'A=B': b}}}",
    "{run: {command: echo, env: {'a.b-c': b}}}",
    "{download: {url: 'http://x', to: y, headers: {X-A: b}}}",
    "{download: {url: 'http://x', to: y, headers: {'X A': b}}}",
    "{download: {url: 'http://x', to: y, headers: {'': b}}}",
    "{run: {command: echo}, retries: -1}",
    "{run: {command: echo}, retries: 101}",
    "{run: {command: echo}, retries: 1.5}",
    "{run: {command: echo}, retries: true}",
    "{run: {command: echo}, timeout: 5}",
    "{run: {command: echo}, timeout: 1h30m}",
    "{run: {command: echo}, timeout: soon}",
    "{run: {command: echo}, backoff: 0.5}",
    "{run: {command: echo}, need: a}",
    "{run: {command: echo}, needs: 'a b'}",
    "{run: null}",
    "{}",
    "{run: {command: echo}, sql: {statement: x}}",
    "{sql: {statement: x, transaction: no}}",
    "{sql: {statement: x, transaction: false}}",
    "{service: {command: echo, port: 0}}",
    "{service: {command: echo, port: 80}}",
    "{download: {url: 'http://x', to: y, sha256: abc}}",
    f"{{download: {{url: 'http://x', to: y, sha256: {'a' * 64}}}}}",
    "{check: {path: a, rows: 5}}",
    "{check: {path: a, rows: {min: 5}}}",
    "{check: {path: a, rows: -5}}",
    "{check: {path: a, rows: many}}",
    "{check: {path: a, unique: id}}",
    "{check: {path: a, unique: [a, [b, c]]}}",
    "{check: {path: a, unique: {a: b}}}",
    "{check: {path: a, not_null: a, accepted: {a: [1, x, true]}, expressions: 'a > 0'}}",
    "{check: {path: a, accepted: {a: 1}}}",
    "{trigger: {pipeline: q, params: {a: 1, b: null}}}",
    "{trigger: {pipeline: q, params: {a: [1]}}}",
    "{trigger: {pipeline: q, wait: false}}",
    "{trigger: {pipeline: q, wait: no}}",
    "{run: {command: echo}, pool: a, group: a.b, trigger_rule: one_failed, inlets: a, outlets: [b]}",
    "{run: {command: echo}, pool: 'a b'}",
    "{run: {command: echo}, group: a.}",
    "{run: {command: echo}, trigger_rule: never}",
    "{run: {command: echo}, inlets: 5}",
    "{copy: {from: {path: a.csv}, to: {path: b.csv}}}",
    "{copy: {from: {path: a.csv}, to: {path: b.csv}, select: [a, b]}}",
    "{copy: {from: {path: a.csv}, to: {path: b.csv}, select: {a: b, c: {from: d, type: date}, e: null}}}",
    "{copy: {from: {path: a.csv}, to: {path: b.csv}, select: {a: 1}}}",
    "{copy: {from: {path: a.csv}, to: {path: b.csv}, select: {a: {form: b}}}}",
    "{copy: {from: {path: a.csv}, to: {path: b.csv, mode: upsert}}}",
    "{copy: {from: {path: a.csv}, to: {path: b.csv, format: xlsx}}}",
    "{copy: {from: {path: a.csv, csv: {delimiter: ';'}}, to: {path: b.csv}}}",
    "{copy: {from: {path: a.csv, csv: {delimiter: ab}}, to: {path: b.csv}}}",
    "{copy: {from: {path: a.csv}, to: {path: b/, max_file_size: 1GB}}}",
    "{copy: {from: {path: a.csv}, to: {path: b/, max_file_size: 5}}}",
    "{copy: {from: {path: a.csv}, to: {path: b.csv}, on_bad_row: quarantine, max_bad_rows: 1%}}",
    "{copy: {from: {path: a.csv}, to: {path: b.csv}, on_bad_row: quarantine, max_bad_rows: 5}}",
    "{copy: {from: {path: a.csv}, to: {path: b.csv}, on_bad_row: quarantine, max_bad_rows: few}}",
    "{copy: {from: {connection: pg, table: a}, to: {connection: db, table: b, mode: merge, key: id}}}",
    "{copy: {from: {connection: pg, table: a}, to: {connection: db, table: b, mode: merge, key: [id, x]}}}",
    "{copy: {from: {connection: pg, query: SELECT 1}, to: {path: out/, partition_by: a}}}",
    "{copy: {from: {connection: pg, tabel: a}, to: {path: b.csv}}}",
    "{copy: {from: {connection: pg, table: 5}, to: {path: b.csv}}}",
    "{copy: {from: {connection: 'p g', table: a}, to: {path: b.csv}}}",
    "{copy: {from: {table: a}, to: {path: b.csv}}}",
    "{copy: {from: {path: a.csv}, to: {connection: db}}}",
    "{copy: {from: {path: a.csv}, to: {connection: db, table: a, format: csv}}}",
    "{copy: {from: {path: a.csv, columns: {zip: text}}, to: {path: b.parquet, parquet: {row_group_size: 0}}}}",
    "{copy: {from: {path: a.csv, columns: {zip: 5}}, to: {path: b.parquet, parquet: {compression: zstd}}}}",
    "{copy: {from: a.csv, to: {path: b.csv}}}",
]


@pytest.mark.parametrize("task", TASKS)
def test_a_task_that_the_schema_refuses_is_one_that_windlass_refuses(task: str) -> None:
    document = parse(f"pipeline: p\ntasks: {{t: {task}}}\n", "p.yaml")
    assert pipeline_schema.is_valid(document.value) == accepted(document, Pipeline)


@pytest.mark.parametrize(
    "head",
    [
        "schedule: '@daily'",
        "schedule: 5",
        "schedule: {assets: a}",
        "schedule: {assets: [a, b]}",
        "schedule: {assets: []}",
        "schedule: {asset: a}",
        "schedule: [a]",
        "catchup: true",
        "catchup: 'yes'",
        "tags: [a, b]",
        "tags: [5]",
        "start: 2021-10-02",
        "start: 5",
        "concurrency: allow",
        "concurrency: never",
        "params: {a: 1, b: x, c: null, d: 1.5, e: true}",
        "params: {a: [1]}",
        "params: {'a b': 1}",
        "defaults: {retries: 1}",
        "defaults: {retires: 1}",
        "on_failure: slack",
        "on_failure: [slack, mail]",
        "on_failure: {slack: x}",
        "on_success: slack",
        "on_recovery: {slack: x}",
        "tabel: x",
        "description: null",
    ],
)
def test_a_head_that_the_schema_refuses_is_one_that_windlass_refuses(head: str) -> None:
    document = parse(f"pipeline: p\n{head}\ntasks: {{t: {{run: {{command: x}}}}}}\n", "p.yaml")
    assert pipeline_schema.is_valid(document.value) == accepted(document, Pipeline)


@pytest.mark.parametrize(
    "text",
    [
        "project: p",
        "project: 5",
        "project: 'a b'",
        "name: p",
        "project: p\nconnections: {x: {type: postgres}}",
        "project: p\nconnections: {x: {type: db2}}",
        "project: p\nconnections: {x: {type: postgres, dev: {init: a.sql}}}",
        "project: p\nconnections: {x: {type: postgres, dev: {inits: a.sql}}}",
        "project: p\nconnections: {x: {type: http, dev: {serve: a}}}",
        "project: p\nconnections: {x: {type: http, dev: {serve: [a]}}}",
        "project: p\nconnections: {x: {type: http, dev: a}}",
        "project: p\npools: {a: 1}",
        "project: p\npools: {a: 0}",
        "project: p\npools: {a: {slots: 1}}",
        "project: p\nimages: {registry: docker.io/acme, platforms: linux/amd64}",
        "project: p\nimages: {platforms: linux/amd64}",
    ],
)
def test_a_project_that_the_schema_refuses_is_one_that_windlass_refuses(text: str) -> None:
    document = parse(text, "windlass.yaml")
    assert project_schema.is_valid(document.value) == accepted(document, Project)
