"""Pictures of a plan: text for a terminal, Mermaid for documents, SVG for everything else.

listing.py    text: lanes with a line a task, or a list by layers when the lanes would be too many
flowchart.py  Mermaid
picture.py    SVG, of what layout.py has placed
"""

from __future__ import annotations

from windlass.drawing.flowchart import mermaid
from windlass.drawing.listing import text
from windlass.drawing.picture import svg

__all__ = ["mermaid", "svg", "text"]
