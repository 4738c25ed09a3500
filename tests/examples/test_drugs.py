"""examples/drugs over the files that come with it."""

from __future__ import annotations

import csv
import json
import os
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.examples.conftest import Example, Linked, Windlass
from tests.examples.expected import (
    DRUGS_NODES,
    DRUGS_ROWS,
    HARBOUR,
    IN_ARTICLES,
    IN_JOURNALS,
    TOP_JOURNALS,
    UNKNOWN,
)
from windlass.connections import Address
from windlass.plan.compiler import compile_project
from windlass.spec import load_project

Run = Callable[..., Linked]

DATA = ROOT / "examples" / "drugs" / "data"

# What looking for the bare name anywhere in the raw titles gets wrong
IN_OTHER_WORDS = 3  # methylprednisolone, pseudoephedrine, nordiazepam
WRITTEN_OTHERWISE = 2  # acetylsalicylic-acid, and with three spaces
IN_TWO_ROWS = 3  # publications 4 and 16, and trial NCT99000105


def test_the_graph_of_the_files_that_come_with_it(linked: Run) -> None:
    graph = linked()
    assert Counter(node["kind"] for node in graph.nodes.values()) == DRUGS_NODES
    assert graph.mentions() == IN_ARTICLES | IN_JOURNALS
    assert len(graph.links) == len(IN_ARTICLES) + len(IN_JOURNALS)
    assert len(IN_ARTICLES) == naive_mentions() - IN_OTHER_WORDS + WRITTEN_OTHERWISE - IN_TWO_ROWS
    assert all(link["source"] in graph.nodes and link["target"] in graph.nodes for link in graph.links)

    [harbour] = [
        link
        for link in graph.links
        if (link["source"], link["target"], link["date"])
        == ("drug:A10BA", f"journal:{HARBOUR}", "2020-01-01")
    ]
    assert harbour["through"] == ["trial:NCT99000101"]
    every_repair_and_every_row_is_told(graph)


def test_journals_that_mention_as_many_drugs_are_all_at_the_top(linked: Run) -> None:
    text = (linked().root / "processed_data" / "top_journals.json").read_text(encoding="utf-8")
    assert json.loads(text) == TOP_JOURNALS


def every_repair_and_every_row_is_told(graph: Linked) -> None:
    assert graph.decided("clinical_trials:6") == [
        ("repaired", "date", "2021-05-25"),
        ("merged", None, "clinical_trials:5"),
    ]
    assert graph.nodes["trial:NCT99000105"] == {
        "id": "trial:NCT99000105",
        "kind": "trial",
        "title": "Diazepam for the Prevention of Night Terrors in Ship's Cooks: a Crossover Trial",
        "date": "2021-05-25",
        "journal": HARBOUR,
        "rows": ["clinical_trials:5", "clinical_trials:6"],
    }
    assert ("kept", "scientific_title", None) in graph.decided("clinical_trials:3")
    assert graph.nodes["trial:NCT99000103"]["title"] is None
    assert graph.nodes["trial:NCT99000104"]["title"].endswith("Oedema or Épaule Trauma")
    assert ("repaired", "journal", HARBOUR) in graph.decided("clinical_trials:7")
    assert graph.decided("drugs:8") == [("merged", None, "drugs:3")]
    assert graph.decided("drugs:11") == [("kept", "atccode", "5501207")]
    assert ("repaired", "id", "NCT99000111~2") in graph.decided("clinical_trials:13")
    assert ("left out", "date", None) in graph.decided("pubmed_csv:15")
    assert ("repaired", "id", UNKNOWN.partition(":")[2]) in graph.decided("pubmed_json:5")
    assert graph.decided("pubmed_csv:6") == []  # there was nothing to repair
    assert graph.decided("clinical_trials:15") == [("left out", None, None)]
    rows = [row for node in graph.nodes.values() for row in node.get("rows", ())]
    assert sorted([*rows, "clinical_trials:15"]) == sorted(
        f"{table}:{row}" for table, count in DRUGS_ROWS.items() for row in range(1, count + 1)
    )


def naive_mentions() -> int:
    """How many pairs of a drug and a title there are in the raw files, the name being anywhere in it."""
    text = (DATA / "pubmed.json").read_text(encoding="utf-8")
    titles = [entry["title"] for entry in json.loads(text.replace("},\n]", "}]"))]
    for name, column in (("pubmed.csv", "title"), ("clinical_trials.csv", "scientific_title")):
        with (DATA / name).open(newline="", encoding="utf-8") as file:
            titles += [row[column] for row in csv.DictReader(file)]
    with (DATA / "drugs.csv").open(newline="", encoding="utf-8") as file:
        drugs = {row["drug"].strip().lower() for row in csv.DictReader(file)}
    return sum(drug in title.lower() for drug in drugs for title in titles)


