"""Messages as e-mail: plain text and HTML in one, over SMTP (RFC 5321) with STARTTLS (RFC 3207) or TLS (RFC 8314)."""

from __future__ import annotations

import html
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

from windlass.alerts import Message
from windlass.alerts.wording import context_of, headline, is_good_news, plain_text, row_lines
from windlass.connections import Address
from windlass.errors import Code, FatalError, RetryableError, reason_of

__all__ = ["send"]

_TIMEOUT = 20.0
_IMPLICIT, _SUBMISSION, _LOCAL = 465, 587, 25


def send(address: Address, message: Message) -> None:
    """Send the message. Raises WindlassError when the server does not take it."""
    receivers = _receivers(address)
    if not receivers:
        hint = "say `to:` with the connection in windlass.yaml, or ?to= in its address"
        raise FatalError("nobody is named to get the mail", hint=hint, code=Code.NOT_CONFIGURED)
    mail = _mail(message, _sender(address), receivers)
    with _errors(address), _connected(address) as server:
        if address.user:
            server.login(address.user, address.password)
        refused = server.send_message(mail)
    if refused:
        raise FatalError(f"the server refused {', '.join(refused)}", code=Code.ALERT_NOT_TAKEN)


def _receivers(address: Address) -> list[str]:
    said = address.settings.get("to") or address.options.get("to", "").split(",")
    return [receiver.strip() for receiver in said if receiver.strip()]


def _sender(address: Address) -> str:
    said = address.settings.get("from") or address.options.get("from")
    return str(said or (address.user if "@" in address.user else f"windlass@{address.host}"))


@contextmanager
def _connected(address: Address) -> Iterator[smtplib.SMTP]:
    tls = _tls(address)
    port = address.port or {"implicit": _IMPLICIT, "starttls": _SUBMISSION, "none": _LOCAL}[tls]
    context = ssl.create_default_context()
    if tls == "implicit":
        with smtplib.SMTP_SSL(address.host, port, timeout=_TIMEOUT, context=context) as server:
            yield server
        return
    with smtplib.SMTP(address.host, port, timeout=_TIMEOUT) as server:
        server.ehlo_or_helo_if_needed()
        if tls == "starttls" and (server.has_extn("starttls") or not address.is_here):
            server.starttls(context=context)
        yield server


def _tls(address: Address) -> str:
    said = address.settings.get("tls") or address.options.get("tls")
    if address.options.get("tls") == "none" and address.is_here:
        said = "none"  # what stands in for a server of which the settings are
    if said:
        if said not in ("starttls", "implicit", "none"):
            hint = "expected starttls, implicit or none"
            raise FatalError(f"`tls` is {said!r}", hint=hint, code=Code.UNREADABLE_ADDRESS)
        return str(said)
    if address.scheme.lower() == "smtps" or address.port == _IMPLICIT:
        return "implicit"
    return "starttls"


@contextmanager
def _errors(address: Address) -> Iterator[None]:
    """What goes wrong, in our words: a status of 4xx may be otherwise later (RFC 5321, section 4.2.1)."""
    where = f"the mail server {address.host}"
    try:
        yield
    except smtplib.SMTPAuthenticationError as exc:
        raise FatalError(f"{where} does not let {address.user} in", code=Code.NOT_LET_IN) from exc
    except smtplib.SMTPNotSupportedError as exc:
        hint = "`tls: implicit` with the connection if it takes only that; `tls: none` sends in clear"
        raise FatalError(f"{where}: {exc}", hint=hint, code=Code.ALERT_NOT_TAKEN) from exc
    except smtplib.SMTPRecipientsRefused as exc:
        refused = exc.recipients
        later = all(status < 500 for status, _ in refused.values())
        kind = RetryableError if later else FatalError
        raise kind(f"{where} refused {', '.join(refused)}", code=Code.ALERT_NOT_TAKEN) from exc
    except smtplib.SMTPResponseException as exc:
        said = (
            exc.smtp_error.decode(errors="replace") if isinstance(exc.smtp_error, bytes) else exc.smtp_error
        )
        kind = RetryableError if exc.smtp_code < 500 else FatalError
        raise kind(f"{where} answered {exc.smtp_code} {said}", code=Code.ALERT_NOT_TAKEN) from exc
    except ssl.SSLCertVerificationError as exc:
        raise FatalError(f"{where}: {reason_of(exc)}", code=Code.ALERT_NOT_TAKEN) from exc
    except (smtplib.SMTPException, OSError) as exc:
        raise RetryableError(f"cannot reach {where}: {reason_of(exc)}", code=Code.ALERT_NOT_TAKEN) from exc


def _mail(message: Message, sender: str, receivers: list[str]) -> EmailMessage:
    mail = EmailMessage()
    mail["Subject"] = " ".join(headline(message).split())[:200]
    mail["From"], mail["To"] = sender, ", ".join(receivers)
    mail["Date"] = formatdate(localtime=False)
    mail["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2] or "windlass")
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's absence note answers
    mail.set_content(plain_text(message))
    mail.add_alternative(_html(message), subtype="html")
    return mail


def _html(message: Message) -> str:
    colour = "#57606a" if message.event == "notice" else "#1a7f37" if is_good_news(message) else "#cf222e"
    parts = [f'<h2 style="color:{colour}">{html.escape(headline(message))}</h2>']
    if message.run_id:
        parts.append(f"<p>{html.escape(context_of(message))}</p>")
    text = message.text if message.event != "notice" else message.text.partition("\n")[2]
    if text:
        parts.append(f"<p>{html.escape(text)}</p>")
    if message.rows:
        parts.append("<ul>" + "".join(f"<li>{html.escape(row)}</li>" for row in row_lines(message)) + "</ul>")
    for told in message.told:
        rows = "\n".join(html.escape(row) for row in told.rows)
        parts.append(f"<h3>{html.escape(told.task)}</h3><pre>{html.escape(told.what)}</pre>")
        parts.append(f"<pre>{rows}</pre>" if rows else "")
    if message.link:
        parts.append(f"<p>{html.escape(message.link)}</p>")
    return f"<html><body>{''.join(parts)}</body></html>"
