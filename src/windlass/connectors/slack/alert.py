"""Messages to Slack: by an incoming webhook (https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks),
or by a bot (https://docs.slack.dev/reference/methods/chat.postMessage).

The address of a webhook is a secret as a whole; a bot has a token, and a `channel` beside it.
"""

from __future__ import annotations

import re

from windlass import logs
from windlass.alerts import Message
from windlass.alerts.posting import fields_of, post, told_by, url_of
from windlass.alerts.wording import context_of, headline, row_lines
from windlass.connections import Address
from windlass.errors import Code, FatalError, RetryableError

__all__ = ["message_text", "send"]

_LONGEST = 2_900  # characters in a block of text, of the 3,000 that Slack takes
_HALF = re.compile(r"&[a-z]{0,3}$")  # what is left of an escaped character that was cut
_ICONS = {
    "failure": ":red_circle: ",
    "recovery": ":large_green_circle: ",
    "success": ":white_check_mark: ",
    "missed": ":hourglass: ",
}
_LATER = ("ratelimited", "service_unavailable", "internal_error", "fatal_error", "request_timeout")


def send(address: Address, message: Message) -> None:
    """Post the message. Raises WindlassError when Slack does not take it."""
    with told_by("Slack"):
        channel = address.settings.get("channel") or address.options.get("channel")
        if channel:
            _as_bot(address, str(channel), _body(message))
        else:
            post(_webhook(address), _body(message), shown="its webhook")


def _webhook(address: Address) -> str:
    """Airflow's own connection has the secret end of the address as its password."""
    if address.password and not address.database:
        return url_of(address, "hooks.slack.com/services").rstrip("/") + f"/{address.password.lstrip('/')}"
    return url_of(address, "hooks.slack.com")


def _as_bot(address: Address, channel: str, body: dict[str, object]) -> None:
    token = address.password or address.user or address.database
    logs.add_secret(token)
    answer = fields_of(
        post(
            url_of(address, "slack.com", "api/chat.postMessage"),
            {"channel": channel, **body},
            shown="its API",
            headers={"Authorization": f"Bearer {token}"},
            secret=False,
        )
    )
    if answer.get("ok") is True:
        return
    if "error" not in answer:  # of a proxy in between, or half of one
        raise RetryableError("its API answered what is not JSON of Slack", code=Code.ALERT_NOT_TAKEN)
    said = str(answer["error"])
    if said in _LATER:
        raise RetryableError(f"its API answered {said}", code=Code.ALERT_NOT_TAKEN)
    hint = f"the bot has to be in {channel}: /invite it there" if said == "not_in_channel" else None
    raise FatalError(f"its API answered {said}", hint=hint, code=Code.ALERT_NOT_TAKEN)


def _body(message: Message) -> dict[str, object]:
    text = message_text(message)
    if len(text) > _LONGEST:
        end = f"…\n{more}" if (more := _more(message)) else "…"
        text = _HALF.sub("", text[: _LONGEST - len(end)]) + end
    return {"text": text, "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": text}}]}


def message_text(message: Message) -> str:
    """The message in Slack's markup. What comes from elsewhere may not mention anybody."""
    subject, rest = message.subject, headline(message).removeprefix(message.subject)
    if message.event == "notice":
        lines = [_plain(message.text or message.subject)]
        lines += [f"• {_plain(row)}" for row in row_lines(message)]
        lines.append(f"_{_plain(subject)}_")
    else:
        run = context_of(message).replace(f"run {message.run_id}", f"run `{message.run_id}`", 1)
        lines = [f"{_ICONS[message.event]}*{subject}*{rest}", run, _plain(message.text)]
    for told in message.told:
        lines.append(f"• *{told.task}*: {_plain(told.what)}")
        lines += (f"    `{_plain(row)}`" for row in told.rows)
    return "\n".join(line for line in (*lines, _more(message)) if line)


def _more(message: Message) -> str:
    return f"more: {message.link}" if message.link else ""


def _plain(text: str) -> str:
    """Slack's three characters of control, escaped: `<!channel>` in an error wakes nobody."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
