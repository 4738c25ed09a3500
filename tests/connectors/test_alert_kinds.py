"""Messages as each kind is told them: by a web server or a mail server of this machine that keeps what it is sent."""

from __future__ import annotations

import base64
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from tests.hooks import Web, hooks
from windlass import logs
from windlass.alerts import Event, Message, Told, delivery
from windlass.alerts.delivery import hand_over
from windlass.connections import Address, parse_address
from windlass.connectors.webhook.options import NAMES, Connection
from windlass.errors import FatalError, RetryableError
from windlass.options import read_options
from windlass.recordings import mailbox
from windlass.recordings.mailbox import Mailbox, text_of

CANARY = "Canary7f3a9c1d"


@pytest.fixture
def web() -> Iterator[Web]:
    with hooks() as kept:
        yield kept


@contextmanager
def mail_server(**how: Any) -> Iterator[Mailbox]:
    box = Mailbox(**how)
    box.start()
    try:
        yield box
    finally:
        box.stop()


def message(event: Event = "failure", **more: Any) -> Message:
    told = Told("load", "no table <orders> & no hope", ("a.csv:2: not a number",))
    given = {
        "run_id": "run-1",
        "logical_date": "2026-01-01",
        "told": (told,),
        "link": "/shop/report.html",
    } | more
    return Message(event=event, project="shop", pipeline="orders", **given)


def notice(**more: Any) -> Message:
    rows: Any = (("site", 3), ("api", 1))
    return message("notice", told=(), text="4 alerts are open", columns=("repo", "alerts"), rows=rows, **more)


def at(kind: str, web: Web, path: str = f"/hook/{CANARY}", user: str = "", **settings: Any) -> Address:
    found = parse_address(f"http://{f'{user}@' if user else ''}127.0.0.1:{web.port}{path}", "the test", kind)
    return Address(**{**vars(found), "settings": settings})


# --- Slack ------------------------------------------------------------------------------------------


def test_slack_is_told_over_its_webhook_and_nobody_is_called_by_what_an_error_says(web: Web) -> None:
    hand_over(message(), at("slack", web))
    hand_over(notice(), at("slack", web))
    (where, headers, failure), (_, _, told) = web.posted
    assert (where, headers["content-type"]) == (f"POST /hook/{CANARY}", "application/json")
    assert failure["text"] == (
        ":red_circle: *orders* failed (shop)\n"
        "run `run-1`, logical date 2026-01-01\n"
        "• *load*: no table &lt;orders&gt; &amp; no hope\n"
        "    `a.csv:2: not a number`\n"
        "more: /shop/report.html"
    )
    assert failure["blocks"][0]["text"]["text"] == failure["text"]
    assert told["text"].split("\n")[:3] == [
        "4 alerts are open",
        "• repo: site, alerts: 3",
        "• repo: api, alerts: 1",
    ]


def test_a_bot_of_slack_posts_to_its_channel_and_says_what_slack_says(web: Web) -> None:
    bot = at("slack", web, "", f":{CANARY}", channel="#data")
    web.answer = '{"ok": true}'
    hand_over(message("recovery", since="run-0"), bot)
    [(where, headers, body)] = web.posted
    assert (where, headers["authorization"]) == ("POST /api/chat.postMessage", f"Bearer {CANARY}")
    assert body["channel"] == "#data"
    assert body["text"].startswith(":large_green_circle: *orders* works again (shop)\nrun `run-1`, ")
    assert "failing since run run-0" in body["text"]
    web.answer = '{"ok": false, "error": "not_in_channel"}'
    with pytest.raises(FatalError, match="Slack did not take the message: its API answered not_in_channel"):
        hand_over(message(), bot)
    web.answer = '{"ok": false, "error": "ratelimited"}'
    with pytest.raises(RetryableError, match="ratelimited"):
        hand_over(message(), bot)


def test_the_connection_of_airflows_own_slack_provider_is_one(web: Web) -> None:
    kept = {"conn_type": "slackwebhook", "host": "127.0.0.1", "port": web.port, "password": f"T0/B0/{CANARY}"}
    found = parse_address(json.dumps(kept), "the test", "slack")
    hand_over(message(), Address(**{**vars(found), "scheme": "http"}))
    assert web.posted[0][0] == f"POST /T0/B0/{CANARY}"


@pytest.mark.parametrize("host", ["http://127.0.0.1:%d/services", "http://127.0.0.1:%d/services/"])
def test_the_host_of_such_a_connection_may_be_a_whole_address(host: str, web: Web) -> None:
    kept = {"conn_type": "slackwebhook", "host": host % web.port, "password": f"T0/B0/{CANARY}"}
    hand_over(message(), parse_address(json.dumps(kept), "the test", "slack"))
    assert web.posted[0][0] == f"POST /services/T0/B0/{CANARY}"


