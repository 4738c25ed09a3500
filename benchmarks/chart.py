"""The results as a chart: for each case a bar a contender, as long as the limit's time divided by its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby

from benchmarks.measure import Result

__all__ = ["draw"]

_WIDTH, _LABEL, _BAR, _ROW, _GAP = 860, 190, 460, 22, 34

_STYLE = """
text { font: 13px system-ui, sans-serif; fill: #24292f } .case { font-weight: 600 } .small { fill: #57606a }
.bar { fill: #afb8c1 } .windlass { fill: #0a6cff } .limit { fill: #57606a } .line { stroke: #d0d7de }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .small { fill: #9198a1 } .bar { fill: #4d5560 }
.windlass { fill: #4493f8 } .limit { fill: #9198a1 } .line { stroke: #3d444d } }
"""


def draw(results: Sequence[Result]) -> str:
    """An SVG of rows a second, longer is faster; the limit of each case has the same length."""
    cases = [(name, list(group)) for name, group in groupby(results, key=lambda result: result.case)]
    body: list[str] = []
    y = 24
    for name, group in cases:
        body += _case(name, group, y)
        y += _GAP + _ROW * len(group)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y}" role="img">'
    title = "<title>Rows a second, compared with the raw limit of each case; longer is faster</title>"
    return "\n".join([head, title, f"<style>{_STYLE}</style>", *body, "</svg>"]) + "\n"


def _case(name: str, group: Sequence[Result], y: int) -> Iterator[str]:
    yield f'<text class="case" x="0" y="{y}">{escape(name)}</text>'
    at_limit = _LABEL + _BAR * 0.7
    bottom = y + 8 + _ROW * len(group)
    yield f'<line class="line" x1="{at_limit}" y1="{y + 4}" x2="{at_limit}" y2="{bottom}"/>'
    for i, result in enumerate(group):
        if result.ratio is not None and not result.failed:
            yield from _bar(result, y + 8 + i * _ROW)


def _bar(result: Result, y: int) -> Iterator[str]:
    assert result.ratio is not None
    length = max(_BAR * 0.7 / result.ratio, 1)
    kind = "windlass" if result.name == "windlass" else "limit" if result.is_limit else "bar"
    speed = f"{result.rows / result.median / 1000:,.0f} k rows/s"
    said = f"{speed}, {result.median:.1f} s" + (
        "" if result.is_limit else f", {1 / result.ratio:.2f} of the limit"
    )
    yield f'<text class="small" x="{_LABEL - 8}" y="{y + 14}" text-anchor="end">{escape(result.name)}</text>'
    yield f'<rect class="{kind}" x="{_LABEL}" y="{y + 3}" width="{length:.1f}" height="{_ROW - 7}" rx="2"/>'
    yield f'<text class="small" x="{_LABEL + length + 8:.1f}" y="{y + 14}">{escape(said)}</text>'
