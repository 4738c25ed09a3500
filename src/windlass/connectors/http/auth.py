"""Who asks: what a request has to have for its server to answer it.

The secret is in the address of the connection, the way in `auth` beside its type. A token that the API itself gives
is got when the first request is made, and anew, once for each request, when its server does not take it any more (401).
Every secret that is learnt here is masked from then on.
"""

from __future__ import annotations

import http
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from http.cookies import CookieError, SimpleCookie
from typing import Any, Protocol, TypeAlias
from urllib.parse import urlencode, urljoin

from windlass import logs, web
from windlass.connections import Address, variable
from windlass.connectors.http.addresses import server_of, texts, url_of
from windlass.connectors.http.answers import Answer, Ask, content_of
from windlass.connectors.http.aws import AwsKey, signed_headers
from windlass.connectors.http.keys import find
from windlass.connectors.http.options import Auth, Connection
from windlass.errors import Code, FatalError

__all__ = ["Credentials", "NoCredentials", "credentials_of"]

Asking: TypeAlias = Callable[[Ask], Answer]
"""Asks for what needs no credentials."""

_DONE = (http.HTTPStatus.OK, http.HTTPStatus.CREATED, http.HTTPStatus.NO_CONTENT)
_LOGIN = {"user": "{user}", "password": "{password}"}
_REFRESH_TOKEN, _SESSION_TOKEN = "refresh_token", "session_token"
_TAKEN = {"oauth2": _REFRESH_TOKEN, "aws_sigv4": _SESSION_TOKEN}
"""The option of an address that a way has something of its own in."""


class Credentials(Protocol):
    """What is added to each request."""

    def applied(self, ask: Ask) -> Ask:
        """The request with it. Raises WindlassError when a token cannot be had."""

    def renew(self, refused: Ask) -> bool:
        """Forget the token of a request that was refused; whether another one can be had."""


class NoCredentials:
    """Nobody in particular. Implements `Credentials`."""

    def applied(self, ask: Ask) -> Ask:
        return ask

    def renew(self, refused: Ask) -> bool:
        return False


def credentials_of(
    connection: str, address: Address, said: Connection, asking: Asking, chosen: str | None = None
) -> Credentials:
    """Those of a connection, in the way that is chosen. Raises FatalError when its address has not what they need.

    The options of the address are parameters of every request: `?appid=…`; but for those that some way has a secret in.
    """
    logs.add_secret(address.password)  # which a server may say when it refuses
    auth = said.chosen(chosen)
    if auth is None or _is_open(address):
        query = _parameters(address, said)
        return _Fixed(_basic(address) if address.user or address.password else {}, query)
    return _of_type(_Known(connection, address, auth, said), auth, asking)


def _parameters(address: Address, said: Connection) -> dict[str, str]:
    """The options of the address that go along with every request."""
    ways = [*said.auths.values(), *([said.auth] if said.auth is not None else [])]
    own = {way.secret for way in ways} | {_TAKEN[way.type] for way in ways if way.type in _TAKEN}
    return {key: value for key, value in address.options.items() if key not in own}


def _is_open(address: Address) -> bool:
    """Whether it is a server on this machine that asks nobody who they are: a dev service."""
    return address.is_here and not (address.user or address.password or address.options)


def _of_type(known: _Known, auth: Auth, asking: Asking) -> Credentials:
    options = known.parameters
    match auth.type:
        case "basic":
            return _Fixed(_basic(known.address), options)
        case "bearer":
            return _Fixed({"Authorization": f"Bearer {known.secret()}"}, options)
        case "api_key" if auth.in_ == "query":
            return _Fixed({}, {**options, str(auth.name): known.secret()})
        case "api_key" if auth.in_ == "cookie":
            return _Fixed({"Cookie": f"{auth.name}={known.secret()}"}, options)
        case "api_key":
            return _Fixed({str(auth.name): f"{auth.prefix or ''}{known.secret()}"}, options)
        case "oauth2":
            return _Granted(_OAuth2(known, auth, asking), options)
        case "aws_sigv4":
            return _Signed(known, auth)
        case "session":
            return _Granted(_Login(known, auth, asking), options)


