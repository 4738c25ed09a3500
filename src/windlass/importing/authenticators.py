"""Who asks, as a low-code manifest says it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from windlass.importing.documents import Tree
from windlass.importing.imported import Imported

__all__ = ["auths_of", "chosen_by"]

_PLACES = {"request_parameter": {"in": "query"}, "header": {}}


def auths_of(tree: Tree, authenticator: Mapping[str, Any], imported: Imported) -> dict[str, Any]:
    """What a connection says of who asks: `auth`; or `auths`, where a key of the configuration chooses one."""
    if authenticator.get("type") != "SelectiveAuthenticator":
        found = _auth_of(tree, authenticator, imported)
        return {"auth": found} if found else {}
    choices = tree.at(authenticator, "authenticators")
    found = {name: _auth_of(tree, tree.at(choices, name), imported, name) for name in choices}
    ways = {name: way for name, way in found.items() if way is not None}
    return {"auths": ways} if ways else {}


def chosen_by(authenticator: Mapping[str, Any]) -> str | None:
    """The key of the configuration that chooses one of several; None where there is nothing to choose."""
    if authenticator.get("type") != "SelectiveAuthenticator":
        return None
    return "_".join(str(step) for step in authenticator.get("authenticator_selection_path") or ("auth",))


def _auth_of(
    tree: Tree, authenticator: Mapping[str, Any], imported: Imported, choice: str = ""
) -> dict[str, Any] | None:
    """The `auth` of a connection; None where there is none, which is noted."""
    kind = str(authenticator.get("type"))
    if kind == "NoAuth" and not choice:
        return None
    found = _KINDS[kind](tree, authenticator) if kind in _KINDS else None
    if found is None:
        which = f"{kind} ({choice!r})" if choice else kind
        imported.note("authenticator", f"{which} has no translation; see `auth`")
    return found


def _api_key(tree: Tree, said: Mapping[str, Any]) -> dict[str, Any] | None:
    option = tree.at(said, "inject_into")
    name = option.get("field_name") or said.get("header")
    place = _PLACES.get(str(option.get("inject_into", "header")))
    return None if not name or place is None else {"type": "api_key", "name": name, **place}


def _oauth2(tree: Tree, said: Mapping[str, Any]) -> dict[str, Any] | None:
    url = said.get("token_refresh_endpoint")
    if not isinstance(url, str) or "{{" in url:
        return None
    grant = str(said.get("grant_type", "refresh_token" if "refresh_token" in said else "client_credentials"))
    if grant not in ("refresh_token", "client_credentials"):
        return None
    found: dict[str, Any] = {"type": "oauth2", "token_url": url, "client_auth": "body"}
    found |= {"grant": grant} if grant == "refresh_token" else {}
    return found | ({"scopes": list(said["scopes"])} if said.get("scopes") else {})


def _session(tree: Tree, said: Mapping[str, Any]) -> dict[str, Any] | None:
    login, request = tree.at(said, "login_requester"), tree.at(said, "request_authentication")
    option = tree.at(request, "inject_into")
    path = said.get("session_token_path") or ()
    if not path or "{{" in str(login.get("path", "{{")) or not isinstance(path, list):
        return None
    found: dict[str, Any] = {
        "type": "session",
        "login": "/" + str(login["path"]).lstrip("/"),
        "token": ".".join(path),
    }
    if request.get("type") == "ApiKey":
        if option.get("inject_into", "header") != "header" or not option.get("field_name"):
            return None
        found |= {"name": option["field_name"], "prefix": ""}
    return found


_KINDS: Mapping[str, Callable[[Tree, Mapping[str, Any]], dict[str, Any] | None]] = {
    "BearerAuthenticator": lambda *_: {"type": "bearer"},
    "BasicHttpAuthenticator": lambda *_: {"type": "basic"},
    "ApiKeyAuthenticator": _api_key,
    "OAuthAuthenticator": _oauth2,
    "SessionTokenAuthenticator": _session,
}
