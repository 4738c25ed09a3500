"""python -m drug_graph BUCKET INPUT_FOLDER OUTPUT_FOLDER: the folders are in the bucket, a folder of the workspace."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from pathlib import Path

from drug_graph.decisions import Decision
from drug_graph.journals import with_most_drugs
from drug_graph.mentions import build_graph
from drug_graph.picture import draw
from drug_graph.records import read_records
from drug_graph.tables import TableError, quarantined, read_tables

WORKSPACE = Path(os.environ.get("WINDLASS_WORKSPACE", "."))


def main(bucket: str, imported: str, output: str) -> int:
    """Write the graph, its picture, what it answers and the decisions. Returns the exit code."""
    source, target = WORKSPACE / bucket / imported, WORKSPACE / bucket / output
    try:
        rows = read_tables(source)
    except TableError as exc:
        say("failed", level="error", error=str(exc), retryable=False)
        return 1
    decisions = list(quarantined(source))
    graph = build_graph(read_records(rows, decisions))
    data = json.dumps(graph, ensure_ascii=False, indent=1)
    write(target / "graph.json", data)
    write(target / "graph.html", draw(graph))
    most = with_most_drugs(graph)
    write(target / "top_journals.json", json.dumps(most, ensure_ascii=False, indent=1))
    write(target / "decisions.ndjson", "".join(map(line, decisions)))
    say("decisions", **Counter[str](decision.what for decision in decisions))
    say("graph", **Counter[str](node["kind"] for node in graph["nodes"]), mentions=len(graph["links"]))
    say("journals with the most drugs", journals=list(most))
    written = len(graph["nodes"]) + len(graph["links"])
    say("result", rows_read=len(rows), rows_written=written, bytes=len(data.encode()))
    return 0


def write(file: Path, text: str) -> None:
    """Write a file whole: a reader finds the old one or the new one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f".{file.name}.unfinished")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(file)


def line(decision: Decision) -> str:
    """A decision as a line of NDJSON."""
    return json.dumps(decision.as_json(), ensure_ascii=False) + "\n"


def say(event: str, **fields: object) -> None:
    """Print a log record: one JSON object on a line of its own."""
    sys.stdout.write(json.dumps({"event": event, **fields}, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
