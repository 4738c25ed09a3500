"""Signs requests for AWS: Signature Version 4.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote, unquote, urlsplit

__all__ = ["AwsKey", "signed_headers"]

_ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, repr=False)
class AwsKey:
    """An access key, and what its signatures are for."""

    id: str
    secret: str
    region: str
    service: str
    session_token: str = ""
    """What comes with a key that is only good for a while."""


def signed_headers(key: AwsKey, method: str, url: str, body: bytes, now: datetime) -> Mapping[str, str]:
    """The headers that a request needs, which has this address and body and is sent now, in UTC.

    A space in the query of the address has to be `%20`.
    """
    digest = hashlib.sha256(body).hexdigest()
    headers = {"X-Amz-Date": f"{now:%Y%m%dT%H%M%SZ}"}
    if key.session_token:
        headers["X-Amz-Security-Token"] = key.session_token
    if key.service == "s3":
        headers["X-Amz-Content-Sha256"] = digest
    scope = f"{now:%Y%m%d}/{key.region}/{key.service}/aws4_request"
    names, request = _canonical(key, method, url, headers, digest)
    text = "\n".join((_ALGORITHM, headers["X-Amz-Date"], scope, hashlib.sha256(request).hexdigest()))
    signature = hmac.new(_signing_key(key, now), text.encode(), hashlib.sha256).hexdigest()
    said = f"{_ALGORITHM} Credential={key.id}/{scope}, SignedHeaders={names}, Signature={signature}"
    return {**headers, "Authorization": said}


def _canonical(
    key: AwsKey, method: str, url: str, headers: Mapping[str, str], digest: str
) -> tuple[str, bytes]:
    """The names of the signed headers, and the request as both sides write it down."""
    parts = urlsplit(url)
    path = parts.path or "/"
    # S3 encodes a path once, the others encode what is sent once more
    path = quote(unquote(path), safe="/-_.~") if key.service == "s3" else quote(path, safe="/-_.~")
    signed = sorted((name.lower(), value) for name, value in {"Host": parts.netloc, **headers}.items())
    names = ";".join(name for name, _ in signed)
    lines = (
        method,
        path,
        "&".join(sorted(pair if "=" in pair else f"{pair}=" for pair in parts.query.split("&") if pair)),
        *(f"{name}:{value}" for name, value in signed),
        "",
        names,
        digest,
    )
    return names, "\n".join(lines).encode()


def _signing_key(key: AwsKey, now: datetime) -> bytes:
    found = f"AWS4{key.secret}".encode()
    for part in (f"{now:%Y%m%d}", key.region, key.service, "aws4_request"):
        found = hmac.new(found, part.encode(), hashlib.sha256).digest()
    return found
