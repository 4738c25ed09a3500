"""The examples over real inputs, where this machine has them: not part of the repository, for their licences are mixed."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.examples.conftest import Example, Linked, Windlass

REAL = ROOT.parent / "shared" / "data"
pytestmark = pytest.mark.skipif(not REAL.is_dir(), reason="the real inputs are not on this machine")

Query = Callable[[Path, str, str], list[tuple[Any, ...]]]

# Found by reading the files.
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
TOP_JOURNALS = {  # a tie of three
    "Journal of emergency nursing": ["DIPHENHYDRAMINE", "EPINEPHRINE"],
    "Psychopharmacology": ["ETHANOL", "TETRACYCLINE"],
    "The journal of maternal-fetal & neonatal medicine": ["ATROPINE", "BETAMETHASONE"],
}


def test_the_graph_of_drugs(linked: Callable[..., Linked]) -> None:
    graph = linked(instead=REAL / "servier")
    assert Counter(node["kind"] for node in graph.nodes.values()) == {
        "drug": 7,
        "publication": 13,
        "trial": 7,
        "journal": 10,
    }
    assert graph.mentions() == IN_ARTICLES | IN_JOURNALS
    assert len(graph.links) == len(IN_ARTICLES) + len(IN_JOURNALS) == naive_mentions() + 16
    [nursing] = [
        link
        for link in graph.links
        if (link["source"], link["target"], link["date"])
        == ("drug:A04AD", "journal:Journal of emergency nursing", "2020-01-01")
    ]
    assert nursing["through"] == ["trial:NCT01967433", "trial:NCT04189588", "trial:NCT04237091"]
    text = (graph.root / "processed_data" / "top_journals.json").read_text(encoding="utf-8")
    assert json.loads(text) == TOP_JOURNALS
    assert graph.nodes["trial:NCT03490942"]["rows"] == ["clinical_trials:6", "clinical_trials:7"]
    assert graph.nodes["trial:NCT04153396"]["title"].endswith("Laminoplasty or ñ Laminectomy")


def naive_mentions() -> int:
    """How many pairs of a drug and a title there are in the raw files, the name being anywhere in it."""
    data = REAL / "servier"
    titles = [entry["title"] for entry in json.loads((data / "pubmed.json").read_text(encoding="utf-8"))]
    for name, column in (("pubmed.csv", "title"), ("clinical_trials.csv", "scientific_title")):
        titles += [row[column] for row in rows_of(data / name)]
    drugs = [row["drug"].lower() for row in rows_of(data / "drugs.csv")]
    return sum(drug in title.lower() for drug in drugs for title in titles)


def rows_of(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def test_the_trips_of_taxis(windlass: Windlass, example: Example, query: Query) -> None:
    root, file = example("taxi"), REAL / "taxi" / "yellow_tripdata_2021-01.csv"
    shutil.copy(file, root / "data")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    run = windlass("-C", root, "run", "taxi_csv", "--param", f"sha256={digest}", "--json")
    assert run.code == 0, run.stderr
    trips = [row for row in rows_of(file) if None not in row.values()]
    _, ingest, _ = run.json["tasks"]
    numbers = [ingest[f"rows_{what}"] for what in ("read", "written", "quarantined")]
    assert numbers == [len(trips) + 1, len(trips), 1] == [22_793, 22_792, 1]
    sums = 'count(*), sum(trip_distance::numeric), sum(total_amount::numeric), min("PULocationID")'
    assert query(root, "warehouse", f"SELECT {sums} FROM yellow_trips") == [
        (
            len(trips),
            sum(Decimal(trip["trip_distance"]) for trip in trips),
            sum(Decimal(trip["total_amount"]) for trip in trips),
            min(int(trip["PULocationID"]) for trip in trips),
        )
    ]


def test_the_zones_of_taxis(windlass: Windlass, example: Example, query: Query) -> None:
    root, file = example("taxi"), REAL / "taxi" / "taxi_zone_lookup.csv"
    shutil.copy(file, root / "data")
    params = ("file=taxi_zone_lookup.csv", "table=zones", "sha256=")
    options = [option for param in params for option in ("--param", param)]
    done = windlass("-C", root, "run", "taxi_csv", "--task", "curl_task", "--task", "ingest_task", *options)
    assert done.code == 0, done.stdout
    columns = '"LocationID", "Borough", "Zone", service_zone'
    assert query(root, "warehouse", f"SELECT {columns} FROM zones ORDER BY 1") == [
        (int(zone["LocationID"]), zone["Borough"], zone["Zone"], zone["service_zone"])
        for zone in rows_of(file)
    ]
