"""examples/drugs over the files that come with it. What is expected was found by reading them."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable

import pytest

from tests.conftest import ROOT
from tests.examples.conftest import Example, Linked, Windlass

Run = Callable[..., Linked]

DATA = ROOT / "examples" / "drugs" / "data"

UNKNOWN = "publication:unknown-83dcc503"
IN_ARTICLES = {
    ("drug:A04AD", "publication:1", "2019-01-01"),
    ("drug:A04AD", "publication:2", "2019-01-01"),
    ("drug:A04AD", "publication:3", "2019-01-02"),
    ("drug:A04AD", "trial:NCT01967433", "2020-01-01"),
    ("drug:A04AD", "trial:NCT04189588", "2020-01-01"),
    ("drug:A04AD", "trial:NCT04237091", "2020-01-01"),
    ("drug:S03AA", "publication:4", "2020-01-01"),
    ("drug:S03AA", "publication:5", "2020-01-02"),
    ("drug:S03AA", "publication:6", "2020-01-01"),
    ("drug:V03AB", "publication:6", "2020-01-01"),
    ("drug:A03BA", UNKNOWN, "2020-03-01"),
    ("drug:A01AD", "publication:7", "2020-02-01"),
    ("drug:A01AD", "publication:8", "2020-03-01"),
    ("drug:A01AD", "trial:NCT04188184", "2020-04-27"),
    ("drug:6302001", "publication:9", "2020-01-01"),
    ("drug:R01AD", "publication:10", "2020-01-01"),
    ("drug:R01AD", "publication:11", "2020-01-01"),
    ("drug:R01AD", UNKNOWN, "2020-03-01"),
    ("drug:R01AD", "trial:NCT04153396", "2020-01-01"),
}
IN_JOURNALS = {
    ("drug:A04AD", "journal:Journal of emergency nursing", "2019-01-01"),
    ("drug:A04AD", "journal:Journal of emergency nursing", "2020-01-01"),
    ("drug:A04AD", "journal:The Journal of pediatrics", "2019-01-02"),
    ("drug:S03AA", "journal:Journal of food protection", "2020-01-01"),
    ("drug:S03AA", "journal:American journal of veterinary research", "2020-01-02"),
    ("drug:S03AA", "journal:Psychopharmacology", "2020-01-01"),
    ("drug:V03AB", "journal:Psychopharmacology", "2020-01-01"),
    ("drug:A03BA", "journal:The journal of maternal-fetal & neonatal medicine", "2020-03-01"),
    ("drug:A01AD", "journal:The journal of allergy and clinical immunology. In practice", "2020-02-01"),
    ("drug:A01AD", "journal:The journal of allergy and clinical immunology. In practice", "2020-03-01"),
    ("drug:A01AD", "journal:Journal of emergency nursing", "2020-04-27"),
    ("drug:6302001", "journal:Journal of photochemistry and photobiology. B, Biology", "2020-01-01"),
    ("drug:R01AD", "journal:The journal of maternal-fetal & neonatal medicine", "2020-01-01"),
    ("drug:R01AD", "journal:The journal of maternal-fetal & neonatal medicine", "2020-03-01"),
    ("drug:R01AD", "journal:Journal of back and musculoskeletal rehabilitation", "2020-01-01"),
    ("drug:R01AD", "journal:Hôpitaux Universitaires de Genève", "2020-01-01"),
}


def test_the_graph_of_the_files_that_come_with_it(linked: Run) -> None:
    graph = linked()
    assert Counter(node["kind"] for node in graph.nodes.values()) == {
        "drug": 7,
        "publication": 13,
        "trial": 7,
        "journal": 10,
    }
    assert graph.mentions() == IN_ARTICLES | IN_JOURNALS
    assert len(graph.links) == len(IN_ARTICLES) + len(IN_JOURNALS) == naive_mentions() + 16
    assert all(link["source"] in graph.nodes and link["target"] in graph.nodes for link in graph.links)

    [nursing] = [
        link
        for link in graph.links
        if (link["source"], link["target"], link["date"])
        == ("drug:A04AD", "journal:Journal of emergency nursing", "2020-01-01")
    ]
    assert nursing["through"] == ["trial:NCT01967433", "trial:NCT04189588", "trial:NCT04237091"]
    every_repair_and_every_row_is_told(graph)


def every_repair_and_every_row_is_told(graph: Linked) -> None:
    assert graph.decided("clinical_trials:7") == [
        ("repaired", "date", "2020-05-25"),
        ("merged", None, "clinical_trials:6"),
    ]
    assert graph.nodes["trial:NCT03490942"] == {
        "id": "trial:NCT03490942",
        "kind": "trial",
        "title": "Glucagon Infusion in T1D Patients With Recurrent Severe Hypoglycemia: "
        "Effects on Counter-Regulatory Responses",
        "date": "2020-05-25",
        "journal": "Journal of emergency nursing",
        "rows": ["clinical_trials:6", "clinical_trials:7"],
    }
    assert ("kept", "scientific_title", None) in graph.decided("clinical_trials:3")
    assert graph.nodes["trial:NCT04237090"]["title"] is None
    assert graph.nodes["trial:NCT04153396"]["title"].endswith("Laminoplasty or ñ Laminectomy")
    assert ("repaired", "journal", "Journal of emergency nursing") in graph.decided("clinical_trials:8")
    assert graph.decided("drugs:6") == [("kept", "atccode", "6302001")]
    assert ("repaired", "id", UNKNOWN.partition(":")[2]) in graph.decided("pubmed_json:5")
    assert graph.decided("pubmed_csv:6") == []  # there was nothing to repair
    rows = [row for node in graph.nodes.values() for row in node.get("rows", ())]
    tables = {"drugs": 7, "clinical_trials": 8, "pubmed_csv": 8, "pubmed_json": 5}
    assert sorted(rows) == sorted(
        f"{table}:{row}" for table, count in tables.items() for row in range(1, count + 1)
    )


def naive_mentions() -> int:
    """How many pairs of a drug and a title there are in the raw files, the name being anywhere in it."""
    titles = [entry["title"] for entry in json.loads((DATA / "pubmed.json").read_text(encoding="utf-8"))]
    for name, column in (("pubmed.csv", "title"), ("clinical_trials.csv", "scientific_title")):
        with (DATA / name).open(newline="", encoding="utf-8") as file:
            titles += [row[column] for row in csv.DictReader(file)]
    with (DATA / "drugs.csv").open(newline="", encoding="utf-8") as file:
        drugs = [row["drug"].lower() for row in csv.DictReader(file)]
    return sum(drug in title.lower() for drug in drugs for title in titles)


def test_a_second_run_makes_the_same_graph(windlass: Windlass, example: Example) -> None:
    root = example("drugs")
    made = []
    for _ in range(2):
        assert windlass("-C", root, "run", "orchestrator").code == 0
        made.append([file.read_bytes() for file in sorted((root / "processed_data").iterdir())])
    assert made[0] == made[1]
    assert len(made[0]) == 3


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
