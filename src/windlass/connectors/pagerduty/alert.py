"""Messages to PagerDuty, by its Events API v2 (https://developer.pagerduty.com/docs/send-alert-event).

All that is about the same trouble has the same `dedup_key`: a pipeline that fails again and again is one incident, which
its next success resolves.
"""

from __future__ import annotations

import hashlib

from windlass import logs
from windlass.alerts import Message
from windlass.alerts.posting import post, told_by, url_of
from windlass.alerts.wording import headline, plain_text
from windlass.connections import Address
from windlass.errors import Code, FatalError

__all__ = ["send"]

_LONGEST_SUMMARY, _LONGEST_KEY = 1_024, 255
_LONGEST = 100_000  # characters of details, of the 512 KB that an event may have


def send(address: Address, message: Message) -> None:
    """Trigger or resolve the incident. Raises WindlassError when PagerDuty does not take it."""
    key = address.password or address.user or address.database
    if not key:
        hint = "expected pagerduty://INTEGRATION_KEY@events.pagerduty.com"
        raise FatalError("the address has no integration key", hint=hint, code=Code.UNREADABLE_ADDRESS)
    logs.add_secret(key)
    if message.event == "success":
        return
    with told_by("PagerDuty"):
        url = url_of(address, "events.pagerduty.com", "v2/enqueue")
        post(url, {"routing_key": key, **_event(message)}, shown="its API", secret=False)


def _event(message: Message) -> dict[str, object]:
    deduplicated = {"dedup_key": _key(message)}
    if message.event == "recovery":
        return {"event_action": "resolve", **deduplicated}
    details = {
        "summary": plain_text(message)[:_LONGEST],
        "run": message.run_id,
        "logical_date": message.logical_date,
        "tasks": {told.task: told.what[:_LONGEST_SUMMARY] for told in message.told},
    }
    event: dict[str, object] = {
        "event_action": "trigger",
        **deduplicated,
        "payload": {
            "summary": headline(message)[:_LONGEST_SUMMARY],
            "source": message.project,
            "severity": "error" if message.event == "failure" else "warning",
            "component": message.subject,
            "class": message.event,
            "custom_details": details,
        },
        "client": "windlass",
    }
    if message.link.startswith(("https://", "http://")):
        event["links"] = [{"href": message.link, "text": "The report"}]
    return event


def _key(message: Message) -> str:
    if len(message.incident) <= _LONGEST_KEY:
        return message.incident
    return hashlib.sha256(message.incident.encode()).hexdigest()
