"""examples/drugs: the picture of the graph, in a real browser."""

from __future__ import annotations

import html
import re
from collections.abc import Callable

from tests.examples.conftest import Linked
from tests.examples.expected import DRUGS_NODES, IN_ARTICLES, IN_JOURNALS

Run = Callable[..., Linked]
Browser = Callable[..., str]


def count(document: str, pattern: str) -> int:
    return len(re.findall(pattern, document))


def test_the_picture_shows_every_node_and_link(linked: Run, browser: Browser) -> None:
    graph, nodes = linked(), sum(DRUGS_NODES.values())
    page = graph.root / "processed_data" / "graph.html"
    assert count(page.read_text(encoding="utf-8"), r"\b(src|href)=|@import|url\(") == 0  # needs nothing else
    document = browser(page)
    for kind, number in DRUGS_NODES.items():
        assert count(document, f'<g class="node {kind}"') == number
    assert count(document, "<line ") == len(graph.links) == len(IN_ARTICLES | IN_JOURNALS)
    assert "10 drugs" in document
    assert ">PREDNISOLONE</text>" in document

    chosen = browser(
        page,
        """
        const node = [...document.querySelectorAll(".node.drug")].find((n) => n.textContent.includes("AMPICILLIN"));
        node.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter" }));
        """,
    )
    aside = re.search("<aside>(.*?)</aside>", chosen, re.DOTALL)
    assert aside is not None
    assert "mentioned by 2 publications, 1 trial, 3 journals" in aside[1]
    assert "Ampicillin resistance in bacteria" in aside[1]
    assert count(chosen, '<g class="node [a-z]+ faded"') == nodes - 7  # the drug, and what mentions it

    found = browser(
        page,
        """
        const field = document.querySelector("input[type=search]");
        field.value = "Hôpital";
        field.dispatchEvent(new Event("input"));
        """,
    )
    assert count(found, '<g class="node [a-z]+ faded"') == nodes - 1


def test_a_title_is_text_and_never_part_of_the_page(linked: Run, browser: Browser) -> None:
    title = "ethanol </script><h1 id=evil>&quot;<!--"
    graph = linked(
        {"drugs.csv": "atccode,drug\nV03AB,ETHANOL\n", "a.csv": f"id,title,date,journal\n1,{title},,\n"}
    )
    document = browser(
        graph.root / "processed_data" / "graph.html",
        'document.querySelector(".node.publication").dispatchEvent(new KeyboardEvent("keydown", { key: "Enter" }));',
    )
    assert '<h1 id="evil">' not in document
    shown = re.search("<aside><h2>(.*?)</h2>", document)
    assert shown is not None
    assert (
        html.unescape(shown[1])
        == graph.nodes["publication:1"]["title"]
        == 'ethanol </script><h1 id=evil>"<!--'
    )