@pytest.mark.parametrize("kind", ["slack", "teams", "webhook", "pagerduty"])
@pytest.mark.parametrize(
    "written",
    [
        f"https://[hooks/{CANARY}",
        f"https://hooks]/{CANARY}",
        f"https://[::zz]/{CANARY}",
        f"https://hooks:99999/{CANARY}",
        f"https://hooks:port/{CANARY}",
        f"https://hooks..test/{CANARY}",
        f"https://{'h' * 64}.test/{CANARY}",
        f"https://ho oks/{CANARY}",
        '{"conn_type": "KIND", "login": "key-of-somebody", "host": "[::zz]"}',
        '{"conn_type": "KIND", "login": "key-of-somebody", "host": "a b"}',
        '{"conn_type": "KIND", "login": "key-of-somebody", "host": "a:b:[c"}',
        '{"conn_type": "KIND", "login": "key-of-somebody", "host": "hooks", "port": 99999}',
    ],
)
def test_an_address_that_is_none_is_told_with_what_to_do_and_not_tried_again(kind: str, written: str) -> None:
    with pytest.raises(FatalError, match=r"cannot be (read|used)") as raised:
        hand_over(message(), parse_address(written.replace("KIND", kind), "the test", kind))
    assert raised.value.hint
    assert CANARY not in str(raised.value)


# --- Teams, webhooks, PagerDuty ---------------------------------------------------------------------


def test_teams_gets_an_adaptive_card_that_is_not_larger_than_it_takes(web: Web) -> None:
    url = f"/workflows/1?api-version=2016-06-01&sp=%2Ftriggers&sv=1.0&sig={CANARY}"
    many = tuple(Told(f"task_{n}", "x" * 900) for n in range(200))
    hand_over(message(link="https://reports/1"), at("teams", web, url))
    hand_over(message(told=many), at("teams", web, url))
    (where, _, body), (_, _, large) = web.posted
    assert where == f"POST {url.replace('%2F', '/')}"
    [attachment] = body["attachments"]
    assert (body["type"], attachment["contentType"]) == ("message", "application/vnd.microsoft.card.adaptive")
    card = attachment["content"]
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    assert [block["text"] for block in card["body"]] == [
        "orders failed (shop)",
        "run run-1, logical date 2026-01-01",
        "load: no table <orders> & no hope",
        "a.csv:2: not a number",
    ]
    assert card["actions"] == [{"type": "Action.OpenUrl", "title": "The report", "url": "https://reports/1"}]
    assert len(json.dumps(large)) < 28 * 1024


def test_a_webhook_gets_json_of_the_shape_that_its_connection_says(web: Web) -> None:
    shape = {
        "summary": "{{ pipeline | upper }}: {{ title }}",
        "items": "{{ rows }}",
        "nested": [{"count": "{{ rows | length }}", "fixed": 7}],
    }
    hand_over(notice(), at("webhook", web, body=shape, method="PUT"))
    hand_over(message(), at("webhook", web, user=CANARY))
    (where, _, shaped), (_, headers, whole) = web.posted
    assert where == f"PUT /hook/{CANARY}"
    assert shaped == {
        "summary": "ORDERS: 4 alerts are open",
        "items": [{"repo": "site", "alerts": 3}, {"repo": "api", "alerts": 1}],
        "nested": [{"count": "2", "fixed": 7}],
    }
    assert headers["authorization"] == f"Bearer {CANARY}"
    assert (whole["event"], whole["title"], whole["told"][0]["task"]) == (
        "failure",
        "orders failed (shop)",
        "load",
    )


@pytest.mark.parametrize(
    "template", ["{{ nobody }}", "{{ ''.__class__ }}", "{{ run_id.__init__.__globals__ }}"]
)
def test_a_template_of_a_webhook_reaches_nothing_but_the_message(template: str, web: Web) -> None:
    with pytest.raises(FatalError, match="cannot render"):
        hand_over(message(), at("webhook", web, body={"x": template}))
    assert web.posted == []


def test_a_template_may_name_what_a_message_has_and_nothing_else(web: Web) -> None:
    hand_over(message(), at("webhook", web, body={name: f"{{{{ {name} }}}}" for name in NAMES}))
    assert web.posted[0][2].keys() == {*NAMES}
    assert read_options(Connection, {"body": [{"a": "{{ rows[0].x }} {{ title }}"}]}).method == "POST"
    with pytest.raises(FatalError, match="`body` names 'headline'; a message has title"):
        read_options(Connection, {"body": [{"a": "{{ headline }}"}]})


