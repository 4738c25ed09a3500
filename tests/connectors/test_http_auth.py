"""Who asks an API: each way to say so, what becomes of a token that is not taken any more, and who may see what."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import parse_qsl

import pytest

from tests.conftest import Output
from tests.connectors.apis import Api, Asked, answer
from windlass import logs
from windlass.connections import Address
from windlass.connectors.http.aws import AwsKey, signed_headers
from windlass.connectors.http.options import Auth, Connection
from windlass.errors import FatalError, WindlassError
from windlass.ledger import LedgerEntry
from windlass.options import read_options
from windlass.plan.model import Download
from windlass.state_folder import RunFolder
from windlass.tasks.context import Context
from windlass.tasks.download import run_download
from windlass.workspace import Workspace

Read = Callable[..., list[dict[str, Any]]]
Make = Callable[..., Api]

KEY = "canary/of all+keys"


def address_of(api: Api, auth: dict[str, Any] | None, **of: Any) -> Address:
    settings = {} if auth is None else {"auth": auth}
    return replace(api.address, settings=settings, **of)


WAYS: list[tuple[dict[str, Any] | None, str, str]] = [
    (None, "authorization", "Basic YWRhOmNhbmFyeS9vZiBhbGwra2V5cw=="),
    ({"type": "basic"}, "authorization", "Basic YWRhOmNhbmFyeS9vZiBhbGwra2V5cw=="),
    ({"type": "bearer"}, "authorization", f"Bearer {KEY}"),
    ({"type": "api_key", "name": "X-Key"}, "x-key", KEY),
    (
        {"type": "api_key", "name": "Authorization", "prefix": "Token "},
        "authorization",
        f"Token {KEY}",
    ),
    ({"type": "api_key", "name": "key", "in": "cookie"}, "cookie", f"key={KEY}"),
    ({"type": "api_key", "name": "the key", "in": "query"}, "the key", KEY),
]


def test_each_way_sends_the_secret_with_every_request_and_to_nobody_else(make_api: Make, read: Read) -> None:
    """With every page and link, after a redirect on the server, and not after one to another."""
    other = make_api(answering=lambda _: answer('{"data": [{"id": 9}]}'))

    def pages(asked: Asked) -> bytes:
        if asked.path.startswith("/v1/items"):
            return answer('{"data": [{"id": 1}], "next": "/v1/two?page=2"}')
        return answer("", f"Location: http://127.0.0.1:{other.port}/three", status="302 Found")

    for auth, name, value in WAYS:
        api = make_api(answering=pages)
        address = address_of(api, auth, user="ada", password=KEY)
        way = {"type": "json_link", "next": "next"}
        assert read(api, address, records="data", paginate=way) == [{"id": 1}, {"id": 9}]
        assert [{**asked.headers, **asked.query}.get(name) for asked in api.asked] == [value] * 2
        first, *_, last = [asked.path for asked in api.asked]
        if name == "the key":
            assert (first, last) == (
                "/v1/items?the%20key=canary%2Fof%20all%2Bkeys",
                "/v1/two?page=2&the%20key=canary%2Fof%20all%2Bkeys",
            )
    assert len(other.asked) == len(WAYS)
    assert "canary" not in str(other.asked)
    assert "authorization" not in str(other.asked)


def test_no_secret_is_in_what_is_said(make_api: Make, read: Read) -> None:
    for auth, *_ in WAYS:
        for said in (answer(f'"{KEY}"'), answer(KEY, status="404 X"), answer("", status="503 X"), b""):
            api = make_api(said)
            address = address_of(api, auth, user="ada", password=KEY, options={"appid": "canary-of-appid"})
            with pytest.raises(WindlassError) as raised:
                read(api, address)
            assert "canary" not in f"{raised.value} {raised.value.hint} {raised.value.message}"
            assert api.asked[0].query["appid"] == "canary-of-appid"


def test_a_login_may_be_on_another_server(make_api: Make, read: Read) -> None:
    login = make_api(answer('{"token": "canary-1"}'))
    api = make_api(answer('[{"id": 1}]'))
    auth = {"type": "session", "login": f"http://127.0.0.1:{login.port}/id", "token": "token"}
    assert read(api, address_of(api, auth, user="ada", password=KEY)) == [{"id": 1}]
    assert (login.asked[0].path, json.loads(login.asked[0].body)) == ("/id", {"user": "ada", "password": KEY})
    assert api.asked[0].headers["authorization"] == "Bearer canary-1"


def test_what_is_signed_is_what_is_sent(make_api: Make, read: Read) -> None:
    """The signature is that of the very address, body and headers that arrived."""
    auth = {"type": "aws_sigv4", "region": "eu-central-1", "service": "execute-api"}
    known: dict[str, Any] = {
        "user": "AKID",
        "password": KEY,
        "options": {"session_token": "canary-token", "k": "a b"},
    }
    for options in ({}, {"method": "POST", "body": {"a": 1}}):
        api = make_api(answer('[{"id": 1}]'))
        read(api, address_of(api, auth, **known), query={"q": "x y+z", "n": 1}, **options)
        [asked] = api.asked
        assert asked.query == {"q": "x y+z", "n": "1", "k": "a b"}
        assert asked.headers["x-amz-security-token"] == "canary-token"
        when = datetime.strptime(asked.headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        key = AwsKey("AKID", KEY, "eu-central-1", "execute-api", "canary-token")
        url = f"http://{asked.headers['host']}{asked.path}"
        expected = signed_headers(key, asked.method, url, asked.body, when)
        assert asked.headers["authorization"] == expected["Authorization"]


def test_what_lacks_a_secret_says_where_it_belongs(make_api: Make, read: Read) -> None:
    lacking: list[tuple[dict[str, Any], dict[str, Any], str]] = [
        ({"type": "bearer"}, {"options": {"x": "y"}}, "has no secret"),
        ({"type": "api_key", "name": "X-Key"}, {"options": {"x": "y"}}, "has no secret"),
        ({"type": "bearer"}, {"password": "two\nlines"}, "has no secret that can be sent"),
        ({"type": "oauth2", "token_url": "/token"}, {"user": "ada"}, "has no client and secret"),
        ({"type": "aws_sigv4", "region": "r", "service": "s"}, {"user": "ada"}, "has no access key and its"),
        (
            {"type": "oauth2", "token_url": "/token", "grant": "refresh_token"},
            {"user": "ada", "password": "x"},
            "has no refresh token",
        ),
    ]
    api = make_api()
    for auth, of, says in lacking:
        with pytest.raises(FatalError, match=f"the address of connection 'api' {says}") as raised:
            read(api, address_of(api, auth, **of))
        assert "WINDLASS_CONN_API=https://" in str(raised.value.hint)
    assert api.asked == []
    open_to_all = make_api(answer('[{"id": 1}]'))  # a dev service
    assert read(open_to_all, address_of(open_to_all, {"type": "bearer"})) == [{"id": 1}]


class Guarded:
    """Gives tokens, and takes each for so many requests."""

    def __init__(self, good_for: int, login: str, granted: Callable[[int], bytes], name: str) -> None:
        self.good_for, self.login, self.granted, self.name = good_for, login, granted, name
        self.tokens = self.used = 0

    def __call__(self, asked: Asked) -> bytes:
        if asked.path == self.login:
            self.tokens, self.used = self.tokens + 1, 0
            return self.granted(self.tokens)
        self.used += 1
        if f"canary-{self.tokens}" not in asked.headers.get(self.name, "") or self.used > self.good_for:
            return answer("", status="401 Unauthorized")
        number = int(asked.query["page"])
        return answer(f'[{{"id": {number}}}]' if number <= 4 else "[]")


def oauth2(number: int) -> bytes:
    return answer(json.dumps({"access_token": f"canary-{number}", "refresh_token": f"canary-next-{number}"}))


OAUTH = {"type": "oauth2", "token_url": "/token"}
GRANTED: list[tuple[dict[str, Any], str, Callable[[int], bytes], str, dict[str, str]]] = [
    (OAUTH, "/token", oauth2, "authorization", {"grant_type": "client_credentials"}),
    (
        {**OAUTH, "scopes": ["read", "list"], "client_auth": "body"},
        "/token",
        oauth2,
        "authorization",
        {
            "grant_type": "client_credentials",
            "scope": "read list",
            "client_id": "ada",
            "client_secret": "canary-of-ada",
        },
    ),
    (
        {**OAUTH, "grant": "refresh_token"},
        "/token",
        oauth2,
        "authorization",
        {"grant_type": "refresh_token", "refresh_token": "canary-first"},
    ),
    (
        {"type": "session", "login": "/login", "form": True},
        "/v1/login",
        lambda n: answer(
            "", f"Set-Cookie: sid=canary-{n}; Path=/; HttpOnly", "Set-Cookie: b=2", status="201 X"
        ),
        "cookie",
        {"user": "ada", "password": "canary-of-ada"},
    ),
    (
        {
            "type": "session",
            "login": "/login",
            "token": "data.token",
            "name": "X-Token",
            "prefix": "",
            "body": {"as": {"name": "{user}"}, "with": ["{password}", 1]},
        },
        "/v1/login",
        lambda n: answer(f'{{"data": {{"token": "canary-{n}"}}}}'),
        "x-token",
        {"as": {"name": "ada"}, "with": ["canary-of-ada", 1]},  # type: ignore[dict-item]
    ),
]


def test_a_token_is_got_once_and_anew_when_it_is_not_taken_any_more(make_api: Make, read: Read) -> None:
    for auth, login, granted, header, sent in GRANTED:
        refresh = {"refresh_token": "canary-first"} if auth.get("grant") == "refresh_token" else {}
        guarded = Guarded(2, login, granted, header)
        api = make_api(answering=guarded)
        address = address_of(api, auth, user="ada", password="canary-of-ada", options=refresh)
        found = read(api, address, paginate={"type": "page_number"})
        assert found == [{"id": number} for number in range(1, 5)]
        logins = [asked for asked in api.asked if asked.path == login]
        assert (len(logins), {asked.method for asked in logins}) == (3, {"POST"})
        body = logins[0].body.decode()
        assert (json.loads(body) if body.startswith("{") else dict(parse_qsl(body))) == sent
        if refresh:  # each answer gave another one
            assert [dict(parse_qsl(a.body.decode()))["refresh_token"] for a in logins[1:]] == [
                "canary-next-1",
                "canary-next-2",
            ]
        assert logs.mask("with canary-1, canary-2") == "with ***, ***"


def test_a_token_that_is_never_taken_and_one_that_is_never_given_are_errors(
    make_api: Make, read: Read
) -> None:
    known: dict[str, Any] = {"user": "ada", "password": "canary-of-ada"}
    api = make_api(answering=Guarded(0, "/token", oauth2, "authorization"))
    with pytest.raises(FatalError, match=r"items.* answered 401"):
        read(api, address_of(api, OAUTH, **known), paginate={"type": "page_number"})
    assert len(api.asked) == 4  # it was renewed once
    refused = json.dumps({"error": "invalid_client", "error_description": "canary-of-ada is unknown"})
    for said, says in (
        (answer(refused, status="400 X"), "token answered 400 X: invalid_client: *** is unknown"),
        (answer('{"token": 1}'), "gave no `access_token`"),
        (answer('{"access_token": "a\\r\\nb"}'), "cannot be sent in a header"),
    ):
        api = make_api(said)
        logs.add_secret("canary-of-ada")
        with pytest.raises(FatalError) as raised:
            read(api, address_of(api, OAUTH, **known))
        assert says in logs.mask(str(raised.value))
    session = {"type": "session", "login": "/login"}
    api = make_api(answer("{}"), answer("{}"))
    with pytest.raises(FatalError, match="set no cookie"):
        read(api, address_of(api, session, **known))
    with pytest.raises(FatalError, match="gave no token at 'token'"):
        read(api, address_of(api, {**session, "token": "token"}, **known))


def test_a_download_from_a_connection_has_its_credentials_too(make_api: Make, tmp_path: Path) -> None:
    body = b"x" * 10

    def file(asked: Asked) -> bytes:
        if asked.path == "/token":
            return oauth2(len(api.asked))
        good = asked.headers["authorization"] != "Bearer canary-1"
        return answer(body) if good else answer("", status="401 X")

    api = make_api(answering=file)
    known: dict[str, Any] = {
        "user": "ada",
        "password": "canary-of-ada",
        "options": {"appid": "canary-of-appid"},
    }
    context = SimpleNamespace(
        workspace=Workspace(tmp_path, tmp_path),
        progress=lambda *_: None,
        address=lambda _: address_of(api, OAUTH, **known),
        folder=RunFolder(tmp_path / "run"),
    )
    task = Download(connection="api", path="/file?as=x", to="file")
    run_download(LedgerEntry("p", "t", "r"), task, cast("Context", context))
    assert (tmp_path / "file").read_bytes() == body
    there = "/v1/file?as=x&appid=canary-of-appid"
    assert [asked.path for asked in api.asked] == ["/token", there, "/token", there]


AUTHS = {
    "key": {"type": "api_key", "name": "X-Key"},
    "token": {"type": "bearer", "secret": "token"},
    "app": {**OAUTH, "secret": "of_app", "grant": "refresh_token"},
    "login": {"type": "basic"},
}


def test_a_source_says_which_of_several_ways_to_take(make_api: Make, read: Read) -> None:
    """Each with its own secret, and those of the others are sent to nobody; a parent says its own."""
    known: dict[str, Any]
    secrets = {"token": "canary-of-token", "of_app": "canary-of-app", "refresh_token": "canary-first"}

    def said(asked: Asked) -> bytes:
        return oauth2(1) if asked.path == "/token" else answer('[{"id": 1}]')

    sent = {
        "key": ("x-key", KEY),
        "token": ("authorization", "Bearer canary-of-token"),
        "app": ("authorization", "Bearer canary-1"),
        "login": ("authorization", "Basic YWRhOmNhbmFyeS9vZiBhbGwra2V5cw=="),
        None: ("authorization", "Bearer canary-of-token"),
    }
    for name, (header, value) in sent.items():
        api = make_api(answering=said)
        settings = {"auths": AUTHS, **({"auth": AUTHS["token"]} if name is None else {})}
        options = {**secrets, "region": "eu"}
        known = {"user": "ada", "password": KEY, "options": options, "settings": settings}
        chosen = {} if name is None else {"auth": name}
        assert read(api, replace(api.address, **known), **chosen) == [{"id": 1}]
        asked = api.asked[-1]
        assert (asked.headers[header], asked.query) == (value, {"region": "eu"})
        assert str(api.asked[-1]).count("canary") == (name != "login")
        if name == "app":
            assert dict(parse_qsl(api.asked[0].body.decode()))["refresh_token"] == "canary-first"
    api = make_api(answering=said)
    parent = {"connection": "api", "path": "/parents", "auth": "login"}
    known = {"user": "ada", "password": KEY, "options": secrets, "settings": {"auths": AUTHS}}
    read(api, replace(api.address, **known), path="/{parent.id}", parent=parent, auth="token")
    said_by = [asked.headers["authorization"].partition(" ")[0] for asked in api.asked]
    assert [asked.path for asked in api.asked] == ["/v1/parents", "/v1/1"]
    assert said_by == ["Basic", "Bearer"]


@pytest.mark.parametrize("concurrency", [1, 3])
def test_a_parent_says_who_asks(concurrency: int, make_api: Make, read: Read) -> None:
    api = make_api(answering=lambda asked: answer(f'[{{"id": "{asked.path[-1]}"}}]'))
    known: dict[str, Any] = {
        "user": "ada",
        "password": KEY,
        "options": {"token": "canary-of-token"},
        "settings": {"auths": AUTHS},
    }
    shops = [{"n": 1, "by": "token"}, {"n": 2, "by": "key"}, {"n": 3, "by": "token"}]
    parent = {"values": shops, "as": "shop", "concurrency": concurrency}
    found = read(api, replace(api.address, **known), path="/{shop.n}", parent=parent, auth="{shop.by}")
    assert [row["id"] for row in found] == ["1", "2", "3"]
    sent = {asked.path[-1]: asked.headers.get("authorization", "") for asked in api.asked}
    assert sent["1"] == sent["3"] == "Bearer canary-of-token"
    assert "canary-of-token" not in sent["2"]
    api = make_api()
    with pytest.raises(FatalError, match="no 'nobody' among its `auths`"):
        read(
            api, replace(api.address, **known), path="/x",
            parent={"values": ["nobody"], "as": "who"}, auth="{who}",
        )  # fmt: skip
    with pytest.raises(FatalError, match=r"no '\{who\}' among its `auths`"):
        read(api, replace(api.address, **known), path="/x", auth="{who}")
    assert api.asked == []


def test_a_way_that_is_not_there_or_has_no_secret_is_told(
    make_api: Make, read: Read, windlass: Callable[..., Output], project: Callable[[dict[str, str]], Path]
) -> None:
    """When a run begins, where only that knows; when a file is checked, where it can be known."""
    api = make_api()
    for chosen, says, hint in (
        ({"auth": "tokens"}, "no 'tokens' among its `auths`", "say one with `auth`: key, token, app, login"),
        ({}, "several ways to say who asks", "say one with `auth`: key, token, app, login"),
        ({"auth": "token"}, "has no option 'token', which its `auth` needs", "https://host?token=SECRET"),
    ):
        with pytest.raises(FatalError, match=re.escape(says)) as raised:
            read(api, replace(api.address, password=KEY, settings={"auths": AUTHS}), **chosen)
        assert hint in str(raised.value.hint)
    assert api.asked == []
    copy = "copy: {from: {connection: %s, path: /items%s}, to: {path: out.ndjson}}"
    kind, way = (f", auth: '{{{{ params.{name} }}}}'" for name in ("kind", "way"))
    root = project(
        {
            "windlass.yaml": "project: p\nconnections:\n"
            "  api: {type: http, auths: {key: {type: bearer}, old key: {type: basic}}}\n"
            "  one: {type: http, auth: {type: bearer}}\n",
            "pipelines/p.yaml": "pipeline: p\nparams: {kind: keys, way: key}\ntasks:\n"
            f"  a: {{{copy % ('api', ', auth: keys')}}}\n"
            f"  b: {{{copy % ('api', '')}}}\n"
            f"  c: {{{copy % ('one', ', auth: key')}}}\n"
            f"  d: {{{copy % ('api', ', auth: old key, parent: {connection: api, path: /x}')}}}\n"
            f"  e: {{{copy % ('api', kind)}}}\n"
            f"  f: {{{copy % ('api', way)}}}\n",
        }
    )
    found = windlass("-C", root, "validate").stderr
    places = re.findall(r"p\.yaml:(\d+):\d+: error\[W0109\]: the connection has (.*)", found)
    assert places == [
        ("4", "no 'keys' among its `auths`"),
        ("5", "several ways to say who asks"),
        ("6", "no 'key' among its `auths`"),
        ("7", "several ways to say who asks"),
        ("8", "no 'keys' among its `auths`"),
    ], found


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"type": "api_key"}, "`type: api_key` needs `name`"),
        ({"type": "oauth2"}, "`type: oauth2` needs `token_url`"),
        ({"type": "session"}, "`type: session` needs `login`"),
        ({"type": "aws_sigv4", "region": "r"}, "`type: aws_sigv4` needs `service`"),
        ({"type": "bearer", "name": "X"}, "`name` is for api_key and session, and the type is bearer"),
        ({"type": "basic", "in": "query"}, "`in` is for api_key, and the type is basic"),
        ({"type": "bearer", "scopes": ["a"]}, "`scopes` is for oauth2"),
        ({"type": "session", "login": "/", "token": "a..b"}, "`token` is where the answer has it"),
    ],
)
def test_what_does_not_go_together_is_refused(written: dict[str, Any], said: str) -> None:
    with pytest.raises(FatalError, match=said):
        read_options(Auth, written)


def test_the_keys_of_a_connection_are_checked_where_they_stand_and_reach_the_task(
    windlass: Callable[..., Output], project: Callable[[dict[str, str]], Path], make_api: Make
) -> None:
    connections = "{type: http, auth: {type: %s, name: X-Key}%s}"
    task = "copy: {from: {connection: api, path: /items}, to: {path: out.ndjson}}"
    files = {
        "windlass.yaml": f"project: p\nconnections:\n  api: {connections % ('apikey', ', aut: 1')}\n"
        "  db: {type: sqlite, auth: {type: basic}}\n",
        "pipelines/p.yaml": f"pipeline: p\ntasks:\n  a: {{{task}}}\n",
    }
    root = project(files)
    said = windlass("-C", root, "validate").stderr
    assert "windlass.yaml:3:56: error[W0103]: unknown key 'aut' in connections.api" in said, said
    assert "did you mean 'auth'?" in said
    assert "3:34: error[W0106]" in said
    assert "expected 'basic', 'bearer', 'api_key', 'oauth2', 'session' or 'aws_sigv4', got 'apikey'" in said
    assert "windlass.yaml:4:22: error[W0103]: unknown key 'auth' in connections.db" in said
    (root / "windlass.yaml").write_text(f"project: p\nconnections:\n  api: {connections % ('api_key', '')}\n")
    api = make_api(answer('[{"id": 1}]'))
    done = windlass(
        "-C", root, "run", "p", env={"WINDLASS_CONN_API": f"http://:canary@127.0.0.1:{api.port}/v1"}
    )
    assert done.code == 0, done.stderr
    assert api.asked[0].headers["x-key"] == "canary"


def test_an_api_without_secrets_may_be_named_in_the_project(
    windlass: Callable[..., Output], project: Callable[[dict[str, str]], Path], make_api: Make
) -> None:
    """By `base_url`: for runs, `exec` and the list; an address that is configured comes first, and so does a dev service."""
    api, other = make_api(answering=lambda _: answer('[{"id": 1}]')), make_api(answer('[{"id": 2}]'))
    task = "copy: {from: {connection: %s, path: /items.json}, to: {path: out.ndjson}}"
    url = f"http://127.0.0.1:{api.port}/v1"
    root = project(
        {
            "windlass.yaml": f"project: p\nconnections:\n  api: {{type: http, base_url: '{url}'}}\n"
            f"  dev: {{type: http, base_url: '{url}', dev: {{serve: here}}}}\n",
            "here/items.json": '[{"id": 3}]',
            "pipelines/p.yaml": f"pipeline: p\ntasks:\n  a: {{{task % 'api'}}}\n",
            "pipelines/d.yaml": f"pipeline: d\ntasks:\n  a: {{{task % 'dev'}}}\n",
        }
    )
    there = {"WINDLASS_CONN_API": f"http://127.0.0.1:{other.port}/v1"}
    for command, env, expected in (
        (("run", "p"), {}, 1),
        (("exec", "p", "a"), {}, 1),
        (("run", "d", "--no-dev"), {}, 1),
        (("run", "p"), there, 2),
        (("run", "d"), {}, 3),
    ):
        done = windlass("-C", root, *command, env=env)
        assert done.code == 0, done.stderr
        assert json.loads((root / "out.ndjson").read_text()) == {"id": expected}
    listed = windlass("-C", root, "connections").stdout
    assert re.search(rf"api +http +{url} +`base_url` of 'api' in windlass.yaml", listed), listed
    assert re.search(r"dev +http +not configured: a dev service", listed), listed
    assert "api: reachable" in windlass("-C", root, "connections", "test", "api").stdout
    for wrong in ("ftp://host", "api.example.org", "https://ada@host/", "https://host?key=x"):
        with pytest.raises(FatalError, match="`base_url`"):
            read_options(Connection, {"base_url": wrong})
