"""examples/ensembl: steps in Python and Node.js, from an API to MongoDB, in three shapes; by processes and by containers."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from tests.conftest import ROOT
from tests.examples.conftest import Example, Windlass, rows_of
from windlass.connections import Address
from windlass.runtimes.docker.engine import Engine

EXAMPLE = ROOT / "examples" / "ensembl"
ANSWERS = EXAMPLE / "recordings" / "eqtl" / "variant_name" / "homo_sapiens"
NODE = "node:22-slim"

Ran = Callable[..., tuple[Any, list[dict[str, Any]]]]


def expected() -> list[dict[str, Any]]:
    """The documents, worked out from pairs and recordings in another way than the steps do."""
    documents = []
    for line in (EXAMPLE / "steps" / "extract" / "ids.txt").read_text().split("\n"):
        snp, ensg = line.split(",")
        by_tissue: dict[str, dict[str, float]] = defaultdict(dict)
        for found in json.loads((ANSWERS / snp).read_text()):
            if found["gene"] == ensg:
                by_tissue[found["tissue"]][found["statistic"]] = found["value"]
        tissues = [
            {"tissue": tissue, "p_value": found.get("p-value"), "beta": found.get("beta")}
            for tissue, found in by_tissue.items()
        ]
        documents.append({"_id": f"{snp}:{ensg}", "snp": snp, "ensg": ensg, "tissues": by_name(tissues)})
    return sorted(documents, key=lambda document: document["_id"])


def shown() -> dict[str, Any]:
    """The document that the README shows."""
    document: dict[str, Any] = json.loads(
        (EXAMPLE / "README.md").read_text().split("```json\n")[1].split("```")[0]
    )
    return document


def by_name(tissues: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(tissues, key=lambda found: str(found["tissue"]))


@pytest.fixture
def ran(windlass: Windlass, mongodb: Address) -> Ran:
    """Run a pipeline of a copy. Returns what the command says, and the documents there are, without what was ranked."""

    def run(root: Path, pipeline: str, *options: str) -> tuple[Any, list[dict[str, Any]]]:
        done = windlass(
            *("-C", root, "run", pipeline, "--json", *options),
            env={"WINDLASS_CONN_ENSEMBL_TRANSFORMED": mongodb.uri()},
        )
        with MongoClient[dict[str, Any]](mongodb.uri()) as client:
            documents = list(client[mongodb.database]["ensembl"].find().sort("_id"))
        for document in documents:
            if document["_id"] == shown()["_id"]:
                assert {**document, "tissues": document["tissues"][:2]} == shown()
            ranks = [float("inf") if t["p_value"] is None else t["p_value"] for t in document["tissues"]]
            assert ranks == sorted(ranks)
            assert document.pop("strongest") == (document["tissues"] or [{"tissue": None}])[0]["tissue"]
            document["tissues"] = by_name(document["tissues"])
        return done.json, documents

    return run


def test_each_pair_is_there_once_however_it_came_and_however_often(example: Example, ran: Ran) -> None:
    root, wanted = example("ensembl"), expected()
    assert (len(wanted), len({document["snp"] for document in wanted})) == (20, 19)
    assert shown()["_id"] in {document["_id"] for document in wanted}
    for pipeline in ("etl1", "etl1", "etl1_parallel", "etl2"):
        said, documents = ran(root, pipeline)
        assert {task["task"]: task["status"] for task in said["tasks"]} == {
            task["task"]: "success" for task in said["tasks"]
        }, said
        assert documents == wanted
    assert sorted(file.name for file in root.glob("ensembl*")) == [
        "ensembl1-10.json",
        "ensembl1-20.json",
        "ensembl11-20.json",
    ]


def test_each_pair_is_a_row_of_a_table_where_there_is_no_mongodb(
    windlass: Windlass, example: Example, database: Address
) -> None:
    root, wanted = example("ensembl"), expected()
    for _ in range(2):
        done = windlass(
            *("-C", root, "run", "etl1_postgres"), env={"WINDLASS_CONN_ENSEMBL_TABLE": database.uri()}
        )
        assert done.code == 0, done.stdout + done.stderr
    rows = asyncio.run(
        rows_of(database, "SELECT snp, ensg, data::text FROM ensembl ORDER BY snp || ':' || ensg")
    )
    assert [(snp, ensg) for snp, ensg, _ in rows] == [(pair["snp"], pair["ensg"]) for pair in wanted]
    for (*_, data), pair in zip(rows, wanted, strict=True):
        told = {(found["tissue"], found["statistic"], found["value"]) for found in json.loads(data)}
        assert told == {
            (found["tissue"], statistic, value)
            for found in pair["tissues"]
            for statistic, value in (("p-value", found["p_value"]), ("beta", found["beta"]))
            if value is not None
        }


@pytest.mark.parametrize("pipeline", ["etl1", "etl2"])
def test_an_answer_that_does_not_come_fails_the_step_and_loads_nothing(
    example: Example, ran: Ran, pipeline: str
) -> None:
    root = example("ensembl")
    (root / "recordings" / ANSWERS.relative_to(EXAMPLE / "recordings") / expected()[3]["snp"]).unlink()
    file = root / "pipelines" / f"{pipeline}.yaml"
    file.write_text(file.read_text().replace("retries: 1", "retries: 0"))
    said, documents = ran(root, pipeline)
    assert {task["task"]: task["status"] for task in said["tasks"]}["extract"] == "failed"
    assert documents == []


def test_the_same_files_run_in_containers(example: Example, ran: Ran, engine: Engine) -> None:
    if not engine.client.images(NODE):
        engine.client.pull(NODE)
    root, before = example("ensembl"), images(engine)
    for pipeline in ("etl1_parallel", "etl2"):
        said, documents = ran(root, pipeline, "--runtime", "docker")
        assert said["status"] == "success", said
        assert documents == expected()
    containers = engine.client.containers(all=True, filters={"label": f"windlass.project={root}"})
    assert containers == []
    for image in images(engine) - before:
        engine.client.remove_image(image)


def images(engine: Engine) -> set[str]:
    """Those of the steps."""
    steps = ("windlass/extract", "windlass/transform-load")
    return {tag for step in steps for image in engine.client.images(step) for tag in image["RepoTags"]}


def test_no_lock_file_names_where_its_packages_came_from() -> None:
    lock = json.loads((EXAMPLE / "steps" / "transform-load" / "package-lock.json").read_text())
    assert all("integrity" in package for name, package in lock["packages"].items() if name)
    text = (EXAMPLE / "steps" / "extract" / "requirements.txt").read_text() + json.dumps(lock)
    assert "http" not in text