def test_pagerduty_opens_one_incident_and_resolves_it(web: Web) -> None:
    there = at("pagerduty", web, "", CANARY)
    for event in ("failure", "failure", "recovery", "success"):
        hand_over(message(event), there)
    hand_over(message(task="load"), there)
    bodies = [body for _, _, body in web.posted]
    assert {where for where, _, _ in web.posted} == {"POST /v2/enqueue"}
    assert {body["routing_key"] for body in bodies} == {CANARY}
    assert [(body["event_action"], body["dedup_key"]) for body in bodies] == [
        ("trigger", "shop/orders"),
        ("trigger", "shop/orders"),
        ("resolve", "shop/orders"),
        ("trigger", "shop/orders.load"),
    ]
    payload = bodies[0]["payload"]
    assert (payload["summary"], payload["source"], payload["severity"]) == (
        "orders failed (shop)",
        "shop",
        "error",
    )
    assert payload["custom_details"]["tasks"] == {"load": "no table <orders> & no hope"}


# --- e-mail -----------------------------------------------------------------------------------------


def test_mail_is_text_and_html_to_all_who_are_named(web: Web) -> None:
    with mail_server() as box:
        uri = f"smtp://robot%40example.com:{CANARY}@127.0.0.1:{box.port}?to=a%40example.com,b%40example.com"
        hand_over(message(), parse_address(uri, "the test", "smtp"))
    [mail] = box.received
    assert (mail["To"], mail["From"]) == ("a@example.com, b@example.com", "robot@example.com")
    assert mail["Auto-Submitted"] == "auto-generated"
    assert text_of(mail).split("\n")[:2] == ["orders failed (shop)", "orders failed (shop)"]
    assert "    a.csv:2: not a number" in text_of(mail)
    html = mail.get_body(("html",))
    assert html is not None
    assert "no table &lt;orders&gt; &amp; no hope" in html.get_content()
    assert base64.b64decode(box.users[0]) == f"\0robot@example.com\0{CANARY}".encode()


def test_mail_that_is_not_taken_says_why_and_whether_it_may_be_later() -> None:
    with mail_server(refusal="550 we do not like you") as box:
        there = Address(
            "smtp", "127.0.0.1", box.port, settings={"to": ["a@example.com"], "from": "b@example.com"}
        )
        with pytest.raises(FatalError, match="answered 550 we do not like you"):
            hand_over(message(), there)
        box.refusal = "451 later"
        with pytest.raises(RetryableError, match="answered 451 later"):
            hand_over(message(), there)
        box.refusal = ""
        hand_over(message(), there)
        assert box.received[0]["From"] == "b@example.com"
    with pytest.raises(RetryableError, match=r"cannot reach the mail server 127\.0\.0\.1"):
        hand_over(message(), replace(there, port=9))
    with pytest.raises(FatalError, match="nobody is named to get the mail"):
        hand_over(message(), Address("smtp", "127.0.0.1", 1))


