"""Which journals mention the most drugs: a question that is asked of the graph."""

from __future__ import annotations

from collections import defaultdict
from typing import Any


def with_most_drugs(graph: dict[str, Any]) -> dict[str, list[str]]:
    """The journals that mention the most different drugs, with those drugs: all such, where several tie."""
    names = {node["id"]: node["name"] for node in graph["nodes"] if node["kind"] in ("drug", "journal")}
    mentioned: dict[str, set[str]] = defaultdict(set)
    for link in graph["links"]:
        if link["target"].startswith("journal:"):
            mentioned[names[link["target"]]].add(names[link["source"]])
    most = max(map(len, mentioned.values()), default=0)
    return {journal: sorted(drugs) for journal, drugs in sorted(mentioned.items()) if len(drugs) == most}
