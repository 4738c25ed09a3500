"""The results as a table of text."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.measure import Result

__all__ = ["table"]


def table(results: Sequence[Result]) -> str:
    """One line a contender: median seconds, the spread, the ratio to the limit, rows a second, peak memory."""
    rows = [("case", "who", "median s", "min-max", "ratio", "rows/s", "peak MB"), *map(_row, results)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            text.ljust(w) if i < 2 else text.rjust(w)
            for i, (text, w) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _row(result: Result) -> tuple[str, ...]:
    case = result.case if result.is_limit else ""
    if result.failed or not result.seconds:
        return case, result.name, f"failed: {result.failed[:60]}", "", "", "", ""
    spread = f"{min(result.seconds):.2f}-{max(result.seconds):.2f}"
    speed = f"{result.rows / result.median:,.0f}"
    return (
        case,
        result.name,
        f"{result.median:.2f}",
        spread,
        f"{result.ratio:.2f}",
        speed,
        f"{result.memory:.0f}",
    )