class _Known:
    """What the address of a connection says of who asks."""

    def __init__(self, connection: str, address: Address, auth: Auth, said: Connection) -> None:
        self.connection, self.parameters = connection, _parameters(address, said)
        self.address = address
        if auth.secret is not None:
            self.address = replace(address, password=address.options.get(auth.secret, ""))
            if not self.address.password:
                raise self.lacks(f"option {auth.secret!r}", f"https://host?{auth.secret}=SECRET")

    def secret(self) -> str:
        """The password; or the user, where that is all: `https://TOKEN@host`."""
        secret = self.address.password or self.address.user
        logs.add_secret(secret)
        if not secret:
            raise self.lacks("secret", "https://:SECRET@host")
        if not (secret.isascii() and secret.isprintable()):
            raise self.lacks(
                "secret that can be sent", "https://:SECRET@host, percent-encoded, without line ends"
            )
        return secret

    def lacks(self, what: str, example: str) -> FatalError:
        """The error that the address has not what is needed."""
        return FatalError(
            f"the address of connection {self.connection!r} has no {what}, which its `auth` needs",
            hint=f"say {variable(self.connection)}={example}",
            code=Code.NO_SECRET,
        )


def _basic(address: Address) -> dict[str, str]:
    return {"Authorization": web.basic(address.user, address.password)}


class _Fixed:
    """Headers, and parameters, that are always the same. Implements `Credentials`."""

    def __init__(self, headers: Mapping[str, str], query: Mapping[str, str]) -> None:
        self._headers, self._query = headers, query

    def applied(self, ask: Ask) -> Ask:
        return _with(ask, self._headers, self._query)

    def renew(self, refused: Ask) -> bool:
        return False


class _Signed:
    """The signature of each request, which changes with it and with the time. Implements `Credentials`."""

    def __init__(self, known: _Known, auth: Auth) -> None:
        address = known.address
        if not (address.user and address.password):
            raise known.lacks("access key and its secret", "https://KEY-ID:SECRET@host")
        token = address.options.get(_SESSION_TOKEN, "")
        self._key = AwsKey(address.user, address.password, str(auth.region), str(auth.service), token)
        self._query = known.parameters

    def applied(self, ask: Ask) -> Ask:
        place, mark, query = ask.url.partition("?")
        signed = _with(replace(ask, url=place + mark + query.replace("+", "%20")), {}, self._query)
        method = "GET" if ask.body is None else "POST"
        headers = signed_headers(self._key, method, signed.whole_url(), ask.body or b"", datetime.now(UTC))
        return replace(signed, headers={**signed.headers, **headers})

    def renew(self, refused: Ask) -> bool:
        return False


class _Granted:
    """Headers that the API gives for the asking, and takes for a while. Implements `Credentials`."""

    def __init__(self, granted: Callable[[], Mapping[str, str]], query: Mapping[str, str]) -> None:
        self._granted, self._query = granted, query
        self._headers: Mapping[str, str] | None = None
        self._getting = threading.Lock()

    def applied(self, ask: Ask) -> Ask:
        with self._getting:
            if self._headers is None:
                self._headers = self._granted()
            return _with(ask, self._headers, self._query)

    def renew(self, refused: Ask) -> bool:
        with self._getting:
            if self._headers is not None and self._headers.items() <= refused.headers.items():
                self._headers = None  # else another thread has got a new one meanwhile
            return True


def _with(ask: Ask, headers: Mapping[str, str], query: Mapping[str, str]) -> Ask:
    """The request with these; a link that the API gave may have the parameters already."""
    there = {pair.partition("=")[0] for pair in ask.url.partition("?")[2].split("&")}
    missing = {key: value for key, value in query.items() if urlencode({key: ""})[:-1] not in there}
    return replace(ask, headers={**ask.headers, **headers}, secrets={**ask.secrets, **missing})