class StartTls(mailbox._Session):
    """A session that is encrypted once the client asks for it."""

    context: ssl.SSLContext

    def finish(self) -> None:
        super().finish()
        self.connection.close()

    def _answer(self, verb: str, said: str) -> bool:
        if verb == "EHLO" and not isinstance(self.connection, ssl.SSLSocket):
            self._say("250-windlass\r\n250 STARTTLS")
        elif verb == "STARTTLS":
            self._say("220 go on")
            self.connection = self.context.wrap_socket(
                self.connection, server_side=True, do_handshake_on_connect=False
            )
            try:
                self.connection.do_handshake()
            except OSError:  # the client does not trust us
                return False
            self.rfile = self.connection.makefile("rb")
            self.wfile = self.connection.makefile("wb", buffering=0)
        else:
            return super()._answer(verb, said)
        return True


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate of its own for 127.0.0.1."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    here = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    signed = made.add_extension(here, critical=False).sign(key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    plain = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    file.write_bytes(plain + signed.public_bytes(pem))
    return file


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_mail_is_encrypted_and_only_for_a_server_that_is_trusted(
    tls: str, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    box = Mailbox()
    if tls == "starttls":
        box._server.RequestHandlerClass = type("Session", (StartTls,), {"context": context})
        box.start()
        there = Address(
            "smtp", "127.0.0.1", box.port, "me", CANARY, settings={"to": ["a@example.com"], "tls": tls}
        )
    else:
        box._server.socket = context.wrap_socket(
            box._server.socket, server_side=True, do_handshake_on_connect=False
        )
        box._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        box.start()
        there = Address(
            "smtp", "127.0.0.1", box.port, "me", CANARY, settings={"to": ["a@example.com"]}, scheme="smtps"
        )
    try:
        with pytest.raises(FatalError, match="certificate verify failed"):
            hand_over(message(), there)
        assert (box.users, box.received) == ([], []), "no password was sent"
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        hand_over(message(), there)
    finally:
        box.stop()
    assert base64.b64decode(box.users[0]) == f"\0me\0{CANARY}".encode()
    assert len(box.received) == 1


# --- all of them ------------------------------------------------------------------------------------

WEB_KINDS = {"slack": "", "teams": "", "webhook": "", "pagerduty": CANARY}


@pytest.mark.parametrize("kind", WEB_KINDS)
def test_who_refuses_is_named_without_the_secret_and_may_be_asked_again_where_that_helps(
    kind: str, web: Web
) -> None:
    there = at(kind, web, user=WEB_KINDS[kind])
    web.status, web.answer = 403, f"no_such_key {CANARY}"
    with pytest.raises(
        FatalError, match=r"did not take the message: .* answered 403 Forbidden: no_such_key"
    ) as raised:
        hand_over(message(), there)
    assert "make a new one" in str(raised.value.hint)
    assert CANARY not in logs.mask(str(raised.value))
    web.status = 503
    with pytest.raises(RetryableError, match=r"did not take the message: .* answered 503"):
        hand_over(message(), there)


@pytest.mark.parametrize("kind", WEB_KINDS)
def test_a_message_comes_again_when_its_server_says_and_not_before(
    kind: str, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    there = at(kind, web, user=WEB_KINDS[kind])
    web.answer, web.busy = '{"ok": true}', ["7", "0"]
    hand_over(message(), there)
    assert (len(web.posted), waits) == (3, [7.0, 1.0])
    web.busy = ["61"]  # longer than a message is given
    with pytest.raises(RetryableError, match="answered 429") as raised:
        hand_over(message(), there)
    assert (raised.value.wait, len(web.posted), waits) == (61.0, 4, [7.0, 1.0])
    web.busy = ["soon"]  # which says nothing
    with pytest.raises(RetryableError, match="answered 429") as raised:
        hand_over(message(), there)
    assert (raised.value.wait, waits) == (None, [7.0, 1.0])
    monkeypatch.setenv("WINDLASS_PAUSES", "skip")
    web.busy = ["7"]
    with pytest.raises(RetryableError, match="answered 429"):
        hand_over(message(), there)


@pytest.mark.parametrize("kind", WEB_KINDS)
def test_no_secret_that_is_known_is_told(kind: str, web: Web) -> None:
    logs.add_secret("Hunter2Hunter2")
    hand_over(
        message(told=(Told("load", "login with Hunter2Hunter2 failed"),)), at(kind, web, user=WEB_KINDS[kind])
    )
    assert "Hunter2" not in json.dumps(web.posted[0][2])
    assert "login with *** failed" in json.dumps(web.posted[0][2])


@contextmanager
def endless(first: bytes) -> Iterator[int]:
    """A server that never comes to the end of its answer, and never is silent for long either. Gives its port."""
    over = threading.Event()

    def answer(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.sendall(first)
            while not over.wait(0.05):
                connection.sendall(b"x")

    def serve() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=answer, args=(listening.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=serve, daemon=True).start()
        yield listening.getsockname()[1]
        over.set()
        listening.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("first", [b"", b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\n\r\n"], ids=len)
@pytest.mark.parametrize("kind", ["slack", "teams", "webhook", "pagerduty", "smtp"])
def test_an_answer_without_end_keeps_nobody(kind: str, first: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "_PATIENCE", 0.5)
    with endless(b"220-" if kind == "smtp" else first) as port:
        scheme = "smtp" if kind == "smtp" else "http"
        address = parse_address(f"{scheme}://:key-of-somebody@127.0.0.1:{port}/a/b", "the test", kind)
        settings = {"to": ["a@example.com"], "tls": "none"} if kind == "smtp" else {}
        with pytest.raises(
            RetryableError, match=r"chat did not take the message within 0\.5 s|broke off|reach"
        ):
            hand_over(message(), replace(address, settings=settings), "chat")


def test_a_long_message_to_slack_keeps_its_link(web: Web) -> None:
    told = tuple(Told(f"task-{n}", "<!channel> & " * 100) for n in range(20))
    hand_over(message(told=told), at("slack", web))
    ((_, _, sent),) = web.posted
    assert len(sent["text"]) <= 2_900
    assert sent["text"].endswith("…\nmore: /shop/report.html")


def test_an_answer_of_somebody_else_than_slack_is_asked_for_again(web: Web) -> None:
    web.answer = '{"ok": tru'
    with pytest.raises(RetryableError, match="not JSON of Slack"):
        hand_over(message(), at("slack", web, user=":xoxb-of-a-bot", channel="#data"))
