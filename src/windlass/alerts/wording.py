"""A message in words: the same in every kind, whatever the kind does with them."""

from __future__ import annotations

from itertools import islice

from windlass.alerts.message import Message

__all__ = ["context_of", "headline", "is_good_news", "plain_text", "row_lines"]

_SAID = {
    "failure": "failed",
    "recovery": "works again",
    "success": "succeeded",
    "missed": "is late",
    "notice": "says",
}
_ROWS = 10


def headline(message: Message) -> str:
    """In one line: `orders failed (shop)`; of a `notify` task what it says."""
    if message.event == "notice":
        return message.text.partition("\n")[0] or message.subject
    return f"{message.subject} {_SAID[message.event]} ({message.project})"


def is_good_news(message: Message) -> bool:
    """Whether nobody has to do anything about it."""
    return message.event in ("recovery", "success")


def context_of(message: Message) -> str:
    """Which run it was, and for which date."""
    if not message.run_id:
        return ""
    if message.event == "missed":
        return f"the last success was run {message.run_id}, logical date {message.logical_date}"
    since = f", failing since run {message.since}" if message.since else ""
    return f"run {message.run_id}, logical date {message.logical_date}{since}"


def plain_text(message: Message) -> str:
    """All of it, as a plain e-mail has it."""
    parts = [headline(message), context_of(message) if message.event != "notice" else ""]
    if message.event == "notice":
        parts.append(message.text.partition("\n")[2])
        parts += row_lines(message)
        parts.append(f"{message.subject}, {context_of(message)}" if message.run_id else message.subject)
    else:
        parts.append(message.text)
    for told in message.told:
        parts.append(f"- {told.task}: {told.what}")
        parts += (f"    {row}" for row in told.rows)
    parts.append(f"more: {message.link}" if message.link else "")
    return "\n".join(part for part in parts if part)


def row_lines(message: Message) -> list[str]:
    """The first rows, each in a line, and how many more there are."""
    shown = [
        ", ".join(f"{name}: {value}" for name, value in row.items())
        for row in islice(message.records(), _ROWS)
    ]
    left = len(message.rows) - len(shown)
    return [*shown, f"… and {left:,} more"] if left > 0 else shown