def test_a_second_run_makes_the_same_graph(windlass: Windlass, example: Example) -> None:
    root = example("drugs")
    made = []
    for _ in range(2):
        assert windlass("-C", root, "run", "orchestrator").code == 0
        made.append([file.read_bytes() for file in sorted((root / "processed_data").iterdir())])
    assert made[0] == made[1]
    assert len(made[0]) == 4


def test_without_an_import_there_is_nothing_to_process(windlass: Windlass, example: Example) -> None:
    done = windlass("-C", example("drugs"), "run", "process")
    assert done.code == 1
    assert "run the pipeline `import` first" in done.stdout


@pytest.mark.parametrize("bucket", ["mounted", "mounted/deeper"])
def test_a_bucket_is_the_folder_of_everything(windlass: Windlass, example: Example, bucket: str) -> None:
    root = example("drugs")
    done = windlass("-C", root, "run", "orchestrator", "--param", f"bucket_name={bucket}")
    assert done.code == 0, done.stdout
    assert (root / bucket / "imported_data" / "drugs.parquet").exists()
    assert (root / bucket / "processed_data" / "graph.json").exists()
    assert not (root / "imported_data").exists()


def test_a_project_of_the_list_has_pipelines_as_the_configuration_says(
    windlass: Windlass, example: Example
) -> None:
    root = example("drugs")
    listed = json.loads((root / "config" / "projects_list.json").read_text())
    (root / "config" / "projects_list.json").write_text(json.dumps([*listed, {**listed[0], "name": "rd"}]))
    plans = compile_project(load_project(root))
    for kind, tags in (
        ("import", ("import", "parquet")),
        ("load", ("load", "bigquery")),
        ("process", ("process", "graph")),
        ("orchestrator", ("orchestrator",)),
    ):
        for project in ("dv", "rd"):
            plan = plans[f"{kind}_{project}"]
            assert (plan.tags, plan.concurrency) == (tags, "forbid")
            assert {task.timeout for task in plan.tasks} == {3600}
    sources = [task for task in plans["import_dv"].tasks if task.group == "source"]
    assert [task.name for task in sources] == [f"source_{source}" for source in DRUGS_ROWS]
    assert {task.needs for task in sources} == {("begin",)}
    tables = [task for task in plans["load_dv"].tasks if task.group == "table"]
    assert [task.needs for task in tables] == [(f"land_{table}",) for table in DRUGS_ROWS]

    done = windlass("-C", root, "run", "orchestrator_dv", env={"PATH": _without_emulator()})
    assert done.code == 0, done.stdout + done.stderr
    assert in_warehouse(root) == DRUGS_ROWS
    graph = json.loads((root / "processed_data" / "graph.json").read_text(encoding="utf-8"))
    assert {
        (link["source"], link["target"], link["date"]) for link in graph["links"]
    } == IN_ARTICLES | IN_JOURNALS


def _without_emulator() -> str:
    """The PATH without what would stand in for BigQuery in the place of a file."""
    folders = os.environ["PATH"].split(os.pathsep)
    return os.pathsep.join(folder for folder in folders if not (Path(folder) / "bqemulator").exists())


def in_warehouse(root: Path) -> dict[str, int]:
    """The rows of each table of the file that stands in for BigQuery."""
    import duckdb

    [file] = root.glob(".windlass/**/warehouse.duckdb")
    with duckdb.connect(str(file), read_only=True) as connection:
        return {
            table: connection.execute(f'SELECT count(*) FROM "{table}"').fetchall()[0][0]
            for table in DRUGS_ROWS
        }


def test_what_was_imported_is_loaded_into_bigquery(
    windlass: Windlass, example: Example, bigquery: Address
) -> None:
    from windlass.connectors.bigquery.opening import connect

    root = example("drugs")
    environment = {"WINDLASS_CONN_WAREHOUSE": bigquery.uri()}
    for pipeline in ("import_dv", "load_dv"):
        # side by side the emulator mixes up its answers
        done = windlass("-C", root, "run", pipeline, "--parallel", "1", env=environment)
        assert done.code == 0, done.stdout + done.stderr
    with closing(connect(bigquery)) as database:
        assert database.tables() == sorted(DRUGS_ROWS)
        counts = " UNION ALL ".join(f"SELECT '{table}', COUNT(*) FROM {table}" for table in DRUGS_ROWS)
        assert dict(database.query(counts).rows) == DRUGS_ROWS
