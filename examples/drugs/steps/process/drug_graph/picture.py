"""The graph as one HTML page that needs nothing else: picture.html, with the data in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

TEMPLATE = Path(__file__).with_name("picture.html")


def draw(graph: dict[str, Any]) -> str:
    """The page, for a browser."""
    data = json.dumps(graph, ensure_ascii=False).replace("<", "\\u003c")  # no title ends the script
    return TEMPLATE.read_text(encoding="utf-8").replace("{{ graph }}", data)
