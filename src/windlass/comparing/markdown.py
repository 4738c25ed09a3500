"""What has changed, as Markdown that GitHub and GitLab show."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from windlass.comparing.changes import MISSING, Change, PipelineChanges
from windlass.comparing.since import Difference
from windlass.units import counted

__all__ = ["markdown"]

_LONGEST = 80


def markdown(difference: Difference) -> str:
    """The text: a heading, then what has changed of pipelines, of what they write, and of images; ends with a newline."""
    parts = [_summary(difference)]
    parts += [_pipeline(changes) for changes in difference.pipelines]
    parts += _outlets("Written from now on", difference.written)
    parts += _outlets("No longer written; what is there stays", difference.abandoned)
    if difference.images:
        rows = [
            (f"`{s.build.name}`", _text(", ".join(s.why)), ", ".join(s.pipelines)) for s in difference.images
        ]
        parts.append("### Images to be built\n\n" + _table(("image", "why", "pipelines"), rows))
    return "\n\n".join(parts) + "\n"


def _summary(difference: Difference) -> str:
    count = len(difference.pipelines)
    what = f"{count} of {counted(difference.total, 'pipeline')} changed" if count else "no pipeline changed"
    note = "" if difference.was_valid else "\n\nThe project was not valid before, so everything is new."
    return f"## windlass: {what}{note}"


def _pipeline(changes: PipelineChanges) -> str:
    name = f"### `{changes.pipeline}`"
    if changes.status != "changed":
        return f"{name}: {changes.status}"
    return f"{name}\n\n{_table(('what', 'before', 'now'), _rows(changes.changes))}"


def _rows(changes: Iterable[Change]) -> list[tuple[str, str, str]]:
    """What changes in the same way in several tasks is one row."""
    tasks: dict[tuple[str, str, str], list[str]] = {}
    for change in changes:
        of_task = change.path[0] == "tasks"
        key = ".".join(change.path[2:] if of_task else change.path)
        row = (key, _value(change.before), _value(change.now))
        tasks.setdefault(row, []).extend(change.path[1:2] if of_task else ())
    return [(_place(names, key), before, now) for (key, before, now), names in tasks.items()]


def _place(tasks: Sequence[str], key: str) -> str:
    named = f"task{'s' if len(tasks) > 1 else ''} {', '.join(f'`{task}`' for task in tasks)}"
    return " of ".join(part for part in (_code(key) if key else "", named if tasks else "") if part)


def _value(value: object) -> str:
    if value is MISSING:
        return ""
    if isinstance(value, dict) and "retry" in value:  # a whole task
        return "there"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return _code(text if text else '""')


def _code(text: str) -> str:
    """On one line, cut where it is long, and inert: no end of the code, or of the cell, in the middle."""
    line = " ".join(text.split())
    line = line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"
    fence = "`" * (max(map(len, re.findall("`+", line)), default=0) + 1)
    space = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{space}{line}{space}{fence}".replace("|", "\\|")


def _outlets(heading: str, outlets: Mapping[str, Sequence[str]]) -> Iterator[str]:
    if outlets:
        lines = [
            f"- {_code(name)} by {', '.join(f'`{task}`' for task in tasks)}"
            for name, tasks in outlets.items()
        ]
        yield f"### {heading}\n\n" + "\n".join(lines)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _text(text: str) -> str:
    return re.sub(r"([|<>`*_\[\]])", r"\\\1", text)
