"""examples/drugs: what each parameter of `import` does, and what it says of a config that makes no sense."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from tests.conftest import Output
from tests.examples.conftest import Example, Windlass, put_sources
from tests.examples.expected import DRUGS_ROWS


def run_import(windlass: Windlass, root: Path, **params: str) -> Output:
    options = [option for name, value in params.items() for option in ("--param", f"{name}={value}")]
    return windlass("-C", root, "run", "import", *options)


def tables(folder: Path) -> dict[str, int]:
    """The Parquet files of a folder, and how many rows each has."""
    return {
        file.stem: int(duckdb.read_parquet(str(file)).aggregate("count(*)").fetchall()[0][0])
        for file in folder.glob("*.parquet")
    }


def test_every_source_becomes_a_parquet_file(windlass: Windlass, example: Example) -> None:
    root = example("drugs")
    assert run_import(windlass, root).code == 0
    assert tables(root / "imported_data") == DRUGS_ROWS
    ids = duckdb.read_parquet(str(root / "imported_data" / "pubmed_json.parquet")).project("id").fetchall()
    assert [row[0] for row in ids] == ["17", "18", "19", "20", "", "4", None]


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"source_type": "json"}, {"pubmed_json": DRUGS_ROWS["pubmed_json"]}),
        ({"source_id": "drugs"}, {"drugs": DRUGS_ROWS["drugs"]}),
        ({"source_id": "drugs", "dest_table": "medicines"}, {"medicines": DRUGS_ROWS["drugs"]}),
        ({"source": "data/pubmed.csv"}, {"pubmed": DRUGS_ROWS["pubmed_csv"]}),
        (
            {"source": "data/list.txt", "source_type": "csv", "source_id": "a", "dest_table": "b"},
            {"b": 2},
        ),
    ],
    ids=lambda value: "-".join(value),
)
def test_some_sources_or_one_that_is_not_in_the_list(
    windlass: Windlass, example: Example, params: dict[str, str], expected: dict[str, int]
) -> None:
    root = example("drugs")
    (root / "data" / "list.txt").write_text("atccode,drug\nA,ONE\nB,TWO\n")
    done = run_import(windlass, root, **params, output_folder="elsewhere")
    assert done.code == 0, done.stdout
    assert tables(root / "elsewhere") == expected


def test_a_pattern_of_files_is_one_source(windlass: Windlass, example: Example) -> None:
    root = example("drugs")
    for day in (1, 2):
        (root / "data" / f"day-{day}.csv").write_text(f"id,title,date,journal\n{day},a,,\n")
    assert run_import(windlass, root, source="data/day-*.csv", dest_table="days").code == 0
    assert tables(root / "imported_data") == {"days": 2}


def test_another_config_file(windlass: Windlass, example: Example) -> None:
    root = example("drugs")
    config = {
        "sources": [
            {
                "source_type": "csv",
                "source_id": "latin",
                "source": "data/latin.csv",
                "dest_table": "latin",
                "delimiter": "|",
                "encoding": "latin-1",
            }
        ]
    }
    (root / "data" / "latin.csv").write_bytes("atccode|drug\nA01|CAFÉINE\n".encode("latin-1"))
    (root / "other.json").write_text(json.dumps(config))
    done = run_import(windlass, root, config_file="other.json")
    assert done.code == 0, done.stdout
    rows = duckdb.read_parquet(str(root / "imported_data" / "latin.parquet")).fetchall()
    assert rows == [("A01", "CAFÉINE")]


def test_production_does_not_stand_what_development_does(windlass: Windlass, example: Example) -> None:
    root = example("drugs")
    with (root / "data" / "drugs.csv").open("a") as file:
        file.write("cut\n")
    assert run_import(windlass, root, env="dev").code == 0
    assert tables(root / "imported_data")["drugs"] == DRUGS_ROWS["drugs"]
    [bad] = (root / "imported_data" / "drugs.quarantine.ndjson").read_text().splitlines()
    assert json.loads(bad)["reason"] == "ragged_row"
    done = run_import(windlass, root, env="prod")
    assert done.code == 1
    assert "drugs:" in done.stdout


def test_bad_rows_of_an_earlier_import_are_forgotten_once_they_are_mended(
    windlass: Windlass, example: Example
) -> None:
    root = example("drugs")
    file = root / "data" / "drugs.csv"
    good = file.read_text()
    for text, is_bad in ((f"{good}cut\n", True), (good, False)):
        file.write_text(text)
        assert run_import(windlass, root).code == 0
        assert (root / "imported_data" / "drugs.quarantine.ndjson").exists() is is_bad


def test_debug_logs_every_command(windlass: Windlass, example: Example) -> None:
    root = example("drugs")
    quiet, loud = (run_import(windlass, root, debug=debug).stderr for debug in ("false", "true"))
    assert '"event": "command"' not in quiet
    assert loud.count('"event": "command"') == 4


def test_a_source_that_fails_does_not_keep_the_others_back(windlass: Windlass, example: Example) -> None:
    root = example("drugs")
    put_sources(
        root, {"drugs.csv": "atccode,drug\nA01,ASPIRIN\n", "empty.csv": "", "trials.json": '[{"id": 1},'}
    )
    done = run_import(windlass, root)
    assert done.code == 1
    assert tables(root / "imported_data") == {"drugs": 1}
    assert "empty: " in done.stdout
    assert "is empty" in done.stdout
    assert "trials.json:1:12: Expecting value" in done.stdout


@pytest.mark.parametrize(
    ("config", "params", "error"),
    [
        ("{", {}, "config/sources.json:1:2: "),
        ("[]", {}, "expected an object with a list of 'sources'"),
        ('{"sources": [{"source_type": "csv"}]}', {}, "sources[0] has no 'source_id'"),
        ('{"sources": [{"surce": "x"}]}', {}, "unknown key 'surce'; did you mean 'source'?"),
        ('{"sources": [3]}', {}, "sources[0]: expected an object"),
        (None, {"config_file": "none.json"}, "cannot read none.json"),
        (None, {"source_id": "drug"}, "there is no source 'drug'; did you mean 'drugs'?"),
        (None, {"source_type": "xml"}, "no source of type 'xml'"),
        (None, {"source": "data/drugs.xml"}, "source_type 'xml', expected one of csv, json"),
        (None, {"source": "data/drogs.csv"}, "there is no file"),
        (None, {"dest_table": "all"}, "dest_table names one table"),
        (None, {"source_id": "drugs", "dest_table": "../drugs"}, "dest_table '../drugs', expected letters"),
        (None, {"env": "prd"}, "no environment 'prd'; did you mean 'prod'?"),
        (None, {"bucket_name": "gs://bucket"}, "expected a folder"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_in_a_line(
    windlass: Windlass, example: Example, config: str | None, params: dict[str, str], error: str
) -> None:
    root = example("drugs")
    if config is not None:
        (root / "config" / "sources.json").write_text(config)
    done = run_import(windlass, root, **params)
    assert done.code == 1
    assert error in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert not (root / "imported_data").exists()
