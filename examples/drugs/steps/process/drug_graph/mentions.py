"""Records to nodes and links: which drug is mentioned where, and when.

A publication or a trial mentions a drug if the drug's name occurs in its title as whole words, capitals or
not: "ethanol" is not in "methanol". A journal mentions it if such a publication or trial appeared in it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from drug_graph.records import Record, same_text

Names = dict[str, list[tuple[list[str], str]]]


def build_graph(records: Sequence[Record]) -> dict[str, Any]:
    """The graph in node-link form, as networkx reads it: https://networkx.org/documentation/stable/reference/readwrite/json_graph.html"""
    journals = {same_text(record.journal): record.journal for record in records if record.journal}
    nodes = [_node(record) for record in records]
    nodes += [{"id": f"journal:{name}", "kind": "journal", "name": name} for name in journals.values()]
    return {
        "directed": True,
        "multigraph": True,
        "graph": {"name": "which drug is mentioned where"},
        "nodes": nodes,
        "links": [*_links(records)],
    }


def _node(record: Record) -> dict[str, Any]:
    node: dict[str, Any] = {"id": f"{record.kind}:{record.id}", "kind": record.kind}
    if record.kind == "drug":
        node |= {"atccode": record.id, "name": record.text}
    else:
        node |= {"title": record.text, "date": record.date, "journal": record.journal}
    return node | {"rows": list(record.rows)}


def _links(records: Sequence[Record]) -> Iterator[dict[str, Any]]:
    """From each drug to what mentions it; to a journal once a date, `through` one or more of its articles."""
    names = _names(records)
    in_journals: dict[tuple[str, str, str | None], list[str]] = defaultdict(list)
    for record in records:
        if record.kind == "drug":
            continue
        article = f"{record.kind}:{record.id}"
        for drug in _mentioned(record.text or "", names):
            yield {"source": drug, "target": article, "kind": "mentioned_by", "date": record.date}
            if record.journal:
                in_journals[drug, f"journal:{record.journal}", record.date].append(article)
    for (drug, journal, date), through in in_journals.items():
        yield {"source": drug, "target": journal, "kind": "mentioned_by", "date": date, "through": through}


def _names(records: Sequence[Record]) -> Names:
    """The words of each drug's name, by the first of them."""
    names: Names = defaultdict(list)
    for record in records:
        if record.kind == "drug" and (words := _words(record.text or "")):
            names[words[0]].append((words, f"drug:{record.id}"))
    return names


def _mentioned(title: str, names: Names) -> list[str]:
    """The drugs in a title, each once, in the order of their first mentions."""
    words = _words(title)
    found = [
        drug
        for at, word in enumerate(words)
        for name, drug in names.get(word, ())
        if words[at : at + len(name)] == name
    ]
    return list(dict.fromkeys(found))


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())
