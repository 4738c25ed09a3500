"""The keys that say who asks."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from windlass.connectors.http.keys import is_path
from windlass.options import Many, Options

__all__ = ["Auth"]


class Auth(Options):
    """How a request says who asks. The secret is the password of the connection's address; it never stands in a file."""

    type: Literal["basic", "bearer", "api_key", "oauth2", "session", "aws_sigv4"]
    """`basic` sends user and password, `bearer` the password as a token, `api_key` the password by a `name` of the API's
    own; `oauth2` gets a token for the client (user) and its secret (password), `session` one by a login; `aws_sigv4` signs each request with the access key (user) and its secret (password)."""

    secret: str | None = None
    """The option of the address that has the secret, if it is not the password: `token` for `https://host?token=SECRET`."""

    name: str | None = None
    """For `api_key`: the header, parameter or cookie that has the key. For `session`: the header that has the token,
    `Authorization` unless said."""

    in_: Literal["header", "query", "cookie"] = msgspec.field(default="header", name="in")
    """For `api_key`: where it is sent."""

    prefix: str | None = None
    """What stands before the key or token in a header, such as `"Token "`. Default: `Bearer ` before the token of a
    session, nothing before a key."""

    token_url: str | None = None
    """For `oauth2`: where tokens are given (RFC 6749); a path is one of the API's own server."""

    grant: Literal["client_credentials", "refresh_token"] = "client_credentials"
    """For `oauth2`: what a token is given for. The refresh token is the option of the address: `?refresh_token=…`."""

    scopes: Many[str] = ()
    """For `oauth2`: what the token shall be good for."""

    client_auth: Literal["basic", "body"] = "basic"
    """For `oauth2`: whether client and secret go as `Authorization: Basic`, or in the body."""

    login: str | None = None
    """For `session`: the path that a login is posted to; or its address, where another server has it."""

    body: dict[str, Any] = {}
    """For `session`: the login as JSON, with `"{user}"` and `"{password}"` for those of the address. Default:
    `{user: "{user}", password: "{password}"}`."""

    form: bool = False
    """For `session`: whether the login is sent as a form instead."""

    token: str | None = None
    """For `session`: where the answer to a login has the token (JMESPath). Default: its cookies are sent back."""

    region: str | None = None
    """For `aws_sigv4`: the region, such as `eu-central-1`."""

    service: str | None = None
    """For `aws_sigv4`: the service by its name in signatures, such as `execute-api`, `es` or `s3`."""

    def refusal(self) -> str | None:
        needed = {
            "api_key": ("name",),
            "oauth2": ("token_url",),
            "session": ("login",),
            "aws_sigv4": ("region", "service"),
        }
        for key in needed.get(self.type, ()):
            if getattr(self, key) is None:
                return f"`type: {self.type}` needs `{key}`"
        if self.token is not None and not is_path(self.token):
            return f"`token` is where the answer has it, such as data.token; got {self.token!r}"
        return self._out_of_place()

    def _out_of_place(self) -> str | None:
        """What is said for another type."""
        places = {
            "name": ("api_key", "session"),
            "in": ("api_key",),
            "prefix": ("api_key", "session"),
            **dict.fromkeys(("token_url", "grant", "scopes", "client_auth"), ("oauth2",)),
            **dict.fromkeys(("login", "body", "form", "token"), ("session",)),
            **dict.fromkeys(("region", "service"), ("aws_sigv4",)),
        }
        for field in msgspec.structs.fields(type(self)):
            types = places.get(field.encode_name)
            default = {"in_": "header", "grant": "client_credentials", "client_auth": "basic"}.get(field.name)
            said = getattr(self, field.name) not in (default, None, False, (), {})
            if types is not None and said and self.type not in types:
                return f"`{field.encode_name}` is for {' and '.join(types)}, and the type is {self.type}"
        return None
