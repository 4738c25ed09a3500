"""examples/drugs over other files, with other dirt."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.examples.conftest import Example, Linked, Windlass, put_sources

Run = Callable[..., Linked]

DRUGS = "atccode,drug\nV03AB,ETHANOL\nB01AC06,Acetylsalicylic acid\n"

DATES = {
    "2020-05-25": "2020-05-25",
    "2020/5/25": "2020-05-25",
    "20200525": "2020-05-25",
    "25/05/2020": "2020-05-25",
    "25-05-2020": "2020-05-25",
    "25.5.2020": "2020-05-25",
    "05/25/2020": "2020-05-25",
    "01/02/2020": "2020-02-01",
    "25 May 2020": "2020-05-25",
    "3rd Sept. 2020": "2020-09-03",
    "May 25, 2020": "2020-05-25",
    "25-Dec-2020": "2020-12-25",
    "2020-05-25T10:30:00Z": "2020-05-25",
    "2020-05-25 00:00:00": "2020-05-25",
    "February 29, 2020": "2020-02-29",
    "March 2020": "2020-03",
    "2020": "2020",
    "29/02/2019": None,
    "soon": None,
    "n/a": None,
    "": None,
}


def test_a_date_means_the_same_however_it_is_written(linked: Run) -> None:
    rows = [f'{number},about ethanol,"{date}",J' for number, date in enumerate(DATES)]
    graph = linked({"drugs.csv": DRUGS, "articles.csv": "\n".join(["id,title,date,journal", *rows])})
    read = {written: graph.nodes[f"publication:{number}"]["date"] for number, written in enumerate(DATES)}
    assert read == DATES
    links = {target: date for _, target, date in graph.mentions() if target.startswith("publication:")}
    assert links == {f"publication:{number}": date for number, date in enumerate(DATES.values())}
    told = {d["before"] for d in graph.decisions if d.get("field") == "date" and d.get("before")}
    assert told == {written for written, date in DATES.items() if written and written != date}


def test_dates_that_are_dates_already_stay(linked: Run) -> None:
    articles = "id,title,date,journal\n1,ethanol,2020-01-02,J\n2,ethanol,2021-03-04,J\n"
    graph = linked({"drugs.csv": DRUGS, "articles.csv": articles})
    assert [d for d in graph.decisions if d.get("field") == "date"] == []
    assert {date for _, _, date in graph.mentions()} == {"2020-01-02", "2021-03-04"}


IDS = """id,title,date,journal
1,Ethanol one,01/01/2020,J
1,ethanol one.,2020-01-01,
2,Ethanol two,01/01/2020,J
2,Another title,01/01/2020,J
,Ethanol three,01/01/2020,
,Ethanol three,,The Journal
,Ethanol two,01/01/2020,J
,Ethanol two,02/01/2020,J
n/a,,,
3,,03/01/2020,
"""


def test_rows_become_one_only_if_nothing_contradicts(linked: Run) -> None:
    graph = linked({"drugs.csv": DRUGS, "articles.csv": IDS})
    articles = {n["id"]: n["rows"] for n in graph.nodes.values() if n["kind"] == "publication"}
    made_up = [name for name in articles if "unknown-" in name]
    assert {name: rows for name, rows in articles.items() if name not in made_up} == {
        "publication:1": ["articles:1", "articles:2"],
        "publication:2": ["articles:3", "articles:7"],
        "publication:2~2": ["articles:4"],
        "publication:3": ["articles:10"],
    }
    assert sorted(articles[name] for name in made_up) == [["articles:5", "articles:6"], ["articles:8"]]
    [three] = [graph.nodes[name] for name in made_up if articles[name] == ["articles:5", "articles:6"]]
    assert (three["date"], three["journal"]) == ("2020-01-01", "The Journal")
    assert ("left out", None, None) in graph.decided("articles:9")
    assert ("kept", None, None) in graph.decided("articles:4")
    assert ("repaired", "id", "2~2") in graph.decided("articles:4")


def test_ids_of_several_files_are_names_not_numbers(linked: Run) -> None:
    graph = linked(
        {
            "drugs.csv": DRUGS,
            "a.csv": "id,title,date,journal\n7.0,ethanol,,\n8.0,b,,\n",
            "b.json": '[{"id": 7, "title": "Ethanol", "date": "1 May 2020", "journal": null},'
            '{"id": "007", "title": "c", "date": "", "journal": ""},]',
            "c.ndjson": '{"id": "7", "title": "ETHANOL", "date": null, "journal": "J"}\n',
        }
    )
    articles = {n["id"]: n["rows"] for n in graph.nodes.values() if n["kind"] == "publication"}
    assert articles == {
        "publication:7": ["a:1", "b:1", "c:1"],
        "publication:8": ["a:2"],
        "publication:007": ["b:2"],
    }
    assert graph.mentions() == {
        ("drug:V03AB", "publication:7", "2020-05-01"),
        ("drug:V03AB", "journal:J", "2020-05-01"),
    }


def test_a_drug_is_mentioned_by_its_whole_name(linked: Run) -> None:
    titles = {
        "Ethanol-induced sleep": True,
        "ETHANOL": True,
        "(ethanol) and ethanol again": True,
        "methanol": False,
        "ethanolamine": False,
        "ethanols": False,
        "Low-dose acetylsalicylic-acid": True,
        "acetylsalicylic  ACID": True,
        "an acid, acetylsalicylic": False,
    }
    rows = [f'{number},"{title}",,' for number, title in enumerate(titles)]
    graph = linked({"drugs.csv": DRUGS, "a.csv": "\n".join(["id,title,date,journal", *rows])})
    mentioning = {target for _, target, _ in graph.mentions()}
    assert mentioning == {f"publication:{n}" for n, is_one in enumerate(titles.values()) if is_one}
    assert len(graph.links) == len(mentioning)


def test_text_is_what_it_was_before_it_was_damaged(linked: Run) -> None:
    dirt = {
        r"d\xc3\xa9j\xc3\xa0": "déjà",
        r"nursing\xc3\x28": "nursing",
        r"a\xc3\xb1\xff\x28b": "añb",
        r"na\u00efve \ud83d\ude00": "naïve 😀",
        "R&amp;D &lt;5": "R&D <5",
        "GenÃ¨ve": "Genève",
        "Hôpitaux — Genève™": "Hôpitaux — Genève™",
        "e\u0301te\u0301": "été",
        "zero\u200bwidth and\u00a0space": "zerowidth and space",
        r"C:\temp": r"C:\temp",
        "AT&T; a&b": "AT&T; a&b",
    }
    rows = [f'{number},"{text}",,' for number, text in enumerate(dirt)]
    graph = linked({"drugs.csv": DRUGS, "a.csv": "\n".join(["id,title,date,journal", *rows])})
    assert [graph.nodes[f"publication:{n}"]["title"] for n in range(len(dirt))] == list(dirt.values())
    told = {d["before"] for d in graph.decisions if d.get("after") and d["field"] == "title"}
    assert told == {text for text, clean in dirt.items() if text != clean}


def test_a_journal_has_one_spelling(linked: Run) -> None:
    names = ["The Journal", "the journal", "The Journal", "THE JOURNAL.", "The Journal of"]
    rows = [f"{number},ethanol,2020-01-0{number + 1},{name}" for number, name in enumerate(names)]
    graph = linked({"drugs.csv": DRUGS, "a.csv": "\n".join(["id,title,date,journal", *rows])})
    journals = {node["name"] for node in graph.nodes.values() if node["kind"] == "journal"}
    assert journals == {"The Journal", "The Journal of"}
    assert ("repaired", "journal", "The Journal") in graph.decided("a:4")


def test_what_cannot_be_read_is_told_among_the_decisions(linked: Run) -> None:
    graph = linked(
        {
            "drugs.csv": DRUGS + "cut off\n",
            "a.csv": b"id;title;date;journal\n1;ethanol;;J\n2;na\xefve;;J\n",
            "b.json": '[{"id": 3, "title": "ethanol", "date": null, "journal": null}, 4, null]',
        }
    )
    assert {target for _, target, _ in graph.mentions()} == {"publication:1", "publication:3", "journal:J"}
    left_out = [(d["row"], d.get("before")) for d in graph.decisions if d["what"] == "left out"]
    assert len(left_out) == 4
    assert ("data/drugs.csv:4", "cut off") in left_out
    assert ("data/a.csv:3", r"2;na\xefve;;J") in left_out
    assert [row for row, _ in left_out].count("data/b.json") == 2


def test_columns_are_found_whatever_their_order_and_capitals(linked: Run) -> None:
    graph = linked(
        {
            "medicines.csv": "Drug, ATCCODE,more\nEthanol,V03AB,x\n",
            "studies.csv": "journal,date,Scientific_Title,ID\nJ,1 May 2020,Ethanol,N1\n",
        }
    )
    assert graph.mentions() == {
        ("drug:V03AB", "trial:N1", "2020-05-01"),
        ("drug:V03AB", "journal:J", "2020-05-01"),
    }


@pytest.mark.parametrize(
    ("files", "error"),
    [
        ({"drugs.csv": ""}, "data/drugs.csv' is empty"),
        ({"drugs.csv": "atccode,drug\n"}, "has a drug in it"),
        ({"drugs.csv": "drug\nETHANOL\n"}, "drugs.parquet has no column 'atccode'; it has drug"),
        ({"drugs.csv": "code,name\n1,ETHANOL\n"}, "has none of the columns drug, scientific_title, title"),
        ({"drugs.csv": DRUGS, "a.json": "[]"}, "has no records with fields"),
        ({"drugs.csv": DRUGS, "a.json": '[{"id": 1, "title": "x"}]'}, "a.parquet has no column 'date'"),
        ({"drugs.csv": DRUGS, "a.json": '[{"id": 1}, {"id"'}, "a.json:1:18: "),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_missing_is_said(
    windlass: Windlass, example: Example, files: dict[str, str | bytes], error: str
) -> None:
    root = example("drugs")
    put_sources(root, files)
    done = windlass("-C", root, "run", "orchestrator")
    assert done.code == 1
    assert error in done.stdout, done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert not (root / "processed_data").exists()