class _OAuth2:
    """Gets an access token (RFC 6749, sections 4.4 and 6)."""

    def __init__(self, known: _Known, auth: Auth, asking: Asking) -> None:
        self._known, self._auth, self._asking = known, auth, asking
        self._refresh_token = known.address.options.get(_REFRESH_TOKEN, "")
        self._url = urljoin(server_of(known.address), str(auth.token_url))

    def __call__(self) -> Mapping[str, str]:
        try:
            answer = self._asking(self._request())
        except web.AnswerError as exc:
            raise self._refused(exc) from exc
        token = answer.at("access_token")
        if not isinstance(token, str) or not token:
            raise FatalError(f"{self._url} gave no `access_token`", code=Code.NO_SECRET)
        self._keep_refresh_token(answer)
        return {"Authorization": f"Bearer {_learnt(token, self._url)}"}

    def _request(self) -> Ask:
        address, headers = self._known.address, {"Accept": "application/json", "User-Agent": web.AGENT}
        fields: dict[str, str] = {"grant_type": self._auth.grant}
        if self._auth.scopes:
            fields["scope"] = " ".join(self._auth.scopes)
        if self._auth.grant == "refresh_token":
            if not self._refresh_token:
                raise self._known.lacks("refresh token", "https://CLIENT:SECRET@host?refresh_token=TOKEN")
            fields["refresh_token"] = self._refresh_token
        elif not address.password:
            raise self._known.lacks("client and secret", "https://CLIENT:SECRET@host")
        if self._auth.client_auth == "body" or not address.password:
            fields |= {"client_id": address.user}
            fields |= {"client_secret": address.password} if address.password else {}
        else:
            headers |= _basic(address)
        return _form(self._url, headers, fields)

    def _refused(self, error: web.AnswerError) -> FatalError:
        """What the server says of it (RFC 6749, section 5.2)."""
        content = content_of(error.refusal.body)
        said = [find((key,), content) for key in ("error", "error_description")]
        return FatalError(
            ": ".join([error.message, *(str(text) for text in said if text)]), code=Code.NO_SECRET
        )

    def _keep_refresh_token(self, answer: Answer) -> None:
        """Some servers give another one each time, and the one in the address is then used up."""
        new = answer.at("refresh_token")
        if self._auth.grant != "refresh_token" or not isinstance(new, str) or new == self._refresh_token:
            return
        self._refresh_token = new
        logs.add_secret(new)
        logs.warning("refresh_token_changed", connection=self._known.connection)


class _Login:
    """Opens a session, by a token or by cookies."""

    def __init__(self, known: _Known, auth: Auth, asking: Asking) -> None:
        self._known, self._auth, self._asking = known, auth, asking
        login = str(auth.login)
        self._url = login if login.startswith(("http://", "https://")) else url_of(known.address, login)

    def __call__(self) -> Mapping[str, str]:
        self._known.secret()
        headers = {"Accept": "application/json", "User-Agent": web.AGENT}
        body = _filled(self._auth.body or _LOGIN, self._known.address)
        ask = _form(self._url, headers, texts(body)) if self._auth.form else _json(self._url, headers, body)
        answer = self._asking(ask)
        return self._cookies(answer) if self._auth.token is None else self._token(answer, self._auth.token)

    def _token(self, answer: Answer, path: str) -> Mapping[str, str]:
        token = answer.at(path)
        if not isinstance(token, str) or not token:
            raise FatalError(f"{self._url} gave no token at {path!r}", code=Code.NO_SECRET)
        prefix = "Bearer " if self._auth.prefix is None else self._auth.prefix
        return {self._auth.name or "Authorization": f"{prefix}{_learnt(token, self._url)}"}

    def _cookies(self, answer: Answer) -> Mapping[str, str]:
        found: SimpleCookie = SimpleCookie()
        for said in answer.headers.get_all("Set-Cookie", []):
            try:
                found.load(said)
            except CookieError as exc:
                raise FatalError(
                    f"{self._url} set a cookie that cannot be read", code=Code.NO_SECRET
                ) from exc
        if not found:
            hint = "say with `token` where its answer has a token"
            raise FatalError(f"{self._url} set no cookie", hint=hint, code=Code.NO_SECRET)
        pairs = (f"{name}={_learnt(morsel.coded_value, self._url)}" for name, morsel in found.items())
        return {"Cookie": "; ".join(pairs)}


def _learnt(secret: str, url: str) -> str:
    """A secret that an API gave, masked from now on. Raises FatalError for what no header can have."""
    logs.add_secret(secret)
    if not (secret.isascii() and secret.isprintable()):
        raise FatalError(f"{url} gave a token that cannot be sent in a header", code=Code.NO_SECRET)
    return secret


def _filled(value: Any, address: Address) -> Any:
    """A login with the user and the password of the address in its texts."""
    if isinstance(value, dict):
        return {key: _filled(inner, address) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, address) for inner in value]
    known = {"{user}": address.user, "{password}": address.password}
    return known.get(value, value) if isinstance(value, str) else value


def _form(url: str, headers: Mapping[str, str], fields: Mapping[str, str]) -> Ask:
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    return Ask(url, {**headers, **kind}, urlencode(fields).encode(), statuses=_DONE)


def _json(url: str, headers: Mapping[str, str], body: object) -> Ask:
    return Ask(
        url, {**headers, "Content-Type": "application/json"}, json.dumps(body).encode(), statuses=_DONE
    )
