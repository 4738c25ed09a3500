"""Who asks, as a low-code manifest says it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from windlass.importing.configuration import Configuration
from windlass.importing.imported import Imported
from windlass.importing.templates import Moment, Place, is_template, pieces_of, value_of

__all__ = ["auths_of", "chosen_by", "secret_of"]

_PLACES = {"request_parameter": {"in": "query"}, "header": {}}
_IS_SECRET = re.compile(r"pass|secret|token|key")
_EXPRESSION = re.compile(r"\{\{.*?\}\}", re.DOTALL)

Said = Mapping[str, Any]


def auths_of(authenticator: Said, imported: Imported) -> dict[str, Any]:
    """What a connection says of who asks: `auth`; or `auths`, where a key of the configuration chooses one."""
    if authenticator.get("type") != "SelectiveAuthenticator":
        found = _auth_of(authenticator, imported)
        return {"auth": found} if found else {}
    choices = authenticator.get("authenticators") or {}
    found = {name: _auth_of(choices[name], imported, name) for name in choices}
    ways = {name: way for name, way in found.items() if way is not None}
    return {"auths": ways} if ways else {}


def chosen_by(authenticator: Said) -> str | None:
    """The key of the configuration that chooses one of several; None where there is nothing to choose."""
    if authenticator.get("type") != "SelectiveAuthenticator":
        return None
    return "_".join(str(step) for step in authenticator.get("authenticator_selection_path") or ("auth",))


def secret_of(name: str, text: Any, place: str, configuration: Configuration) -> dict[str, Any] | None:
    """The `auth` that a header or parameter with a secret of the configuration is; None where it has none."""
    pieces = pieces_of(text) if isinstance(text, str) else None
    if not pieces or len(pieces) > 2 or not isinstance(pieces[-1], Place) or pieces[-1].root != "config":
        return None
    is_secret = configuration.is_secret(pieces[-1]) or name.lower() == "authorization"
    prefix = pieces[0] if len(pieces) == 2 else ""
    if not is_secret or (prefix and place == "query"):
        return None
    if name.lower() == "authorization" and prefix == "Bearer ":
        return {"type": "bearer"}
    found = {"type": "api_key", "name": name, **({"prefix": prefix} if prefix else {})}
    return found | ({"in": "query"} if place == "query" else {})


def _auth_of(authenticator: Said, imported: Imported, choice: str = "") -> dict[str, Any] | None:
    """The `auth` of a connection; None where there is none, which is noted."""
    kind = str(authenticator.get("type"))
    if kind == "NoAuth" and not choice:
        return None
    found = _KINDS[kind](authenticator) if kind in _KINDS else None
    if found is None:
        which = f"{kind} ({choice!r})" if choice else kind
        imported.note("authenticator", f"{which} has no translation; see `auth`")
    elif "…" in str(found.get("token_url", "")):
        imported.note(
            "authenticator", f"`token_url` depends on the configuration: complete {found['token_url']}"
        )
    return found


def _api_key(said: Said) -> dict[str, Any] | None:
    option = said.get("inject_into") or {}
    name = option.get("field_name") or said.get("header")
    place = _PLACES.get(str(option.get("inject_into", "header")))
    if not name or is_template(name) or place is None:
        return None
    pieces = pieces_of(str(said.get("api_token") or "")) or []
    prefix = pieces[0] if len(pieces) == 2 and isinstance(pieces[0], str) else ""
    if len(pieces) > 2 or (prefix and place):
        return None
    return {"type": "api_key", "name": name, **place} | ({"prefix": prefix} if prefix else {})


def _oauth2(said: Said) -> dict[str, Any] | None:
    url = said.get("token_refresh_endpoint")
    grant = str(said.get("grant_type", "refresh_token" if "refresh_token" in said else "client_credentials"))
    if grant not in ("refresh_token", "client_credentials") or not isinstance(url, str):
        return None
    url = _EXPRESSION.sub("…", url)
    found: dict[str, Any] = {"type": "oauth2", "token_url": url, "client_auth": "body"}
    found |= {"grant": grant} if grant == "refresh_token" else {}
    scopes = said.get("scopes")
    return found | (
        {"scopes": list(scopes)} if isinstance(scopes, list) and not is_template(str(scopes)) else {}
    )


def _session(said: Said) -> dict[str, Any] | None:
    login, request = said.get("login_requester") or {}, said.get("request_authentication") or {}
    option = request.get("inject_into") or {}
    path = said.get("session_token_path") or ()
    where = "/".join(str(login.get(key) or "").strip("/") for key in ("url_base", "path"))
    body = _login_of(login)
    if (
        not path
        or not isinstance(path, list)
        or is_template(where)
        or body is None
        or login.get("authenticator")
    ):
        return None
    found: dict[str, Any] = {"type": "session", "login": where, "token": ".".join(path), **body}
    if request.get("type") == "ApiKey":
        if option.get("inject_into", "header") != "header" or not option.get("field_name"):
            return None
        found |= {"name": option["field_name"], "prefix": ""}
    return found


def _login_of(login: Said) -> dict[str, Any] | None:
    """What is posted to log in: user and password where the configuration has them; None where it is something else."""
    as_form = login.get("request_body_data") or {}
    said = login.get("request_body_json") or as_form
    if not isinstance(said, Mapping) or login.get("request_headers"):
        return None
    body: dict[str, Any] = {}
    for name, text in said.items():
        value = value_of(text)
        if isinstance(value, Place) and value.root == "config":
            body[name] = "{password}" if _IS_SECRET.search(f"{name} {value.path}".lower()) else "{user}"
        elif isinstance(value, Place | Moment) or is_template(value):
            return None
        else:
            body[name] = value
    if list(body.values()).count("{user}") > 1 or list(body.values()).count("{password}") > 1:
        return None
    return ({"body": body} if body else {}) | ({"form": True} if as_form and body else {})


_KINDS: Mapping[str, Callable[[Said], dict[str, Any] | None]] = {
    "BearerAuthenticator": lambda _: {"type": "bearer"},
    "BasicHttpAuthenticator": lambda _: {"type": "basic"},
    "ApiKeyAuthenticator": _api_key,
    "OAuthAuthenticator": _oauth2,
    "SessionTokenAuthenticator": _session,
}
