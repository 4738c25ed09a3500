"""Messages to Microsoft Teams: an Adaptive Card, posted to the webhook of a workflow
(https://learn.microsoft.com/en-us/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook).
"""

from __future__ import annotations

import json

from windlass.alerts import Message
from windlass.alerts.posting import post, told_by, url_of
from windlass.alerts.wording import context_of, headline, is_good_news, row_lines
from windlass.connections import Address

__all__ = ["send"]

_LARGEST = 25_000  # bytes of a card, of the 28 KB that Teams takes
_LONGEST = 2_000  # characters of one block


def send(address: Address, message: Message) -> None:
    """Post the message. Raises WindlassError when Teams does not take it."""
    card = {
        "type": "message",
        "attachments": [
            {
                "contentType": "application/vnd.microsoft.card.adaptive",
                "contentUrl": None,
                "content": _card(message),
            }
        ],
    }
    with told_by("Teams"):
        post(url_of(address), card, shown="its webhook")


def _card(message: Message) -> dict[str, object]:
    """https://adaptivecards.io/explorer/AdaptiveCard.html"""
    colour = "default" if message.event == "notice" else "good" if is_good_news(message) else "attention"
    blocks: list[dict[str, object]] = [
        _text(headline(message), size="large", weight="bolder", color=colour),
        _text(context_of(message), isSubtle=True, spacing="none"),
    ]
    text = message.text if message.event != "notice" else message.text.partition("\n")[2]
    blocks += [_text(line) for line in (text, *row_lines(message)) if line]
    for told in message.told:
        blocks.append(_text(f"{told.task}: {told.what}"))
        blocks += (_text(row, fontType="monospace", spacing="none") for row in told.rows)
    card: dict[str, object] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": _that_fit(blocks),
    }
    if message.link.startswith(("https://", "http://")):
        card["actions"] = [{"type": "Action.OpenUrl", "title": "The report", "url": message.link}]
    return card


def _text(text: str, **how: object) -> dict[str, object]:
    return {"type": "TextBlock", "text": text[:_LONGEST], "wrap": True, **how}


def _that_fit(blocks: list[dict[str, object]]) -> list[dict[str, object]]:
    """As many blocks as Teams takes."""
    size, kept = 0, list[dict[str, object]]()
    for block in (block for block in blocks if block["text"]):
        size += len(json.dumps(block))
        if size > _LARGEST:
            return [*kept, _text("… and more")]
        kept.append(block)
    return kept
