"""Messages to whatever takes JSON over HTTP: a connection says in which shape."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from jinja2 import TemplateError

from windlass.alerts import Message
from windlass.alerts.posting import post, told_by, url_of
from windlass.alerts.wording import headline, plain_text
from windlass.connections import Address
from windlass.errors import Code, FatalError
from windlass.templates import render
from windlass.web import basic

__all__ = ["send"]

_WHOLE = re.compile(r"\s*\{\{\s*(\w+)\s*\}\}\s*")


def send(address: Address, message: Message) -> None:
    """Send the message. Raises WindlassError when the receiver does not take it, or the template is wrong."""
    known = {**message.variables(), "title": headline(message), "summary": plain_text(message)}
    template = address.settings.get("body")
    body = known if template is None else _filled(template, known)
    method = str(address.settings.get("method") or "POST")
    with told_by("the webhook"):
        post(url_of(address), body, shown="it", headers=_credentials(address), method=method)


def _filled(template: Any, known: Mapping[str, Any]) -> Any:
    if isinstance(template, dict):
        return {key: _filled(value, known) for key, value in template.items()}
    if isinstance(template, list):
        return [_filled(value, known) for value in template]
    if not isinstance(template, str):
        return template
    if (whole := _WHOLE.fullmatch(template)) and whole[1] in known:
        return known[whole[1]]
    try:
        return render(template, known)
    except TemplateError as exc:
        raise FatalError(f"cannot render {template!r}: {exc}", code=Code.INVALID_TEMPLATE) from exc


def _credentials(address: Address) -> dict[str, str]:
    """A user without a password is a token."""
    if address.password:
        return {"Authorization": basic(address.user, address.password)}
    return {"Authorization": f"Bearer {address.user}"} if address.user else {}
