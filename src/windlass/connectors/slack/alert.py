"""Alerts to Slack, by an incoming webhook (https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks).

The connection is the webhook's address, which is a secret.
"""

from __future__ import annotations

import json
import urllib.request

from windlass import logs, web
from windlass.alerts import Alert
from windlass.connections import Address
from windlass.errors import Code, RetryableError, WindlassError

__all__ = ["send"]

_TIMEOUT = 15.0
_LONGEST = 2_900  # characters in a block of text, of the 3,000 that Slack takes


def send(address: Address, alert: Alert) -> None:
    """Post the alert. Raises RetryableError when Slack does not take it."""
    url = address.uri()
    logs.add_secret(url)
    request = urllib.request.Request(
        url, data=json.dumps(_message(alert)).encode(), headers={"Content-Type": "application/json"}
    )
    try:
        with web.answer_to(request, shown="its webhook", code=Code.MAY_WORK_LATER, timeout=_TIMEOUT):
            return
    except WindlassError as exc:
        raise RetryableError(f"Slack did not take the alert: {exc.message}") from exc


def _message(alert: Alert) -> dict[str, object]:
    title = f":red_circle: *{alert.pipeline}* failed ({alert.project})"
    tasks = "\n".join(f"• *{name}*: {told}" for name, told in (*alert.failed, *alert.changed))
    text = logs.mask(f"{title}\nrun `{alert.run_id}`, logical date {alert.logical_date}\n{tasks}")[:_LONGEST]
    return {"text": text, "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": text}}]}
